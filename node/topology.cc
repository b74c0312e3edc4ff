#include "node/topology.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::node {

Topology::Topology(ring::Layout layout, Peers* peers) : layout_(std::move(layout)) {
  for (const ring::Member& member : layout_.members()) {
    const auto peer = peers->Meet(member.id);
    CHECK(peer.has_value());  // a layout has far fewer members than there is room for
    peer_of_.push_back(*peer);
    if (*peer != kSelf) others_.push_back(*peer);
  }
  // The shell refuses to start a node that is not in its layout.
  CHECK(others_.size() + 1 == peer_of_.size());
}

bool Topology::IsMember(PeerIndex peer) const {
  return std::ranges::find(peer_of_, peer) != peer_of_.end();
}

std::vector<PeerIndex> Topology::Owners(ring::PartitionId partition, uint8_t n) const {
  std::vector<PeerIndex> owners;
  for (const ring::MemberIndex member : layout_.PreferenceList(partition, n)) {
    owners.push_back(peer_of_[member.value]);
  }
  return owners;
}

Result<Topology::Placed> Topology::Place(ring::Token token, const BucketProperties& bucket,
                                         const wire::QuorumOptions& request) const {
  const ring::PartitionId partition = layout_.PartitionOf(token);
  const auto walk = layout_.Walk(partition);
  const auto quorum = ResolveQuorum(bucket, request, walk.size());
  if (!quorum) return std::unexpected(quorum.error());
  Placed placed{.quorum = *quorum, .placement = {}};
  Placement& placement = placed.placement;
  const size_t owners = layout_.PreferenceList(partition, quorum->n).size();
  for (size_t i = 0; i < walk.size(); ++i) {
    const PeerIndex peer = peer_of_[walk[i].value];
    if (i < owners) {
      placement.replicas.push_back(peer);
    } else {
      placement.stand_ins.push_back(peer);
    }
  }
  placement.readers = static_cast<uint8_t>(owners);
  placement.write_sets.push_back({.places = PlaceBit(owners) - 1, .w = quorum->w});
  return placed;
}

}  // namespace eddy::node
