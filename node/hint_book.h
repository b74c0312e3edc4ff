// For whom this node may hold hints (Dynamo, section 4.6). The rows are in the store; this only
// remembers which owners it is worth looking for, so that a node without hints looks for none, and
// how far they have been delivered. Bounded by the owners whose hints are accepted: members.
#pragma once

#include <cstdint>
#include <map>

#include "base/ids.h"

namespace eddy::node {

class HintBook {
 public:
  // Of one owner. Hints are numbered as they are written, in this life of the node.
  struct Notes {
    uint64_t noted = 0;
    // All that were noted by then are gone from here: they are durable with their owner, or with
    // those who own their keys now.
    uint64_t delivered = 0;
  };

  bool empty() const { return notes_.empty(); }
  bool MayHold(NodeId owner) const { return notes_.contains(owner); }
  const std::map<NodeId, Notes>& notes() const { return notes_; }

  // A row for this owner is about to be written, or was, or was found: both, since a scan between
  // the two does not see it yet.
  void Note(NodeId owner) {
    ++notes_[owner].noted;
    ++noted_;
  }
  // How often anybody was noted.
  uint64_t noted() const { return noted_; }
  // A pass that began when so many were noted has delivered every row that it found: there is none,
  // unless some came since.
  void Delivered(NodeId owner, uint64_t noted) {
    const auto found = notes_.find(owner);
    if (found == notes_.end()) return;
    found->second.delivered = noted;
    if (found->second.noted == noted) notes_.erase(found);
  }

 private:
  std::map<NodeId, Notes> notes_;
  uint64_t noted_ = 0;
};

}  // namespace eddy::node
