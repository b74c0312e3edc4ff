// One probe (SWIM, section 3.1): a ping; if its time runs out, ping-requests to some helpers; if no
// ack has come by any way at the end, the target is suspected. Helpers whose own ping stays
// unanswered say so by a nack, which tells a dead target from a prober whom nothing reaches
// (Lifeguard, section IV.A).
//
//   ping ────────► indirect_at: ping-requests ────────► ends_at: judged, and the next probe begins
//      ack: done               ack through a helper: done
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/ids.h"
#include "base/time.h"

namespace eddy::gossip {

struct Probe {
  NodeId target;
  uint64_t sequence = 0;
  MonotonicTime indirect_at;
  MonotonicTime ends_at;

  bool acked = false;
  bool indirect = false;             // the helpers were asked
  std::map<NodeId, bool> helpers{};  // and whether each has sent a nack

  MonotonicTime NextDeadline() const { return acked || indirect ? ends_at : indirect_at; }
  bool Awaits(NodeId sender, uint64_t of) const {
    return of == sequence && (sender == target || helpers.contains(sender));
  }
  void Postpone(Duration by) {
    indirect_at += by;
    ends_at += by;
  }
  unsigned NacksMissed() const {
    unsigned missed = 0;
    for (const auto& [helper, answered] : helpers) missed += answered ? 0 : 1;
    return missed;
  }
};

}  // namespace eddy::gossip
