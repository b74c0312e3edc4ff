// What this node goes by of who holds what: the live layouts (ring/layout_history.h), with their
// members as peers, and for each key and request the placement that follows from them. Part of the
// node, on its thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "node/bucket.h"
#include "node/peers.h"
#include "node/placement.h"
#include "ring/layout.h"
#include "ring/layout_history.h"
#include "ring/token.h"
#include "wire/client_message.h"

namespace eddy::node {

class Topology {
 public:
  // Goes by `alone` until there is a history. `peers` outlives this, and meets all members.
  Topology(ring::Layout alone, Peers* peers);

  // From now on goes by these: reads by the live version `reading`, writes by all of them.
  void Relay(const ring::LayoutHistory& history, uint64_t reading);
  // Changes with every Relay: what was placed before may have been placed otherwise.
  uint64_t epoch() const { return epoch_; }

  // That reads go by.
  const ring::Layout& layout() const { return live_[reading_].layout; }
  const ring::Layout& newest() const { return live_.back().layout; }
  // There is but one: nothing moves.
  bool settled() const { return live_.size() == 1; }

  // The other members of the newest layout, whether they can be reached or not.
  std::span<const PeerIndex> others() const { return others_; }
  // Of the newest layout, this node included if it is.
  bool IsMember(PeerIndex peer) const { return Has(peer, kOfNewest); }
  // Of some live layout.
  bool IsKnown(PeerIndex peer) const { return Has(peer, kOfNewest | kOfOlder); }

  // Who holds a partition's keys where they have n replicas: the preference lists of all live
  // layouts together, each owner once.
  std::vector<PeerIndex> Owners(ring::PartitionId partition, uint8_t n) const;
  // From whom this node must copy a partition's keys, because the newest layout gives them to it
  // and an older live one does not: the owners by the older ones that are still members.
  std::vector<PeerIndex> Sources(ring::PartitionId partition, uint8_t n) const;

  struct Placed {
    Quorum quorum;
    Placement placement;
  };
  // kInvalidArgument for a quorum that the key's replicas can never give.
  Result<Placed> Place(ring::Token token, const BucketProperties& bucket,
                       const wire::QuorumOptions& request) const;

 private:
  static constexpr uint8_t kOfNewest = 1;
  static constexpr uint8_t kOfOlder = 2;

  struct Live {
    ring::Layout layout;
    std::vector<PeerIndex> peer_of;  // by member index
  };

  bool Has(PeerIndex peer, uint8_t roles) const {
    return peer.value < roles_.size() && (roles_[peer.value] & roles) != 0;
  }
  void Add(const ring::Layout& layout, uint8_t role);

  Peers* const peers_;
  std::vector<Live> live_;  // oldest first
  size_t reading_ = 0;
  uint64_t epoch_ = 0;
  std::vector<PeerIndex> others_;
  std::vector<uint8_t> roles_;  // by peer
};

}  // namespace eddy::node
