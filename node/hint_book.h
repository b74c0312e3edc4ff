// For whom this node may hold hints (Dynamo, section 4.6). The rows are in the store; this only
// remembers which owners it is worth looking for, so that a node without hints looks for none.
// Bounded by the owners whose hints are accepted: members.
#pragma once

#include <cstdint>
#include <map>

#include "base/ids.h"

namespace eddy::node {

class HintBook {
 public:
  bool empty() const { return notes_.empty(); }
  bool MayHold(NodeId owner) const { return notes_.contains(owner); }
  // By owner, how often a row was written for it in this life of the node.
  const std::map<NodeId, uint64_t>& notes() const { return notes_; }

  // A row for this owner is about to be written, or was, or was found: both, since a scan between
  // the two does not see it yet.
  void Note(NodeId owner) {
    ++notes_[owner];
    ++noted_;
  }
  // How often anybody was noted.
  uint64_t noted() const { return noted_; }
  // A scan that began when the owner had been noted so often found no row: there is none, unless
  // some came since.
  void FoundNone(NodeId owner, uint64_t notes) {
    const auto found = notes_.find(owner);
    if (found != notes_.end() && found->second == notes) notes_.erase(found);
  }

 private:
  std::map<NodeId, uint64_t> notes_;
  uint64_t noted_ = 0;
};

}  // namespace eddy::node
