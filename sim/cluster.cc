#include "sim/cluster.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/check.h"
#include "ring/layout.h"
#include "ring/token.h"
#include "sim/cluster_world.h"
#include "storage/key.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

std::vector<SimKey> MakeKeys(const Plan& plan, const ring::Layout& layout) {
  std::vector<SimKey> keys;
  for (uint32_t bucket = 0; bucket < plan.buckets.size(); ++bucket) {
    for (uint32_t i = 0; i < plan.workload.keys_per_bucket; ++i) {
      SimKey key;
      key.bucket = bucket;
      key.key = fmt::format("k{}", i);
      const std::string& name = plan.buckets[bucket].name;
      const ring::Token token = ring::TokenOf(name, key.key);
      key.encoded = storage::EncodeKey({token.value, name, key.key});
      Cluster::PutOnRing(&key, layout);
      keys.push_back(std::move(key));
    }
  }
  return keys;
}

}  // namespace

void Cluster::PutOnRing(SimKey* key, const ring::Layout& layout) {
  key->walk.clear();
  const ring::Token token{storage::TokenOfKey(key->encoded)};
  for (const ring::MemberIndex member : layout.Walk(layout.PartitionOf(token))) {
    key->walk.push_back(Machines::IndexOf(layout.member(member).id));
  }
}

Cluster::Cluster(const RunOptions& options)
    : Machines(DrawPlan(options.plan), options.bug, options.listener),
      length_(options.length),
      keys_(MakeKeys(plan_, layout_)),
      checker_(&world_, plan_, keys_) {
  checker_.SetRottenNow([this](KeyIndex key) {
    uint64_t copies = 0;
    for (const auto& node : nodes_) copies += node->RottenCopies(keys_[key.value].encoded);
    return copies;
  });
  workload_ = std::make_unique<Workload>(&world_, plan_, keys_, &checker_, this, random_.Fork());
  faults_ = std::make_unique<Faults>(&world_, plan_, this, random_.Fork());
}

Report Cluster::Run() {
  world_.trace.Tell(world_.now, "{}", DescribePlan(plan_));
  for (uint8_t i = 0; i < plan_.nodes; ++i) {
    const int64_t skew_most = plan_.clock_skew_max.count();
    nodes_[i]->SetSkew(milliseconds(
        static_cast<int64_t>(random_.Below(static_cast<uint64_t>(2 * skew_most + 1))) - skew_most));
    if (plan_.drift_ppm_max > 0) {
      nodes_[i]->SetDrift(static_cast<int64_t>(random_.Below(2 * plan_.drift_ppm_max + 1)) -
                          plan_.drift_ppm_max);
    }
    const Duration most = i < plan_.founders ? milliseconds(100) : length_ / 2;
    ScheduleStart(NodeIndex{i}, Duration(random_.Below(static_cast<uint64_t>(most.count()))));
  }
  workload_->Begin();
  faults_->Begin();
  world_.Schedule(kWatchPeriod, Event{.kind = Event::Kind::kPhase, .node = {}, .peer = {}});

  while (phase_ != Phase::kOver && checker_.violation().empty()) {
    Event event{};
    if (TakeEvent(&event)) Dispatch(event);
    ++events_;
  }

  Report report;
  report.seed = plan_.seed;
  report.violation = checker_.violation();
  report.trace_hash = world_.trace.hash();
  report.simulated = world_.now.time_since_epoch();
  report.nodes = plan_.nodes;
  report.events = events_;
  report.messages = network_->delivered();
  report.operations = workload_->operations();
  report.done = workload_->done();
  report.not_done = workload_->not_done();
  report.unknown = workload_->unknown();
  report.replies_checked = checker_.checked();
  report.faults = faults_->counts();
  for (const auto& node : nodes_) {
    for (const wire::Counter& counter : node->Counters()) {
      report.counters[counter.name] += counter.value;
    }
  }
  return report;
}

void Cluster::Dispatch(const Event& event) {
  if (DispatchToMachines(event)) return;
  switch (event.kind) {
    case Event::Kind::kStart:
      return Start(event.node);
    case Event::Kind::kSubmit:
    case Event::Kind::kClient:
    case Event::Kind::kPatience:
      return workload_->OnEvent(event);
    case Event::Kind::kFaultBegins:
    case Event::Kind::kFaultEnds:
      return faults_->OnEvent(event);
    case Event::Kind::kPhase:
      return OnPhase();
    default:
      CHECK(false);
  }
}

