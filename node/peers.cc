#include "node/peers.h"

namespace eddy::node {

void Peers::Answered(ring::MemberIndex peer, Duration after) {
  Peer& state = peers_[peer.value];
  state.unanswered = 0;
  state.answer_time = state.answer_time == Duration{} ? after : (state.answer_time * 7 + after) / 8;
}

void Peers::LeftUnanswered(ring::MemberIndex peer) { ++peers_[peer.value].unanswered; }

}  // namespace eddy::node
