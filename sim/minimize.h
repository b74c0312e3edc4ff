// Makes a broken run small enough to be understood: takes away kinds of faults, time, nodes and
// operations, for as long as a promise is broken still, by the same seed or by one soon after it.
// What is left can be said on the command line of eddy-sim, so it is seen again like any other run.
#pragma once

#include <cstdint>
#include <functional>

#include "sim/cluster.h"

namespace eddy::sim {

struct Minimized {
  RunOptions options;
  Report report;      // of these options: broken
  uint64_t runs = 0;  // that it took
};

// Requires that `broken` breaks a promise. `smaller` is told of each step that succeeded.
Minimized Minimize(const RunOptions& broken, const std::function<void(const Minimized&)>& smaller);

}  // namespace eddy::sim
