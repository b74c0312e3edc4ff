// Time as values. The core never reads a clock: the shell (or the simulator) passes `Now` into
// every call. Monotonic time drives deadlines and failure detection; wall time only stamps values
// (HLC) and expiry, and never decides between two writes of which one has seen the other.
#pragma once

#include <chrono>
#include <cstdint>

namespace eddy {

using Duration = std::chrono::microseconds;

// Tags for std::chrono::time_point; deliberately without now().
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = true;
};
struct WallClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = false;
};

using MonotonicTime =
    std::chrono::time_point<MonotonicClock>;  // microseconds since some start of the process
using WallTime = std::chrono::time_point<WallClock>;  // milliseconds since the Unix epoch

struct Now {
  MonotonicTime monotonic;
  WallTime wall;
};

}  // namespace eddy
