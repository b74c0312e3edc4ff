// Where the replicas of one key are, as the coordinator of one request sees it (Dynamo, sections
// 4.3 and 4.6): settled when the request begins and true for it until it ends, whatever happens to
// the layouts meanwhile. A plain value.
#pragma once

#include <bit>
#include <cstdint>

#include "base/inline_vector.h"
#include "node/peers.h"
#include "ring/layout.h"
#include "ring/layout_history.h"

namespace eddy::node {

// Places of a placement, one bit each.
using PlaceMask = uint64_t;

struct Placement {
  // Layouts that writes go by at the same time: one, and more while data moves.
  static constexpr size_t kLayoutsMax = ring::LayoutHistory::kLiveMax;
  static constexpr size_t kPlacesMax = kLayoutsMax * ring::kWalkMax;
  static_assert(kPlacesMax <= 64);

  // A preference list that a write must find its quorum in.
  struct WriteSet {
    PlaceMask places = 0;
    uint8_t w = 0;
  };

  // The owners, each once; a place in here is what operations count by. First the preference list
  // that reads go by, `readers` of them, then those that newer layouts add.
  InlineVector<PeerIndex, kPlacesMax> replicas;
  uint8_t readers = 0;
  // One for each live layout; the first is that of the readers.
  InlineVector<WriteSet, kLayoutsMax> write_sets;
  // Who stands in for an owner that cannot be reached, in the order of the walk: the nodes behind
  // the preference list, none of them an owner.
  InlineVector<PeerIndex, ring::kWalkMax> stand_ins;

  // replicas.size() if the peer owns nothing of this.
  size_t PlaceOf(PeerIndex peer) const {
    return static_cast<size_t>(std::ranges::find(replicas, peer) - replicas.begin());
  }
  bool IsReplica(PeerIndex peer) const { return PlaceOf(peer) != replicas.size(); }
  bool IsStandIn(PeerIndex peer) const {
    return std::ranges::find(stand_ins, peer) != stand_ins.end();
  }

  // Whether these places are a quorum of every layout.
  bool IsWriteQuorum(PlaceMask places) const {
    return std::ranges::all_of(write_sets, [&](const WriteSet& set) {
      return std::popcount(places & set.places) >= set.w;
    });
  }
  // How many there are where there are fewest: what a client is told to compare with w.
  uint8_t Fewest(PlaceMask places) const {
    int fewest = static_cast<int>(kPlacesMax);
    for (const WriteSet& set : write_sets) {
      fewest = std::min(fewest, std::popcount(places & set.places));
    }
    return static_cast<uint8_t>(fewest);
  }
};

inline PlaceMask PlaceBit(size_t place) { return PlaceMask{1} << place; }

}  // namespace eddy::node
