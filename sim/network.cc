#include "sim/network.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sim/next_version.h"
#include "wire/frame.h"

namespace eddy::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// How long an end that lives may take to see that a connection broke: at once where the other end
// closed it, later where it fell silent.
constexpr Duration kNoticeClosed = milliseconds(5);
constexpr Duration kNoticeSilent = milliseconds(3'000);

// A FlatBuffer is read where it is aligned.
class Aligned {
 public:
  explicit Aligned(std::string_view bytes) : words_((bytes.size() + 7) / 8), size_(bytes.size()) {
    std::ranges::copy(bytes, reinterpret_cast<char*>(words_.data()));
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(words_.data()), size_}; }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

}  // namespace

Network::Network(World* world, const NetworkPlan& plan, uint32_t nodes, bool codec, Random random,
                 NetworkListener* listener)
    : world_(world),
      plan_(plan),
      nodes_(nodes),
      codec_(codec),
      listener_(listener),
      random_(random),
      directions_(nodes * nodes),
      connections_(nodes * nodes) {}

Duration Network::Draw(const Span& span) {
  return Duration(random_.Between(static_cast<uint64_t>(span.least.count()),
                                  static_cast<uint64_t>(span.most.count())));
}

Duration Network::DelayOf(const Direction& direction) {
  return Draw(plan_.delay) + direction.slowed;
}

void Network::Send(NodeIndex from, NodeIndex to, wire::PeerMessage message) {
  world_->trace.Mix(message);
  if (world_->trace.told()) {
    world_->trace.Tell(world_->now, "n{} -> n{} {}", from.value, to.value, Describe(message));
  }
  const Version version = VersionOf(from);
  if ((codec_ || version == Version::kNext) && !PassCodec(version, &message)) {
    ++lost_;
    return;
  }
  if (!plan_.ordered) {
    return SendPacket(Packet{from, to, IdentitiesOf(from, to), std::move(message)},
                      plan_.lost_per_10000);
  }
  if (!ConnectionOf(from, to).up) {
    ++lost_;
    return;
  }
  ++under_way_;
  DirectionOf(from, to).queue.push_back(std::move(message));
  ScheduleArrival(from, to);
}

void Network::SendDatagram(NodeIndex from, NodeIndex to, std::string bytes) {
  world_->trace.Mix(bytes);
  SendPacket(Packet{from, to, 0, std::move(bytes)},
             plan_.lost_per_10000 + plan_.datagrams_lost_per_10000);
}

// Gives the message as the other side of a socket would get it; false where eddyd would drop it.
bool Network::PassCodec(Version version, wire::PeerMessage* message) {
  std::string bytes;
  if (!encoder_.AppendPeerMessage(*message, &bytes)) return false;
  const Aligned input(bytes);
  const auto frame = wire::ParseFrame(input.view(), wire::kPayloadBytesMax);
  CHECK(frame.has_value() && frame->has_value() && (*frame)->size == bytes.size());
  const std::string_view payload = (*frame)->payload;
  auto decoded = version == Version::kThis
                     ? wire::DecodePeerMessage(payload)
                     : wire::DecodePeerMessage(Aligned(InNextVersion(payload)).view());
  CHECK(decoded.has_value());
  CHECK(*decoded == *message);
  *message = *std::move(decoded);
  return true;
}

void Network::ScheduleArrival(NodeIndex from, NodeIndex to) {
  Direction& direction = DirectionOf(from, to);
  direction.last_arrival = std::max(direction.last_arrival, world_->now + DelayOf(direction));
  world_->queue.Push(direction.last_arrival, Event{.kind = Event::Kind::kArrival,
                                                   .node = to,
                                                   .peer = from,
                                                   .argument = ConnectionOf(from, to).number});
}

