#include "node/topology.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::node {

Topology::Topology(ring::Layout alone, Peers* peers) : peers_(peers) {
  Add(alone, kOfNewest);
  CHECK(others_.empty());
}

void Topology::Add(const ring::Layout& layout, uint8_t role) {
  Live live{.layout = layout, .peer_of = {}};
  for (const ring::Member& member : layout.members()) {
    const auto peer = peers_->Meet(member.id);
    CHECK(peer.has_value());  // layouts have far fewer members than there is room for
    live.peer_of.push_back(*peer);
    if (roles_.size() <= peer->value) roles_.resize(peer->value + size_t{1});
    roles_[peer->value] |= role;
    if (role == kOfNewest && *peer != kSelf) others_.push_back(*peer);
  }
  live_.push_back(std::move(live));
}

void Topology::Relay(const ring::LayoutHistory& history, uint64_t reading) {
  ++epoch_;
  live_.clear();
  others_.clear();
  roles_.clear();
  for (const ring::Layout& layout : history.live()) {
    if (layout.version() == reading) reading_ = live_.size();
    Add(layout, &layout == &history.newest() ? kOfNewest : kOfOlder);
  }
  CHECK(layout().version() == reading);
  // Who was sent away may not know it yet.
  for (uint16_t i = 1; i < peers_->size(); ++i) {
    const PeerIndex peer{i};
    peers_->Shun(peer, Has(peer, kOfOlder) && !IsMember(peer));
  }
}

std::vector<PeerIndex> Topology::Owners(ring::PartitionId partition, uint8_t n) const {
  std::vector<PeerIndex> owners;
  for (const Live& live : live_) {
    for (const ring::MemberIndex member : live.layout.PreferenceList(partition, n)) {
      const PeerIndex owner = live.peer_of[member.value];
      if (std::ranges::find(owners, owner) == owners.end()) owners.push_back(owner);
    }
  }
  return owners;
}

std::vector<PeerIndex> Topology::Sources(ring::PartitionId partition, uint8_t n) const {
  std::vector<PeerIndex> sources;
  bool gained = false;
  for (size_t i = 0; i < live_.size(); ++i) {
    const Live& live = live_[i];
    bool ours = false;
    for (const ring::MemberIndex member : live.layout.PreferenceList(partition, n)) {
      const PeerIndex owner = live.peer_of[member.value];
      if (owner == kSelf) {
        ours = true;
      } else if (i + 1 < live_.size() && IsMember(owner) &&
                 std::ranges::find(sources, owner) == sources.end()) {
        sources.push_back(owner);
      }
    }
    if (i + 1 < live_.size()) {
      gained |= !ours;
    } else if (!ours) {
      return {};
    }
  }
  if (!gained) sources.clear();
  return sources;
}

Result<Topology::Placed> Topology::Place(ring::Token token, const BucketProperties& bucket,
                                         const wire::QuorumOptions& request) const {
  const Live& read = live_[reading_];
  const ring::PartitionId partition = read.layout.PartitionOf(token);
  const auto walk = read.layout.Walk(partition);
  const auto quorum = ResolveQuorum(bucket, request, walk.size());
  if (!quorum) return std::unexpected(quorum.error());
  Placed placed{.quorum = *quorum, .placement = {}};
  Placement& placement = placed.placement;
  const auto add_list = [&](const Live& live, uint8_t w) {
    const auto owners = live.layout.PreferenceList(partition, quorum->n);
    Placement::WriteSet set{.places = 0, .w = w};
    for (const ring::MemberIndex member : owners) {
      const PeerIndex owner = live.peer_of[member.value];
      const size_t place = placement.PlaceOf(owner);
      if (place == placement.replicas.size()) placement.replicas.push_back(owner);
      set.places |= PlaceBit(place);
    }
    placement.write_sets.push_back(set);
  };
  add_list(read, quorum->w);
  placement.readers = static_cast<uint8_t>(placement.replicas.size());
  for (const Live& live : live_) {
    if (&live == &read) continue;
    // Of a layout that has too few members for what was asked, all of them.
    const auto members = live.layout.Walk(partition).size();
    const auto its_own = ResolveQuorum(bucket, request, members);
    const uint8_t w = its_own ? its_own->w : quorum->w;
    add_list(live, static_cast<uint8_t>(std::min<size_t>(w, members)));
  }
  for (const ring::MemberIndex member : walk) {
    const PeerIndex peer = read.peer_of[member.value];
    if (!placement.IsReplica(peer)) placement.stand_ins.push_back(peer);
  }
  return placed;
}

}  // namespace eddy::node
