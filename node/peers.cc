#include "node/peers.h"

namespace eddy::node {

Peers::Peers(NodeId self) {
  Meet(self);
  Up(kSelf);
}

std::optional<PeerIndex> Peers::Meet(NodeId id) {
  if (const auto known = Find(id)) return known;
  if (peers_.size() == kPeersMax) return std::nullopt;
  const PeerIndex fresh{static_cast<uint16_t>(peers_.size())};
  peers_.push_back(Peer{.id = id});
  by_id_.emplace(id, fresh);
  return fresh;
}

std::optional<PeerIndex> Peers::Find(NodeId id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

void Peers::Answered(PeerIndex peer, Duration after) {
  Peer& state = peers_[peer.value];
  state.unanswered = 0;
  state.answer_time = state.answer_time == Duration{} ? after : (state.answer_time * 7 + after) / 8;
}

void Peers::LeftUnanswered(PeerIndex peer) { ++peers_[peer.value].unanswered; }

}  // namespace eddy::node
