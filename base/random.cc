#include "base/random.h"

#include <bit>

#include "base/check.h"

namespace eddy {

namespace {

// SplitMix64: spreads a small seed over the whole state.
uint64_t SplitMix(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix(&seed);
}

uint64_t Random::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::Below(uint64_t bound) {
  CHECK(bound != 0);
  // Draws from the incomplete last stretch are thrown away, so that every value is equally likely.
  const uint64_t threshold = (0 - bound) % bound;
  uint64_t draw = Next();
  while (draw < threshold) draw = Next();
  return draw % bound;
}

}  // namespace eddy
