#include "gossip/relays.h"

#include <algorithm>
#include <utility>

namespace eddy::gossip {

bool Relays::Add(uint64_t sequence, Relay relay) {
  if (relays_.size() >= relays_max_) return false;
  relays_.emplace(sequence, std::move(relay));
  return true;
}

std::optional<Relay> Relays::TakeAcked(NodeId sender, uint64_t sequence) {
  const auto found = relays_.find(sequence);
  if (found == relays_.end() || found->second.target != sender) return std::nullopt;
  Relay relay = std::move(found->second);
  relays_.erase(found);
  return relay;
}

std::vector<Relay> Relays::TakeNacks(MonotonicTime now) {
  std::vector<Relay> due;
  for (auto& [sequence, relay] : relays_) {
    if (relay.nacked || now < relay.nack_at) continue;
    relay.nacked = true;
    due.push_back(relay);
  }
  std::erase_if(relays_, [&](const auto& entry) { return now >= entry.second.ends_at; });
  return due;
}

MonotonicTime Relays::NextDeadline() const {
  MonotonicTime next = MonotonicTime::max();
  for (const auto& [sequence, relay] : relays_) {
    next = std::min(next, relay.nacked ? relay.ends_at : relay.nack_at);
  }
  return next;
}

}  // namespace eddy::gossip
