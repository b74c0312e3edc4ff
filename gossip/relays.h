// The pings that this node sends for others, as a helper in their probes. Each is known by a
// sequence of this node's own; the requester's is put back into the answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "gossip/member.h"

namespace eddy::gossip {

struct Relay {
  NodeId requester;
  Address requester_address;
  uint64_t requester_sequence = 0;
  NodeId target;
  MonotonicTime nack_at;
  MonotonicTime ends_at;
  bool nacked = false;
};

class Relays {
 public:
  explicit Relays(size_t relays_max) : relays_max_(relays_max) {}

  // False if there are too many at one time.
  bool Add(uint64_t sequence, Relay relay);
  // The relay that this ack ends, if there is one.
  std::optional<Relay> TakeAcked(NodeId sender, uint64_t sequence);
  // Those whose requesters are to be told that there is no ack yet, each once.
  std::vector<Relay> TakeNacks(MonotonicTime now);
  // When TakeNacks has something to do; max() if never.
  MonotonicTime NextDeadline() const;

 private:
  const size_t relays_max_;

  std::map<uint64_t, Relay> relays_;
};

}  // namespace eddy::gossip
