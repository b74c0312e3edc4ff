// What drives all clocks of one machine: exact, or too fast or slow by a few millionths, as real
// ones are, or by far more. Its readings never go back.
#pragma once

#include <cstdint>

#include "sim/event_queue.h"

namespace eddy::sim {

class Clock {
 public:
  // How much it has counted since the world began.
  Duration Read(VirtualTime now) const {
    return read_ + (now - since_) * (kMillion + drift_ppm_) / kMillion;
  }
  // When it will have counted so much, or had it if it has always run as it does now; within a
  // microsecond.
  VirtualTime When(Duration read) const {
    return since_ + (read - read_) * kMillion / (kMillion + drift_ppm_);
  }
  // It has counted so much more than it did, as that of a machine that was suspended.
  void Leap(Duration by) { read_ += by; }
  // Requires: within half of what is right, either way.
  void SetDrift(VirtualTime now, int64_t ppm) {
    read_ = Read(now);
    since_ = now;
    drift_ppm_ = ppm;
  }

 private:
  static constexpr int64_t kMillion = 1'000'000;

  VirtualTime since_;
  Duration read_{};
  int64_t drift_ppm_ = 0;
};

}  // namespace eddy::sim
