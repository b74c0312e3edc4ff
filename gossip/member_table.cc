#include "gossip/member_table.h"

namespace eddy::gossip {

const MemberState* MemberTable::Find(NodeId id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.state;
}

bool MemberTable::IsHere(NodeId id) const {
  const MemberState* state = Find(id);
  return state != nullptr && state->IsHere();
}

bool MemberTable::Put(MonotonicTime now, const MemberState& state) {
  auto found = entries_.find(state.id);
  if (found == entries_.end()) {
    if (entries_.size() >= members_max_ && !MakeRoom()) return false;
    found = entries_.emplace(state.id, Entry{.state = state, .since = now}).first;
  } else {
    here_ -= found->second.state.IsHere() ? 1 : 0;
    if (found->second.state.liveness != state.liveness) found->second.since = now;
    found->second.state = state;
  }
  here_ += state.IsHere() ? 1 : 0;
  return true;
}

void MemberTable::ForgetGone(MonotonicTime before) {
  std::erase_if(entries_, [&](const auto& entry) {
    return !entry.second.state.IsHere() && entry.second.since < before;
  });
}

bool MemberTable::MakeRoom() {
  auto longest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.state.IsHere()) continue;
    if (longest == entries_.end() || entry->second.since < longest->second.since) longest = entry;
  }
  if (longest == entries_.end()) return false;
  entries_.erase(longest);
  return true;
}

}  // namespace eddy::gossip
