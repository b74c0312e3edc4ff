// News of members on their way to everybody: each is put into a number of packets that grows with
// the logarithm of the cluster, which infects all members with high probability (SWIM, section
// 4.1). Invariant: one update a member, the newest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "gossip/member.h"

namespace eddy::gossip {

class Broadcasts {
 public:
  // When it is full, what was sent most often makes room.
  explicit Broadcasts(size_t updates_max) : updates_max_(updates_max) {}

  // Takes the place of what was there of the same member, and is sent as often as if that had not
  // been there.
  void Push(Update update);
  bool Holds(NodeId id) const { return places_.contains(id); }

  // Appends updates to a packet of which `bytes_max` bytes are left: those first that were sent
  // least often, of these the newest, and none of a member that the packet has an update of. What
  // was now sent `transmits_max` times goes.
  void Take(size_t bytes_max, unsigned transmits_max, std::vector<Update>* packet);

  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }

 private:
  // How often it was sent; then what is greater the older it is.
  using Place = std::pair<unsigned, uint64_t>;

  void Erase(Place place);

  const size_t updates_max_;

  // Each entry of one is in the other.
  std::map<Place, Update> queue_;
  std::map<NodeId, Place> places_;
  uint64_t next_age_ = UINT64_MAX;
};

}  // namespace eddy::gossip