// --- Between the parts

void Cluster::Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) {
  world_.trace.Mix(reply);
  workload_->Answered(at, ticket, std::move(reply));
}

void Cluster::Applied(NodeIndex at, const AppliedWrite& write) {
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} applies {}: {}", at.value,
                      write.sibling != nullptr ? Describe(write.sibling->dot) : "a delete",
                      DescribeRecord(write.record));
  }
  checker_.Applied(at, nodes_[at.value]->life(), write);
}

void Cluster::Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) {
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} drops {}, {}", at.value, storage::DecodeKey(key)->key,
                      DescribeRecord(tombstone));
  }
  checker_.Reaped(key, tombstone);
}

void Cluster::Learnt(NodeIndex at, const ring::LayoutHistory& layouts) {
  uint64_t& newest_before = newest_known_[at.value];
  if (newest_before < layouts.newest().version()) checker_.HistoryMayBegin();
  newest_before = layouts.newest().version();
  for (const ring::Layout& layout : layouts.live()) {
    const auto [known, fresh] = layouts_.emplace(layout.version(), layout);
    if (known->second.digest() != layout.digest()) {
      checker_.Fail(
          fmt::format("n{} knows another layout {} than others", at.value, layout.version()));
    }
    if (!fresh) continue;
    for (const ring::Member& member : layout.members()) {
      const SimNode& node = *nodes_[IndexOf(member.id).value];
      if (node.id() != member.id || !node.waits() || called_.contains(member.id)) continue;
      checker_.Fail(fmt::format("{} waits, and was let in by no order", member.name));
    }
    const auto before = layouts_.find(layout.version() - 1);
    if (before != layouts_.end()) CheckSuccession(before->second, layout);
  }
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} knows {}", at.value, Describe(layouts));
  }
}

// Where one node was told to take over from another one, with its weight and zone, and nothing else
// has changed, the one owns what the other did, and nothing else has moved.
void Cluster::CheckSuccession(const ring::Layout& before, const ring::Layout& after) {
  const ring::Member* went = nullptr;
  const ring::Member* came = nullptr;
  for (const ring::Member& member : before.members()) {
    const ring::Member* now = after.Find(member.id);
    if (now != nullptr && now->weight == member.weight && now->zone == member.zone) continue;
    if (went != nullptr || (now != nullptr && now->weight != 0)) return;
    went = &member;
  }
  for (const ring::Member& member : after.members()) {
    if (before.Find(member.id) != nullptr) continue;
    if (came != nullptr) return;
    came = &member;
  }
  if (went == nullptr || came == nullptr) return;
  const auto told = successors_.find(went->id);
  const bool lost = IndexOf(went->id) == IndexOf(came->id);  // and its machine came back
  if (!lost && (told == successors_.end() || told->second != came->id)) return;
  if (went->weight != came->weight || went->zone != came->zone) return;
  for (uint32_t i = 0; i < before.partition_count(); ++i) {
    const ring::PartitionId partition{i};
    const NodeId owned = before.member(before.OwnerOf(partition)).id;
    const NodeId owns = after.member(after.OwnerOf(partition)).id;
    if (owns == (owned == went->id ? came->id : owned)) continue;
    return checker_.Fail(
        fmt::format("{} came for {}, and partition {} went elsewhere", came->name, went->name, i));
  }
}

bool Cluster::Submit(NodeIndex node, uint64_t ticket, wire::ClientRequest request) {
  SimNode& target = *nodes_[node.value];
  if (!target.running() || target.stopping()) return false;
  target.Submit(ticket, std::move(request));
  return true;
}

std::optional<VirtualTime> Cluster::AwakeSince(NodeIndex node) const {
  const SimNode& target = *nodes_[node.value];
  if (target.paused(world_.now)) return std::nullopt;
  return target.paused_until();
}

// --- Processes