void Network::Arrive(NodeIndex from, NodeIndex to, uint64_t connection) {
  if (ConnectionOf(from, to).number != connection || !ConnectionOf(from, to).up) return;
  Direction& direction = DirectionOf(from, to);
  if (direction.cuts > 0) {
    ++direction.owed;
    return;
  }
  wire::PeerMessage message = std::move(direction.queue.front());
  direction.queue.pop_front();
  --under_way_;
  // A process hears of a connection before it hears anything over it.
  TellUp(to, from, connection);
  Hand(from, to, std::move(message));
}

void Network::SendPacket(Packet packet, uint32_t lost_per_10000) {
  const NodeIndex from = packet.from;
  const NodeIndex to = packet.to;
  const uint32_t lost = lost_per_10000 + storm_lost_;
  const uint32_t repeated = plan_.repeated_per_10000 + storm_repeated_;
  if (DirectionOf(from, to).cuts > 0 || random_.Chance(lost, 10'000)) {
    ++lost_;
    return;
  }
  const int copies = random_.Chance(repeated, 10'000) ? 2 : 1;
  for (int copy = 1; copy <= copies; ++copy) {
    uint64_t number = packets_.size();
    if (packets_free_.empty()) {
      packets_.emplace_back();
    } else {
      number = packets_free_.back();
      packets_free_.pop_back();
    }
    packets_[number] = copy == copies ? std::move(packet) : packet;
    ++under_way_;
    Duration delay = DelayOf(DirectionOf(from, to));
    if (storm_late_ > Duration{} && random_.Chance(1, 8)) delay += Draw({Duration{}, storm_late_});
    world_->Schedule(
        delay, Event{.kind = Event::Kind::kPacket, .node = to, .peer = from, .argument = number});
  }
}

void Network::ArrivePacket(uint64_t number) {
  Packet packet = std::move(packets_[number]);
  packets_free_.push_back(number);
  --under_way_;
  if (!Runs(packet.to) || DirectionOf(packet.from, packet.to).cuts > 0) {
    ++lost_;
    return;
  }
  if (auto* bytes = std::get_if<std::string>(&packet.content)) {
    return listener_->DeliverDatagram(packet.to, packet.from, std::move(*bytes));
  }
  if (packet.identities != IdentitiesOf(packet.from, packet.to)) {
    ++lost_;
    return;
  }
  Hand(packet.from, packet.to, std::get<wire::PeerMessage>(std::move(packet.content)));
}

void Network::Hand(NodeIndex from, NodeIndex to, wire::PeerMessage message) {
  ++delivered_;
  listener_->Deliver(to, from, std::move(message));
}

void Network::ProcessUp(NodeIndex node) {
  runs_[node.value] = true;
  for (uint8_t i = 0; i < nodes_; ++i) {
    const NodeIndex peer{i};
    if (peer == node || !Runs(peer)) continue;
    Connection& connection = ConnectionOf(node, peer);
    if (connection.connecting) continue;
    connection.connecting = true;
    world_->Schedule(Draw(plan_.delay),
                     Event{.kind = Event::Kind::kConnect, .node = node, .peer = peer});
  }
}

void Network::ProcessDown(NodeIndex node, bool abrupt) {
  runs_[node.value] = false;
  for (uint8_t i = 0; i < nodes_; ++i) {
    const NodeIndex peer{i};
    if (peer == node) continue;
    DirectionOf(peer, node).told = 0;
    Break(node, peer, abrupt ? kNoticeSilent : kNoticeClosed);
  }
}

void Network::Connect(NodeIndex a, NodeIndex b) {
  Connection& connection = ConnectionOf(a, b);
  connection.connecting = false;
  if (connection.up || !Runs(a) || !Runs(b)) return;
  if (DirectionOf(a, b).cuts > 0 || DirectionOf(b, a).cuts > 0) {
    connection.connecting = true;
    world_->Schedule(Draw(plan_.reconnect),
                     Event{.kind = Event::Kind::kConnect, .node = a, .peer = b});
    return;
  }
  connection.up = true;
  connection.number = next_connection_++;
  for (const auto& [at, peer] : {std::pair(a, b), std::pair(b, a)}) {
    DirectionOf(peer, at).last_arrival = world_->now;
    world_->Schedule(
        Draw(plan_.delay),
        Event{
            .kind = Event::Kind::kPeerUp, .node = at, .peer = peer, .argument = connection.number});
  }
}

void Network::Break(NodeIndex a, NodeIndex b, Duration notice_most) {
  Connection& connection = ConnectionOf(a, b);
  if (!connection.up) return;
  connection.up = false;
  for (const auto& [at, peer] : {std::pair(a, b), std::pair(b, a)}) {
    Direction& direction = DirectionOf(peer, at);
    if (plan_.ordered) {
      lost_ += direction.queue.size();
      under_way_ -= direction.queue.size();
      direction.queue.clear();
      direction.owed = 0;
    }
    if (!Runs(at)) continue;
    world_->Schedule(Draw({Duration{}, notice_most}), Event{.kind = Event::Kind::kPeerDown,
                                                            .node = at,
                                                            .peer = peer,
                                                            .argument = connection.number});
  }
  if (!connection.connecting && Runs(a) && Runs(b)) {
    connection.connecting = true;
    world_->Schedule(Draw(plan_.reconnect),
                     Event{.kind = Event::Kind::kConnect, .node = a, .peer = b});
  }
}

void Network::TellUp(NodeIndex at, NodeIndex peer, uint64_t connection) {
  Direction& direction = DirectionOf(peer, at);
  if (direction.told == connection) return;
  if (direction.told != 0) listener_->PeerDown(at, peer);
  direction.told = connection;
  listener_->PeerUp(at, peer);
}

void Network::TellDown(NodeIndex at, NodeIndex peer, uint64_t connection) {
  Direction& direction = DirectionOf(peer, at);
  if (direction.told != connection) return;
  direction.told = 0;
  listener_->PeerDown(at, peer);
}

void Network::Cut(NodeIndex from, NodeIndex to) {
  if (DirectionOf(from, to).cuts++ > 0 || !plan_.ordered) return;
  // TCP goes on trying, and gives up after a while.
  world_->Schedule(Draw(plan_.stall_before_reset),
                   Event{.kind = Event::Kind::kStalled,
                         .node = to,
                         .peer = from,
                         .argument = ConnectionOf(from, to).number});
}

void Network::Mend(NodeIndex from, NodeIndex to) {
  Direction& direction = DirectionOf(from, to);
  CHECK(direction.cuts > 0);
  if (--direction.cuts > 0) return;
  for (; direction.owed > 0; --direction.owed) ScheduleArrival(from, to);
}

void Network::Slow(NodeIndex from, NodeIndex to, Duration by) {
  DirectionOf(from, to).slowed += by;
}

void Network::Restore(NodeIndex from, NodeIndex to, Duration by) {
  DirectionOf(from, to).slowed -= by;
}

void Network::Reset(NodeIndex a, NodeIndex b) { Break(a, b, kNoticeClosed); }

void Network::Storm(uint32_t lost_per_10000, uint32_t repeated_per_10000, Duration late) {
  storm_lost_ = lost_per_10000;
  storm_repeated_ = repeated_per_10000;
  storm_late_ = late;
}

void Network::OnEvent(const Event& event) {
  const NodeIndex at = event.node;
  const NodeIndex peer = event.peer;
  const Connection& connection = ConnectionOf(at, peer);
  const bool present = connection.number == event.argument;
  switch (event.kind) {
    case Event::Kind::kArrival:
      return Arrive(peer, at, event.argument);
    case Event::Kind::kPacket:
      return ArrivePacket(event.argument);
    case Event::Kind::kPeerUp:
      if (present && connection.up) TellUp(at, peer, event.argument);
      return;
    case Event::Kind::kPeerDown:
      return TellDown(at, peer, event.argument);
    case Event::Kind::kConnect:
      return Connect(at, peer);
    case Event::Kind::kStalled:
      if (present && DirectionOf(peer, at).cuts > 0) Break(at, peer, kNoticeSilent);
      return;
    default:
      CHECK(false);
  }
}

}  // namespace eddy::sim
