// All other members that this node knows, by id, those who are gone included for a while: what a
// late packet says of them is then no news, and a partition that heals finds them again. Bounded:
// who has been gone longest makes room.
#pragma once

#include <cstddef>
#include <map>

#include "base/ids.h"
#include "base/time.h"
#include "gossip/member.h"

namespace eddy::gossip {

class MemberTable {
 public:
  struct Entry {
    MemberState state;
    MonotonicTime since;  // of this liveness
  };

  explicit MemberTable(size_t members_max) : members_max_(members_max) {}

  // Null if unknown.
  const MemberState* Find(NodeId id) const;
  bool IsHere(NodeId id) const;
  // Adds the member or replaces what was known. False if it is unknown and the table is full of
  // members who are here.
  bool Put(MonotonicTime now, const MemberState& state);
  // Forgets who has been gone since before that.
  void ForgetGone(MonotonicTime before);

  const std::map<NodeId, Entry>& entries() const { return entries_; }
  // How many are here.
  size_t here() const { return here_; }

 private:
  bool MakeRoom();

  const size_t members_max_;

  std::map<NodeId, Entry> entries_;  // at most members_max_
  size_t here_ = 0;
};

}  // namespace eddy::gossip
