// What the data path has learnt of the other members by itself: whether messages have a way,
// whether answers come, and how long they take. It only chooses whom to try first; it never decides
// ownership (design, section 7).
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "ring/layout.h"

namespace eddy::node {

class Peers {
 public:
  explicit Peers(size_t members) : peers_(members) {}

  // The transport has, or has lost, a connection.
  void Up(ring::MemberIndex peer) { peers_[peer.value] = Peer{.reachable = true}; }
  void Down(ring::MemberIndex peer) { peers_[peer.value].reachable = false; }
  bool Reachable(ring::MemberIndex peer) const { return peers_[peer.value].reachable; }

  // An answer to a request came, or its time ran out. A peer that left kSilencesMax requests in a
  // row unanswered is silent until it answers again: connected, perhaps stopped; asked last.
  void Answered(ring::MemberIndex peer, Duration after);
  void LeftUnanswered(ring::MemberIndex peer);
  bool Silent(ring::MemberIndex peer) const {
    return peers_[peer.value].unanswered >= kSilencesMax;
  }

  // Smoothed answer time (as in TCP: an eighth of each new sample); zero before the first.
  Duration AnswerTime(ring::MemberIndex peer) const { return peers_[peer.value].answer_time; }

 private:
  static constexpr uint32_t kSilencesMax = 3;

  struct Peer {
    bool reachable = false;
    uint32_t unanswered = 0;
    Duration answer_time{};
  };

  std::vector<Peer> peers_;
};

}  // namespace eddy::node