void Cluster::Start(NodeIndex node) {
  SimNode& target = *nodes_[node.value];
  if (target.running()) return;
  checker_.HistoryMayBegin();
  if (!target.Start()) return ScheduleStart(node, milliseconds(300));
  if (plan_.mixed) {
    network_->SetVersion(node, random_.Chance(1, 2) ? Version::kNext : Version::kThis);
  }
  world_.trace.Tell(world_.now, "n{} starts", node.value);
  network_->ProcessUp(node);
}

void Cluster::TakeDown(NodeIndex node, Fault how) {
  SimNode& target = *nodes_[node.value];
  world_.trace.Tell(world_.now, "n{} goes down: {}", node.value,
                    kFaultNames[static_cast<size_t>(how)]);
  switch (how) {
    case Fault::kCleanStop:
      return target.BeginStop();
    case Fault::kKill:
      target.Kill();
      checker_.ProcessLost(node);
      return ProcessGone(node, false);
    case Fault::kPowerLoss:
      target.PowerLoss();
      checker_.PowerLost(node);
      return ProcessGone(node, true);
    case Fault::kWipe:
      target.PowerLoss();
      checker_.DiskLost(node);
      ProcessGone(node, true);
      return target.Rebirth(true);
    default:
      CHECK(false);
  }
}

void Cluster::Stopped(NodeIndex at, bool clean) {
  world_.trace.Tell(world_.now, "n{} has stopped{}", at.value, clean ? "" : ", but not in order");
  if (!clean) checker_.ProcessLost(at);
  ProcessGone(at, false);
  const auto least = static_cast<uint64_t>(plan_.faults.lasts.least.count());
  ScheduleStart(at, Duration(random_.Between(least, 4 * least)));
}

void Cluster::ProcessGone(NodeIndex node, bool abrupt) {
  network_->ProcessDown(node, abrupt);
  workload_->ProcessGone(node, nodes_[node.value]->life());
}

// Not while the place of one that was lost is empty still.
bool Cluster::MayLose() const {
  const ring::Layout* newest = NewestLayout();
  if (newest == nullptr || newest->members().size() < 3) return false;
  // Nor while only few know of the newest layout, or where too many would be live at once.
  size_t knowing = 0;
  for (const ring::Member& member : newest->members()) {
    const SimNode& node = *nodes_[IndexOf(member.id).value];
    if (node.id() != member.id) return false;
    const ring::LayoutHistory* layouts = node.layouts();
    if (layouts == nullptr || layouts->newest().version() != newest->version()) continue;
    if (layouts->live().size() > 2) return false;
    ++knowing;
  }
  // Without the lost one, those that know must be a majority still.
  return (knowing - 1) * 2 > newest->members().size();
}

bool Cluster::Leave(NodeIndex node) {
  const ring::Layout* newest = NewestLayout();
  SimNode& target = *nodes_[node.value];
  if (newest == nullptr || newest->Find(target.id()) == nullptr || !target.running()) return false;
  const auto staying = std::ranges::count_if(
      newest->members(), [](const ring::Member& member) { return !member.leaving; });
  // One that is ordered and not yet decided counts as well.
  size_t ordered = 0;
  for (const auto& other : nodes_) ordered += other->orders();
  if (static_cast<size_t>(staying) <= 3 + ordered) return false;
  SimNode* asked = DrawOrderTaker();
  if (asked == nullptr) return false;
  successors_.erase(target.id());
  return Tell(asked, {.kind = ring::LayoutChange::Kind::kLeave, .id = target.id(), .member = {}});
}

SimNode* Cluster::DrawOrderTaker() {
  for (uint32_t tries = 0; tries < plan_.nodes; ++tries) {
    SimNode& asked = *nodes_[random_.Below(plan_.nodes)];
    if (asked.ready() && !asked.stopping()) return &asked;
  }
  return nullptr;
}

bool Cluster::Replace(NodeIndex node) {
  const ring::Layout* newest = NewestLayout();
  const SimNode& target = *nodes_[node.value];
  const ring::Member* old = newest == nullptr ? nullptr : newest->Find(target.id());
  if (old == nullptr || old->leaving || !target.running()) return false;
  const auto spare = std::ranges::find_if(nodes_, [&](const auto& each) { return IsSpare(*each); });
  if (spare == nodes_.end()) return false;
  SimNode* asked = DrawOrderTaker();
  if (asked == nullptr) return false;
  called_.insert((*spare)->id());
  successors_[target.id()] = (*spare)->id();
  return Tell(asked, {.kind = ring::LayoutChange::Kind::kTakeOver,
                      .id = target.id(),
                      .member = (*spare)->member()});
}

