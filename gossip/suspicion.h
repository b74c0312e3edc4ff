// How long a suspected member has to refute (Lifeguard, section IV.B): long at first, since the
// one who suspects may itself be slow, and shorter with each other member that has found the same
// for itself, down to what the spreading of a refutation takes at least.
#pragma once

#include <cstddef>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace eddy::gossip {

struct SuspicionOptions {
  // The least time, in probe periods, for each tenfold number of members (at least one).
  unsigned multiplier = 4;
  // How many times that is the most.
  unsigned max_factor = 6;
  // How many others must find the same until the least time counts.
  size_t confirmations = 3;
};

struct SuspicionLimits {
  Duration min{};
  Duration max{};
  size_t confirmations = 0;
};

// Within a cluster of so many members, this one and the suspected one included. Where there are
// too few others to confirm, all of them are enough.
SuspicionLimits SuspicionLimitsFor(const SuspicionOptions& options, Duration probe_period,
                                   size_t members);

class Suspicion {
 public:
  Suspicion(MonotonicTime now, NodeId from, const SuspicionLimits& limits);

  // Another member suspects the same. False if that was known, or if no more are needed: then it is
  // no news for others either.
  bool Confirm(NodeId from);
  MonotonicTime Deadline() const;
  // Time that this node itself was not there for does not count.
  void Postpone(Duration by) { since_ += by; }

 private:
  const SuspicionLimits limits_;

  MonotonicTime since_;
  std::vector<NodeId> authors_;  // all different, the first one and those who confirmed
};

}  // namespace eddy::gossip
