// A seeded random generator (xoshiro256**, Blackman and Vigna). The core takes one through its
// constructor, so a run of the simulator is a function of its seed; the same seed gives the same
// numbers on every compiler.
#pragma once

#include <array>
#include <cstdint>

#include "base/ids.h"

namespace eddy {

class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t Next();
  // Uniform in [0, bound); bound must not be 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high]; requires low <= high.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  // True `numerator` times in `denominator`.
  bool Chance(uint64_t numerator, uint64_t denominator) { return Below(denominator) < numerator; }
  // A generator of its own for a part of the program, so that one part's draws do not shift
  // another's.
  Random Fork() { return Random(Next()); }

  template <class Id>
  Id NextId() {
    return Id{.high = Next(), .low = Next()};
  }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace eddy
