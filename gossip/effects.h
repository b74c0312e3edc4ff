// What gossip wants done, and what it has found out: its only way to act.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "gossip/member.h"

namespace eddy::gossip {

struct SendPacket {
  Address to;
  std::string bytes;  // at most kPacketBytesMax
};

enum class EventKind : uint8_t {
  kAlive,    // new, back, or no more suspected
  kSuspect,  // ask it last; it is still here
  kDead,
  kLeft,
  kAddressChanged,  // found again by its id
};

struct Event {
  EventKind kind;
  MemberState member;  // as it is believed to be from now on
};

// To be sent over the connection to that node, if there is one: the way that is left where no
// datagrams come through.
struct SendOverConnection {
  NodeId to;
  std::string bytes;  // likewise
};

struct Effects {
  std::vector<SendPacket> packets;
  std::vector<SendOverConnection> over_connections;
  // Connect there, send SyncBytes(), and give what comes back to FinishSync. May fail silently.
  std::vector<Address> syncs;
  std::vector<Event> events;  // in their order

  bool empty() const {
    return packets.empty() && over_connections.empty() && syncs.empty() && events.empty();
  }
  void swap(Effects& other) noexcept {
    packets.swap(other.packets);
    over_connections.swap(other.over_connections);
    syncs.swap(other.syncs);
    events.swap(other.events);
  }
  void clear() {
    packets.clear();
    over_connections.clear();
    syncs.clear();
    events.clear();
  }
};

}  // namespace eddy::gossip
