#include "sim/machines.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "ring/planner.h"

namespace eddy::sim {

namespace {

constexpr uint64_t kNodeIdHigh = 0x5eed;

ring::Member MemberAt(const Plan& plan, uint8_t index) {
  ring::Member member;
  member.id = NodeId{kNodeIdHigh, uint64_t{index} + 1};
  member.name = fmt::format("n{}", index);
  member.doors.host = member.name;
  member.doors.peer = 7401;
  member.zone = fmt::format("z{}", index % plan.zones);
  return member;
}

ring::Layout MakeLayout(const Plan& plan) {
  ring::PlanRequest request;
  request.partition_bits = plan.partition_bits;
  for (uint8_t i = 0; i < plan.founders; ++i) request.members.push_back(MemberAt(plan, i));
  auto planned = ring::PlanLayout(std::move(request));
  CHECK(planned.has_value());
  return std::move(planned->layout);
}

node::BucketTable MakeBuckets(const Plan& plan) {
  node::BucketTable buckets;
  for (const BucketPlan& bucket : plan.buckets) {
    CHECK(buckets.Set(bucket.name, bucket.properties).has_value());
  }
  return buckets;
}

bool IsForProcess(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::kArrival:
    case Event::Kind::kPacket:
    case Event::Kind::kPeerUp:
    case Event::Kind::kPeerDown:
    case Event::Kind::kTick:
    case Event::Kind::kStoreTurn:
    case Event::Kind::kStoreCommit:
    case Event::Kind::kSyncDone:
    case Event::Kind::kFetched:
    case Event::Kind::kStopCheck:
    case Event::Kind::kSubmit:
      return true;
    default:
      return false;
  }
}

}  // namespace

Machines::Machines(Plan plan, PlantedBug bug, Trace::Listener listener)
    : world_(Trace(std::move(listener))),
      plan_(std::move(plan)),
      // Any other function of the seed than the plan's own.
      random_(~plan_.seed),
      layout_(MakeLayout(plan_)),
      buckets_(MakeBuckets(plan_)),
      bug_(bug) {
  network_ = std::make_unique<Network>(&world_, plan_.network, plan_.nodes, plan_.codec,
                                       random_.Fork(), this);
  for (uint8_t i = 0; i < plan_.nodes; ++i) {
    nodes_.push_back(std::make_unique<SimNode>(
        SimNode::Setting{.world = &world_,
                         .listener = this,
                         .index = NodeIndex{i},
                         .member = MemberAt(plan_, i),
                         .plan = &plan_,
                         .founding = i < plan_.founders ? &layout_ : nullptr,
                         .buckets = &buckets_,
                         .bug = bug},
        random_.Fork()));
  }
}

bool Machines::TakeEvent(Event* event) {
  CHECK(!world_.queue.empty());
  world_.now = world_.queue.next_time();
  *event = world_.queue.Pop();
  world_.trace.Mix(world_.now, *event);
  if (!IsForProcess(event->kind)) return true;
  const SimNode& node = At(event->node);
  if (!node.paused(world_.now)) return true;
  world_.queue.Push(node.paused_until(), *event);
  return false;
}

bool Machines::DispatchToMachines(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kArrival:
    case Event::Kind::kPacket:
    case Event::Kind::kPeerUp:
    case Event::Kind::kPeerDown:
    case Event::Kind::kConnect:
    case Event::Kind::kStalled:
      network_->OnEvent(event);
      return true;
    case Event::Kind::kTick:
    case Event::Kind::kStoreTurn:
    case Event::Kind::kStoreCommit:
    case Event::Kind::kSyncDone:
    case Event::Kind::kFetched:
    case Event::Kind::kStopCheck:
      At(event.node).OnEvent(event);
      return true;
    default:
      return false;
  }
}

void Machines::Deliver(NodeIndex to, NodeIndex from, wire::PeerMessage message) {
  const bool newer = network_->VersionOf(from) > network_->VersionOf(to);
  if (bug_ == PlantedBug::kNewerRefused && newer) return;
  At(to).Receive(At(from).id(), std::move(message));
}

void Machines::DeliverDatagram(NodeIndex to, NodeIndex from, std::string bytes) {
  At(to).ReceiveDatagram(At(from).address(), bytes);
}

void Machines::PeerUp(NodeIndex at, NodeIndex peer) {
  if (!At(at).running()) return;
  world_.trace.Tell(world_.now, "n{} reaches n{}", at.value, peer.value);
  At(at).PeerUp(At(peer).id());
}

void Machines::PeerDown(NodeIndex at, NodeIndex peer) {
  if (!At(at).running()) return;
  world_.trace.Tell(world_.now, "n{} has lost n{}", at.value, peer.value);
  At(at).PeerDown(At(peer).id());
}

void Machines::Sent(NodeIndex from, NodeId to, wire::PeerMessage message) {
  // Nobody else answers to the name of a node that is no more.
  if (At(IndexOf(to)).id() != to) return;
  network_->Send(from, IndexOf(to), std::move(message));
}

void Machines::SentDatagram(NodeIndex from, const gossip::Address& to, std::string bytes) {
  const auto at = std::ranges::find(nodes_, to, [](const auto& node) { return node->address(); });
  if (at == nodes_.end()) return Wrong("gossip went to an address that nobody has");
  network_->SendDatagram(from, NodeIndex{static_cast<uint8_t>(at - nodes_.begin())},
                         std::move(bytes));
}

void Machines::Overfull(NodeIndex at, const node::TableSize& table) {
  Wrong(fmt::format("n{} keeps {} {}, of which it may keep {}", at.value, table.size, table.table,
                    table.most));
}

void Machines::ScheduleStart(NodeIndex node, Duration after) {
  world_.Schedule(after, Event{.kind = Event::Kind::kStart, .node = node, .peer = {}});
}

const ring::Layout* Machines::NewestLayout() const {
  const ring::Layout* newest = nullptr;
  for (const auto& node : nodes_) {
    const ring::LayoutHistory* layouts = node->layouts();
    if (layouts == nullptr) continue;
    if (newest == nullptr || newest->version() < layouts->newest().version()) {
      newest = &layouts->newest();
    }
  }
  return newest;
}

bool Machines::KnowEachOther() const {
  return std::ranges::all_of(nodes_, [&](const auto& node) {
    return std::ranges::all_of(
        nodes_, [&](const auto& other) { return node == other || node->Believes(other->id()); });
  });
}

bool Machines::IsSpare(const SimNode& node) const {
  return node.running() && !node.stopping() && node.layouts() == nullptr;
}

}  // namespace eddy::sim
