// What every part of one simulated world shares: its time, what happens next, and its trace. One
// world, one thread; nothing in it looks at the real one.
#pragma once

#include <chrono>
#include <utility>

#include "base/time.h"
#include "sim/event_queue.h"
#include "sim/trace.h"

namespace eddy::sim {

// What a clock that is right shows when the world begins.
inline constexpr WallTime kWallAtStart{std::chrono::milliseconds(1'700'000'000'000)};

struct World {
  explicit World(Trace the_trace) : trace(std::move(the_trace)) {}

  void Schedule(Duration after, Event event) { queue.Push(now + after, event); }

  VirtualTime now;
  EventQueue queue;
  Trace trace;
};

}  // namespace eddy::sim
