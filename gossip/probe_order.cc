#include "gossip/probe_order.h"

#include <algorithm>
#include <utility>

namespace eddy::gossip {

void ProbeOrder::Insert(NodeId id, Random* random) {
  const auto left = round_.begin() + static_cast<ptrdiff_t>(next_);
  if (std::find(left, round_.end(), id) != round_.end()) return;
  round_.insert(left + static_cast<ptrdiff_t>(random->Between(0, round_.size() - next_)), id);
}

std::optional<NodeId> ProbeOrder::Next(const MemberTable& members, Random* random) {
  for (int round = 0; round < 2; ++round) {
    while (next_ < round_.size()) {
      const NodeId id = round_[next_++];
      if (members.IsHere(id)) return id;
    }
    next_ = 0;
    round_.clear();
    for (const auto& [id, entry] : members.entries()) {
      if (entry.state.IsHere()) round_.push_back(id);
    }
    for (size_t left = round_.size(); left > 1; --left) {
      std::swap(round_[left - 1], round_[random->Below(left)]);
    }
  }
  return std::nullopt;
}

}  // namespace eddy::gossip
