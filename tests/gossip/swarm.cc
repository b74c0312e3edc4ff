#include "tests/gossip/swarm.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "gossip/state_sync.h"

namespace eddy::gossip {

namespace {

constexpr std::string_view kCluster = "swarm";

}  // namespace

Swarm::Swarm(const Options& options)
    : options_(options),
      random_(options.seed),
      nodes_(options.nodes),
      by_port_(size_t{UINT16_MAX} + 1) {
  StateSync all{.sender = NodeId{.high = 9, .low = 9}, .members = {}};
  for (size_t node = 0; node < size(); ++node) {
    nodes_[node].address = Address{.host = "10.20.30.40", .port = next_port_++};
    Begin(node);
    all.members.push_back(At(node).self());
  }
  const std::string bytes = EncodeStateSync(ClusterDigest::Of(kCluster), all);
  for (size_t node = 0; node < size(); ++node) {
    Call(node, [&](Swim& swim) { CHECK(swim.FinishSync(now_, bytes).has_value()); });
  }
}

void Swarm::Begin(size_t node) {
  Node& begun = nodes_[node];
  const MemberState self{.id = IdOf(node),
                         .incarnation = Incarnation{begun.incarnation},
                         .liveness = Liveness::kAlive,
                         .address = begun.address};
  begun.swim = std::make_unique<Swim>(options_.swim, kCluster, self, random_.Fork(), now_);
  by_port_[begun.address.port] = node;
  ++begun.life;
  begun.wake_at = MonotonicTime::max();
  begun.paused_until = now_;
}

void Swarm::Crash(size_t node) {
  for (size_t count = 0; count < kCountNames.size(); ++count) {
    counted_.Add(static_cast<Count>(count), At(node).counters().Get(static_cast<Count>(count)));
  }
  by_port_[nodes_[node].address.port].reset();
  nodes_[node].swim.reset();
}

void Swarm::Restart(size_t node, Start start) {
  CHECK(!IsUp(node));
  Node& begun = nodes_[node];
  begun.incarnation = start.incarnation.value_or(begun.incarnation + 1'000'000);
  if (start.elsewhere) begun.address.port = next_port_++;
  Begin(node);
  Introduce(node);
}

void Swarm::Introduce(size_t node) {
  std::vector<size_t> unknown;
  for (size_t other = 0; other < size(); ++other) {
    if (other != node && At(node).Find(IdOf(other)) == nullptr) unknown.push_back(other);
  }
  if (unknown.empty()) return;
  const size_t seed = unknown[random_.Below(unknown.size())];
  Call(node, [&](Swim& swim) { swim.Introduce(nodes_[seed].address); });
  Push(Happening{.at = now_ + std::chrono::seconds(1),
                 .kind = Kind::kIntroduce,
                 .node = node,
                 .life = nodes_[node].life});
}

void Swarm::Run(Duration time) {
  const MonotonicTime until = now_ + time;
  while (!queue_.empty() && queue_.front().at <= until) {
    std::ranges::pop_heap(queue_, &Happening::IsAfter);
    Happening next = std::move(queue_.back());
    queue_.pop_back();
    now_ = std::max(now_, next.at);
    Happen(std::move(next));
  }
  now_ = until;
}

void Swarm::Happen(Happening happening) {
  Node& node = nodes_[happening.node];
  if (node.swim == nullptr || node.life != happening.life) return;
  if (node.paused_until > now_) {
    if (happening.kind == Kind::kTick) node.wake_at = node.paused_until;
    happening.at = node.paused_until;
    return Push(std::move(happening));
  }
  ++events_;
  switch (happening.kind) {
    case Kind::kPacket:
      return Call(happening.node,
                  [&](Swim& swim) { swim.Receive(now_, happening.from, happening.bytes); });
    case Kind::kSync:
      return Sync(happening.node, happening.with);
    case Kind::kIntroduce:
      return Introduce(happening.node);
    case Kind::kTick:
      if (node.wake_at != happening.at) return;
      node.wake_at = MonotonicTime::max();
      return Call(happening.node, [&](Swim& swim) { swim.Tick(now_); });
  }
}

void Swarm::Sync(size_t node, size_t with) {
  if (!IsUp(with) || nodes_[node].side != nodes_[with].side) return;
  const std::string question = At(node).SyncBytes();
  Result<std::string> answer = At(with).AnswerSync(now_, question);
  CHECK(answer.has_value());
  Perform(with);
  Call(node, [&](Swim& swim) { CHECK(swim.FinishSync(now_, *answer).has_value()); });
}

void Swarm::Perform(size_t node) {
  Node& performing = nodes_[node];
  performing.swim->TakeEffects(&effects_);
  for (const Event& event : effects_.events) {
    if (event.kind != EventKind::kDead) continue;
    const size_t subject = event.member.id.low - 1;
    deaths_.push_back(
        Death{.at = now_, .observer = node, .subject = subject, .is_false = IsUp(subject)});
  }
  for (const Address& to : effects_.syncs) {
    const std::optional<size_t> with = NodeAt(to);
    if (!with) continue;
    Push(Happening{.at = now_ + Delay() + performing.late + nodes_[*with].late,
                   .kind = Kind::kSync,
                   .node = node,
                   .life = performing.life,
                   .with = *with});
  }
  SendPackets(node);
  const MonotonicTime wake_at = std::max(performing.swim->NextWake(), now_);
  if (wake_at < performing.wake_at) {
    performing.wake_at = wake_at;
    Push(Happening{.at = wake_at, .kind = Kind::kTick, .node = node, .life = performing.life});
  }
}

void Swarm::SendPackets(size_t from) {
  for (SendPacket& packet : effects_.packets) {
    const std::optional<size_t> to = NodeAt(packet.to);
    if (!to || nodes_[*to].side != nodes_[from].side) continue;
    if (random_.Chance(options_.lost_permille, 1000)) continue;
    Push(Happening{.at = now_ + Delay() + nodes_[*to].late,
                   .kind = Kind::kPacket,
                   .node = *to,
                   .life = nodes_[*to].life,
                   .from = nodes_[from].address,
                   .bytes = std::move(packet.bytes)});
  }
}

std::optional<size_t> Swarm::NodeAt(const Address& address) const { return by_port_[address.port]; }

Duration Swarm::Delay() {
  return Duration(random_.Between(static_cast<uint64_t>(options_.delay_min.count()),
                                  static_cast<uint64_t>(options_.delay_max.count())));
}

bool Swarm::Happening::IsAfter(const Happening& other) const {
  return std::tie(at, kind, serial) > std::tie(other.at, other.kind, other.serial);
}

void Swarm::Push(Happening happening) {
  happening.serial = serial_++;
  queue_.push_back(std::move(happening));
  std::ranges::push_heap(queue_, &Happening::IsAfter);
}

size_t Swarm::FalseDeaths() const {
  return static_cast<size_t>(std::ranges::count_if(deaths_, &Death::is_false));
}

std::string Swarm::Disagreement() {
  for (size_t node = 0; node < size(); ++node) {
    if (!IsUp(node) || At(node).self().liveness == Liveness::kLeft) continue;
    for (size_t other = 0; other < size(); ++other) {
      if (other == node) continue;
      const MemberState* believed = At(node).Find(IdOf(other));
      if (IsUp(other)) {
        if (believed == nullptr) return fmt::format("{} does not know {}", node, other);
        if (*believed == At(other).self()) continue;
        return fmt::format("{} has {} at {}, liveness {}, port {}", node, other,
                           believed->incarnation.value, static_cast<int>(believed->liveness),
                           believed->address.port);
      }
      if (believed != nullptr && believed->IsHere()) {
        return fmt::format("{} has {}, which is down, in liveness {}", node, other,
                           static_cast<int>(believed->liveness));
      }
    }
  }
  return "";
}

uint64_t Swarm::Counted(Count count) const {
  uint64_t sum = counted_.Get(count);
  for (const Node& node : nodes_)
    sum += node.swim != nullptr ? node.swim->counters().Get(count) : 0;
  return sum;
}

}  // namespace eddy::gossip
