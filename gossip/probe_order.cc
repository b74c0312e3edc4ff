#include "gossip/probe_order.h"

#include <utility>

namespace eddy::gossip {

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
