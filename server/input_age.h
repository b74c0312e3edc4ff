// How long what arrives now may have waited in the kernel before this process looked: nothing to
// speak of, unless the process stood still (it was paused, its machine swapped, a call to the disk
// hung). A request that had waited longer than its client meant to is not to be done any more: the
// client has long asked another node, others have written since, and a write carried out now would
// come out as the latest of all.
#pragma once

#include <optional>

#include "base/time.h"

namespace eddy::server {

class InputAge {
 public:
  // The loop wakes every few milliseconds; gaps beyond this are standing still.
  static constexpr Duration kStallMin = std::chrono::milliseconds(100);
  // So long after it stood still there may be input in the kernel from before.
  static constexpr Duration kDrained = std::chrono::milliseconds(250);

  // At least once in every turn of the loop, before its input is used.
  void Turn(MonotonicTime now) {
    if (last_turn_ && now - *last_turn_ >= kStallMin) {
      // What came before an earlier stall has waited through both.
      stalled_ = Most(now);
      stalled_ = stalled_ > now - *last_turn_ ? stalled_ : now - *last_turn_;
      ended_at_ = now;
    }
    last_turn_ = now;
  }

  // The most that anything which arrives in this turn has waited.
  Duration Most(MonotonicTime now) const {
    if (!ended_at_ || !last_turn_ || *last_turn_ - *ended_at_ > kDrained) return Duration::zero();
    return stalled_ + (now - *ended_at_);
  }

 private:
  std::optional<MonotonicTime> last_turn_;
  std::optional<MonotonicTime> ended_at_;  // of the last stall
  Duration stalled_{};
};

}  // namespace eddy::server
