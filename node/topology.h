// What this node knows of who holds what: the layout, with its members as peers, and for each key
// and request the placement that follows from it. Part of the node, on its thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "node/bucket.h"
#include "node/peers.h"
#include "node/placement.h"
#include "ring/layout.h"
#include "ring/token.h"
#include "wire/client_message.h"

namespace eddy::node {

class Topology {
 public:
  // `peers` outlives this, and meets the layout's members.
  Topology(ring::Layout layout, Peers* peers);

  const ring::Layout& layout() const { return layout_; }
  // The other members, whether they can be reached or not.
  std::span<const PeerIndex> others() const { return others_; }
  bool IsMember(PeerIndex peer) const;
  // Who has the replicas of a partition's keys where they have n: the preference list.
  std::vector<PeerIndex> Owners(ring::PartitionId partition, uint8_t n) const;

  struct Placed {
    Quorum quorum;
    Placement placement;
  };
  // kInvalidArgument for a quorum that the key's replicas can never give.
  Result<Placed> Place(ring::Token token, const BucketProperties& bucket,
                       const wire::QuorumOptions& request) const;

 private:
  ring::Layout layout_;
  std::vector<PeerIndex> peer_of_;  // by member index
  std::vector<PeerIndex> others_;
};

}  // namespace eddy::node
