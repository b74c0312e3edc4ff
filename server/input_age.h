// How long what arrives now may have waited in the kernel before this process looked: nothing to
// speak of, unless the process stood still (it was paused, its machine swapped, a call to the disk
// hung). A request that had waited longer than its client meant to is not to be done any more: the
// client has long asked another node, others have written since, and a write carried out now would
// come out as the latest of all.
//
// What bounds it besides: input of a socket that had been read empty has come since. Without that,
// a loop that works for long on each of one client's large values would take every next one for
// old.
#pragma once

#include <algorithm>
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
      stalled_ = MostOfAny(now);
      stalled_ = stalled_ > now - *last_turn_ ? stalled_ : now - *last_turn_;
      ended_at_ = now;
    }
    last_turn_ = now;
  }

  // The moment of the last turn: what is read empty now is so since then at least.
  MonotonicTime turn_at() const { return last_turn_.value_or(MonotonicTime{}); }
  // From now on, input is used of a socket that was last read empty then; nullopt: nobody knows.
  void Use(std::optional<MonotonicTime> drained_at) { drained_at_ = drained_at; }

  // The most that the input which is used has waited.
  Duration Most(MonotonicTime now) const {
    const Duration most = MostOfAny(now);
    return drained_at_ ? std::min(most, now - *drained_at_) : most;
  }

 private:
  Duration MostOfAny(MonotonicTime now) const {
    if (!ended_at_ || !last_turn_ || *last_turn_ - *ended_at_ > kDrained) return Duration::zero();
    return stalled_ + (now - *ended_at_);
  }

  std::optional<MonotonicTime> last_turn_;
  std::optional<MonotonicTime> ended_at_;  // of the last stall
  Duration stalled_{};
  std::optional<MonotonicTime> drained_at_;  // of the socket whose input is used
};

}  // namespace eddy::server
