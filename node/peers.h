// What the data path goes by about the other nodes: whether messages have a way, whether answers
// come and how long they take, which it learns by itself; and what gossip says of them. It only
// chooses whom to try first; it never decides ownership (design, section 7). Every node that was
// met has an index here that stays its own for as long as this process lives, whatever the layouts
// say: layouts come and go under the operations that are under way.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "gossip/member.h"

namespace eddy::node {

struct PeerIndex {
  uint16_t value = 0;

  friend auto operator<=>(const PeerIndex&, const PeerIndex&) = default;
};

// This node itself.
inline constexpr PeerIndex kSelf{0};

class Peers {
 public:
  // How many different nodes a process may meet in its life.
  static constexpr size_t kPeersMax = UINT16_MAX;

  // Self is always reachable.
  explicit Peers(NodeId self);

  // The node's index, a new one if it was never met; nullopt: the table is full.
  std::optional<PeerIndex> Meet(NodeId id);
  std::optional<PeerIndex> Find(NodeId id) const;
  NodeId IdOf(PeerIndex peer) const { return peers_[peer.value].id; }
  // Every index below this is a node that was met.
  size_t size() const { return peers_.size(); }

  // The transport has, or has lost, a connection.
  void Up(PeerIndex peer) {
    Peer& state = peers_[peer.value];
    state = Peer{.id = state.id, .connected = true, .shunned = state.shunned};
  }
  void Down(PeerIndex peer) { peers_[peer.value].connected = false; }
  bool Connected(PeerIndex peer) const { return peers_[peer.value].connected; }
  // One that was sent away from the cluster is as good as unreachable, whatever it says.
  void Shun(PeerIndex peer, bool shunned) { peers_[peer.value].shunned = shunned; }
  // What gossip says: the suspect are asked last, and the dead and those who are about to stop not
  // at all. What a peer says itself counts for more than what is doubted of it.
  void Believe(PeerIndex peer, gossip::Liveness liveness) {
    peers_[peer.value].liveness = liveness;
  }
  void Heard(PeerIndex peer) {
    gossip::Liveness& liveness = peers_[peer.value].liveness;
    if (gossip::IsDoubt(liveness)) liveness = gossip::Liveness::kAlive;
  }
  bool Reachable(PeerIndex peer) const {
    const Peer& state = peers_[peer.value];
    return state.connected && !state.shunned && state.liveness <= gossip::Liveness::kSuspect;
  }

  // An answer to a request came, or its time ran out. A peer that left kSilencesMax requests in a
  // row unanswered is silent until it answers again: connected, perhaps stopped; asked last.
  void Answered(PeerIndex peer, Duration after);
  void LeftUnanswered(PeerIndex peer);
  bool Silent(PeerIndex peer) const {
    const Peer& state = peers_[peer.value];
    return state.unanswered >= kSilencesMax || state.liveness == gossip::Liveness::kSuspect;
  }

  // Smoothed answer time (as in TCP: an eighth of each new sample); zero before the first.
  Duration AnswerTime(PeerIndex peer) const { return peers_[peer.value].answer_time; }

 private:
  static constexpr uint32_t kSilencesMax = 3;

  struct IdHash {
    size_t operator()(NodeId id) const { return static_cast<size_t>(id.high ^ id.low); }
  };
  struct Peer {
    NodeId id;
    bool connected = false;
    bool shunned = false;
    gossip::Liveness liveness = gossip::Liveness::kAlive;
    uint32_t unanswered = 0;
    Duration answer_time{};
  };

  std::vector<Peer> peers_;
  std::unordered_map<NodeId, PeerIndex, IdHash> by_id_;  // lookup only
};

}  // namespace eddy::node
