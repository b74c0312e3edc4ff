// What happens next in a simulated world: events in order of virtual time, and of their making
// where times are equal, so that a run is a function of its seed. Events are small values that name
// whom they concern; what they carry lies with the part that made them.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace eddy::sim {

// Microseconds since the world began.
struct VirtualClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = true;
};
using VirtualTime = std::chrono::time_point<VirtualClock>;

// A node's place in the cluster.
struct NodeIndex {
  uint8_t value = 0;

  friend auto operator<=>(const NodeIndex&, const NodeIndex&) = default;
};

struct Event {
  enum class Kind : uint8_t {
    // Of the network: `peer` sends, `node` receives; `argument` is the connection's number, or that
    // of the packet.
    kArrival,
    kPacket,
    kPeerUp,
    kPeerDown,
    kConnect,
    kStalled,
    // Of the process on `node`; `argument` is its life, so that nothing outlives the process.
    kTick,
    kStoreTurn,
    kStoreCommit,
    kSyncDone,
    kFetched,
    kStopCheck,
    // Of the machine `node`.
    kStart,
    kSubmit,  // a client's request arrives; `argument` is its ticket
    // Of the clients: `argument` is the client.
    kClient,
    kPatience,
    // Of the world; `argument` is the fault.
    kFaultBegins,
    kFaultEnds,
    kPhase,
  };

  Kind kind;
  NodeIndex node;
  NodeIndex peer;
  uint64_t argument = 0;
};

class EventQueue {
 public:
  // Requires a time that is not past.
  void Push(VirtualTime at, Event event);

  bool empty() const { return heap_.empty(); }
  VirtualTime next_time() const { return heap_.front().at; }
  Event Pop();

 private:
  struct Entry {
    VirtualTime at;
    uint64_t sequence;
    Event event;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
  };

  std::vector<Entry> heap_;
  uint64_t sequence_ = 0;
};

}  // namespace eddy::sim
