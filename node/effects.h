// What the node wants done: its only way to act. The shell sends, stores and replies; the simulator
// does the same on virtual time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "gossip/effects.h"
#include "storage/store.h"
#include "wire/client_message.h"
#include "wire/peer_message.h"

namespace eddy::node {

struct Send {
  NodeId to;
  wire::PeerMessage message;
};

struct ClientAnswer {
  uint64_t ticket;  // as given to Node::Submit
  wire::ClientReply reply;
};

// A write has left its key with many siblings: whoever writes it does not resolve them.
struct Crowded {
  std::string bucket;
  std::string key;
  uint32_t siblings = 0;
};

struct Effects {
  std::vector<Send> sends;
  std::vector<gossip::SendPacket> packets;  // datagrams
  // What gossip has found out of the others: news for people, and where to reach them.
  std::vector<gossip::Event> sightings;
  std::vector<Crowded> crowded;  // likewise for people
  std::vector<storage::StoreVerb> verbs;
  std::vector<ClientAnswer> answers;

  bool empty() const {
    return sends.empty() && packets.empty() && sightings.empty() && crowded.empty() &&
           verbs.empty() && answers.empty();
  }
  // Member by member: a third of what std::swap does.
  void swap(Effects& other) noexcept {
    sends.swap(other.sends);
    packets.swap(other.packets);
    sightings.swap(other.sightings);
    crowded.swap(other.crowded);
    verbs.swap(other.verbs);
    answers.swap(other.answers);
  }
  void clear() {
    sends.clear();
    packets.clear();
    sightings.clear();
    crowded.clear();
    verbs.clear();
    answers.clear();
  }
};

}  // namespace eddy::node
