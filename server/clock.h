// The daemon's clocks, read at most once a turn of the loop: everything that one turn does happens
// at one moment. Loop thread only.
#pragma once

#include <chrono>

#include "base/time.h"

namespace eddy::server {

class TurnClock {
 public:
  Now Read() {
    if (stale_) {
      stale_ = false;
      now_.monotonic = MonotonicTime(std::chrono::duration_cast<Duration>(
          std::chrono::steady_clock::now().time_since_epoch()));
      now_.wall = WallTime(std::chrono::duration_cast<WallTime::duration>(
          std::chrono::system_clock::now().time_since_epoch()));
    }
    return now_;
  }
  // The loop may have waited since.
  void NextTurn() { stale_ = true; }

 private:
  bool stale_ = true;
  Now now_;
};

}  // namespace eddy::server
