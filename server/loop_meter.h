// How long the loop was busy each time it went round: that long whatever came meanwhile waited.
// Loop thread only.
#pragma once

#include <cstdint>

#include "base/histogram.h"

namespace eddy::server {

class LoopMeter {
 public:
  // Once a round of the loop. Both in nanoseconds: the monotonic clock, and how long the loop has
  // waited for something to do since it began (uv_metrics_idle_time).
  void Round(uint64_t now_ns, uint64_t idle_ns) {
    if (last_now_ns_ != 0) {
      const uint64_t passed = now_ns - last_now_ns_;
      const uint64_t idle = idle_ns - last_idle_ns_;
      busy_us_.Add(passed > idle ? (passed - idle) / 1000 : 0);
    }
    last_now_ns_ = now_ns;
    last_idle_ns_ = idle_ns;
  }

  const Histogram& busy_us() const { return busy_us_; }

 private:
  uint64_t last_now_ns_ = 0;
  uint64_t last_idle_ns_ = 0;
  Histogram busy_us_;
};

}  // namespace eddy::server
