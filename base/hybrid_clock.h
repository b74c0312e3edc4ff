// A hybrid logical clock (Kulkarni et al., 2014): wall milliseconds with a logical counter below,
// never going back and always past every timestamp observed. It only picks among truly concurrent
// siblings in `lww` buckets.
#pragma once

#include <compare>
#include <cstdint>

#include "base/time.h"

namespace eddy {

struct Timestamp {
  uint64_t value = 0;  // milliseconds << 16 | logical

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
  WallTime wall() const { return WallTime(std::chrono::milliseconds(value >> 16)); }
};

class HybridClock {
 public:
  // A timestamp further ahead of our own wall clock than this is not followed: one node with a
  // broken clock must not carry all the others away.
  static constexpr std::chrono::milliseconds kMaxDrift{60'000};

  // A timestamp greater than every one returned or observed before.
  Timestamp Tick(WallTime wall);
  void Observe(Timestamp seen, WallTime wall);

 private:
  Timestamp last_;
};

}  // namespace eddy
