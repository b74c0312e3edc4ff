#include "node/node.h"

#include <utility>

#include <fmt/core.h>

#include "node/core.h"

namespace eddy::node {

Node::Node(NodeOptions options, BucketTable buckets, ring::Member self, storage::Identity identity,
           Random random)
    : core_(std::make_unique<Core>(std::move(options), std::move(buckets), std::move(self),
                                   std::move(identity), random)) {}
Node::~Node() = default;

void Node::Submit(Now now, uint64_t ticket, wire::ClientRequest request) {
  const Origin origin{
      .forwarder = std::nullopt, .id = ticket, .request = request.id, .since = now.monotonic};
  core_->Coordinate(now, origin, std::move(request));
}

void Node::Receive(Now now, NodeId from, wire::PeerMessage message) {
  core_->Receive(now, from, std::move(message));
}

void Node::ReceivePacket(Now now, const gossip::Address& from, std::string_view packet) {
  core_->ReceivePacket(now, from, packet);
}

void Node::Complete(Now now, storage::StoreResult result) {
  core_->Complete(now, std::move(result));
}

void Node::PeerUp(Now now, NodeId peer) {
  if (const auto index = core_->peers.Meet(peer)) core_->PeerUp(now, *index);
}

void Node::PeerDown(Now now, NodeId peer) {
  if (const auto index = core_->peers.Find(peer)) core_->PeerDown(now, *index);
}

void Node::NoRoom(bool refused) { core_->no_room = refused; }

void Node::Tick(Now now) { core_->Tick(now); }

void Node::BeginStop(Now now) { core_->BeginStop(now); }

void Node::TakeEffects(Effects* effects) {
  effects->clear();
  if (!core_->effects.empty()) effects->swap(core_->effects);
}

bool Node::Ready(std::string_view* reason) const { return core_->Ready(reason); }
lattice::History Node::history() const { return core_->lease.history(); }
size_t Node::operations_in_flight() const { return core_->operations(); }
std::array<TableSize, Node::kTables> Node::Tables() const { return core_->Tables(); }
size_t Node::background_in_flight() const { return core_->background.in_flight(); }
std::optional<MonotonicTime> Node::equal_since() const {
  return core_->background.anti_entropy().EqualSince();
}
bool Node::compares() const { return core_->background.anti_entropy().enabled(); }
size_t Node::trees_known() const { return core_->background.trees().known(); }
size_t Node::trees_wanted() const { return core_->background.trees().wanted(); }
size_t Node::trees_missing() const { return core_->background.trees().missing(); }
std::optional<uint32_t> Node::scrubbing() const { return core_->background.reaper().passing(); }
unsigned Node::background_percent() const {
  return static_cast<unsigned>(core_->budget.share() * 100 / BackgroundBudget::kWhole);
}
uint64_t Node::background_bytes_per_second() const { return core_->budget.bytes_per_second(); }
NodeFilling Node::Filling() const { return core_->background.anti_entropy().Filling(core_->peers); }
size_t Node::partitions_to_hand_over() const { return core_->background.partitions_to_hand_over(); }
std::vector<SyncState> Node::SyncStates() const {
  return core_->background.anti_entropy().States();
}
size_t Node::StartSync(Now now, std::optional<uint32_t> partition) {
  return core_->background.StartSync(now.monotonic, partition);
}
size_t Node::StopSyncs(Now now) { return core_->background.StopSyncs(now.monotonic); }
size_t Node::syncs_asked() const { return core_->background.anti_entropy().asked(); }
size_t Node::syncs_left() const { return core_->background.anti_entropy().asked_left(); }
const HintBook& Node::hint_book() const { return core_->hints; }
uint64_t Node::life() const { return core_->lease.lease().boot; }
const ring::Layout& Node::layout() const { return core_->topology.layout(); }
const ring::LayoutHistory* Node::layouts() const { return core_->membership.history(); }
uint64_t Node::layout_changes() const { return core_->membership.changes(); }
Status Node::Order(std::span<const ring::LayoutChange> changes) {
  return core_->membership.Order(changes);
}
std::vector<ring::LayoutChange> Node::StagedWith(
    std::span<const ring::LayoutChange> changes) const {
  return core_->membership.StageWith(changes).changes();
}
Status Node::Stage(Now now, std::span<const ring::LayoutChange> changes) {
  return core_->Stage(now, changes);
}
Status Node::Commit(Now now, Digest plan) { return core_->Commit(now, plan); }
Status Node::ClearStage(Now now) { return core_->ClearStage(now); }
Status Node::Force(Now now, std::span<const ring::LayoutChange> changes) {
  return core_->Force(now, changes);
}
const std::vector<ring::LayoutChange>& Node::orders() const { return core_->membership.orders(); }
Result<ring::Plan> Node::PlanOf(std::span<const ring::LayoutChange> changes) const {
  return core_->membership.PlanOf(changes);
}
std::vector<ring::Member> Node::Askers() const { return core_->membership.Askers(); }
size_t Node::fills() const { return core_->background.anti_entropy().fills(); }
size_t Node::filled() const { return core_->background.anti_entropy().filled(); }
size_t Node::damaged_partitions() const { return core_->background.mender().partitions(); }
size_t Node::damaged_ranges() const { return core_->background.mender().ranges(); }
bool Node::handed_over() const { return core_->background.HandedOver(); }
std::vector<NodeId> Node::HintOwners() const {
  std::vector<NodeId> owners;
  for (const auto& [owner, notes] : core_->hints.notes()) owners.push_back(owner);
  return owners;
}
NodeId Node::id() const { return core_->id(); }
ActorId Node::actor() const { return core_->lease.actor(); }

bool Node::Reachable(NodeId peer) const {
  const auto index = core_->peers.Find(peer);
  return index && core_->peers.Reachable(*index);
}

const gossip::Swim* Node::swim() const { return core_->gossiper.swim(); }

std::vector<wire::Counter> Node::Counters() const {
  std::vector<wire::Counter> counters;
  counters.reserve(kCountNames.size());
  for (size_t i = 0; i < kCountNames.size(); ++i) {
    counters.push_back({std::string(kCountNames[i]), core_->counters.values()[i]});
  }
  if (const gossip::Swim* swim = core_->gossiper.swim()) {
    for (size_t i = 0; i < gossip::kCountNames.size(); ++i) {
      counters.push_back(
          {fmt::format("gossip_{}", gossip::kCountNames[i]), swim->counters().values()[i]});
    }
  }
  return counters;
}

}  // namespace eddy::node
