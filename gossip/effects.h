// What gossip wants done, and what it has found out: its only way to act.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

struct Effects {
  std::vector<SendPacket> packets;
  // Connect there, send SyncBytes(), and give what comes back to FinishSync. May fail silently.
  std::vector<Address> syncs;
  std::vector<Event> events;  // in their order

  bool empty() const { return packets.empty() && syncs.empty() && events.empty(); }
  void clear() {
    packets.clear();
    syncs.clear();
    events.clear();
  }
};

}  // namespace eddy::gossip