bool Cluster::Tell(SimNode* asked, const ring::LayoutChange& change) {
  return random_.Chance(1, 2) ? asked->Order(change).has_value() : asked->Stage(change);
}

void Cluster::CommitStaged() {
  using Kind = ring::LayoutChange::Kind;
  if (!plan_.MembersChange() || !random_.Chance(1, 8)) return;
  SimNode* asked = DrawOrderTaker();
  const std::vector<ring::LayoutChange> staged =
      asked == nullptr ? std::vector<ring::LayoutChange>() : asked->staged();
  if (staged.empty()) return;
  // Enough must stay, as where they leave at once.
  const auto staying = std::ranges::count_if(
      NewestLayout()->members(), [](const ring::Member& member) { return !member.leaving; });
  size_t going =
      static_cast<size_t>(std::ranges::count(staged, Kind::kLeave, &ring::LayoutChange::kind));
  for (const auto& other : nodes_) going += other->orders();
  if (random_.Chance(1, 8) || static_cast<size_t>(staying) < 3 + going) return asked->ClearStage();
  for (const ring::LayoutChange& change : staged) {
    if (change.kind == Kind::kLeave) continue;
    called_.insert(change.member.id);
    if (change.kind != Kind::kJoin) continue;
    std::erase_if(successors_, [&](const auto& pair) { return pair.second == change.id; });
  }
  static_cast<void>(asked->Commit());
}

void Cluster::LetIn(bool all) {
  if (plan_.joining == Plan::Joining::kFreely) return;
  for (const auto& node : nodes_) {
    if (!IsSpare(*node) || !(all || random_.Chance(1, 16))) continue;
    SimNode* asked = DrawOrderTaker();
    if (asked == nullptr) return;
    called_.insert(node->id());
    std::erase_if(successors_, [&](const auto& pair) { return pair.second == node->id(); });
    static_cast<void>(asked->Order(
        {.kind = ring::LayoutChange::Kind::kJoin, .id = node->id(), .member = node->member()}));
  }
}

void Cluster::BearAgain() {
  for (uint8_t i = 0; i < plan_.nodes; ++i) {
    SimNode& node = *nodes_[i];
    const ring::LayoutHistory* layouts = node.layouts();
    if (layouts == nullptr || layouts->newest().Find(node.id()) != nullptr) continue;
    // It is patient: of two members, one could not find out by itself that the other has gone.
    const bool known = std::ranges::any_of(nodes_, [&](const auto& other) {
      return other->layouts() != nullptr && other->id() != node.id() &&
             other->layouts()->newest().Find(node.id()) == nullptr &&
             other->layouts()->newest().Find(other->id()) != nullptr;
    });
    if (!known) continue;
    world_.trace.Tell(world_.now, "n{} is out, and becomes another node", i);
    node.Kill();
    ProcessGone(NodeIndex{i}, false);
    node.Rebirth(false);
    ScheduleStart(NodeIndex{i}, Duration(random_.Below(2'000'000)));
  }
}

void Cluster::FailStore(NodeIndex node) {
  world_.trace.Tell(world_.now, "n{}'s disk will fail", node.value);
  checker_.HistoryMayBegin();
  nodes_[node.value]->FailNextCalls();
}

bool Cluster::Rot(NodeIndex node) {
  // Where there is one replica only, nobody could mend it.
  const auto key = nodes_[node.value]->RotOne([&](const std::string& encoded) {
    const auto named = std::ranges::find(keys_, encoded, &SimKey::encoded);
    return named != keys_.end() &&
           checker_.ReplicasOf(KeyIndex{static_cast<uint32_t>(named - keys_.begin())}) > 1;
  });
  if (!key) return false;
  const auto named = storage::DecodeKey(*key);
  world_.trace.Tell(world_.now, "n{}'s record of {}/{} rots", node.value, named->bucket,
                    named->key);
  checker_.RecordLost(*key);
  return true;
}

Report RunWorld(const RunOptions& options) { return Cluster(options).Run(); }

}  // namespace eddy::sim
