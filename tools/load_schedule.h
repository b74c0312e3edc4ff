// When the requests of a load are sent. In a closed loop whenever there is room for one; in an open
// loop at fixed times, whatever became of those before. A latency is counted from the time that
// stands here and not from when the request left: so requests that a stalled server keeps from
// leaving count with all that they waited, which a closed loop never asks about ("coordinated
// omission", G. Tene). Pure: the time comes in as a value.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace eddy::tools {

inline constexpr uint64_t kLoadRateMax = 10'000'000;

class LoadSchedule {
 public:
  // A closed loop.
  LoadSchedule() = default;
  // An open loop: requests are due `per_second` times a second, evenly, from `start` on and before
  // `end`. Requires 0 < per_second <= kLoadRateMax.
  LoadSchedule(uint64_t per_second, MonotonicTime start, MonotonicTime end);

  bool open() const { return per_second_ > 0; }

  // Since when a request that is sent now counts, and takes it; nothing when none is due.
  std::optional<MonotonicTime> Take(MonotonicTime now);

  // When the next one is due, also one that should have left already; none in a closed loop, and
  // when there are no more.
  std::optional<MonotonicTime> next_due() const;
  // How many have not been taken, though they were due before `now`.
  uint64_t Waiting(MonotonicTime now) const;

 private:
  MonotonicTime DueOf(uint64_t request) const;

  uint64_t per_second_ = 0;
  MonotonicTime start_;
  MonotonicTime end_;
  uint64_t taken_ = 0;
};

}  // namespace eddy::tools
