#include "gossip/logarithm.h"

#include <bit>

#include "base/check.h"

namespace eddy::gossip {

uint64_t Logarithm(uint64_t n) {
  CHECK(n > 0);
  const unsigned whole = static_cast<unsigned>(std::bit_width(n)) - 1;
  // n / 2^whole, within [1, 2), with 31 binary places. Squaring it doubles its logarithm: that
  // carries into the next binary place exactly when the square reaches 2.
  uint64_t rest = whole > 31 ? n >> (whole - 31) : n << (31 - whole);
  uint64_t result = whole;
  for (int place = 0; place < 16; ++place) {
    rest = (rest * rest) >> 31;
    result <<= 1;
    if (rest >> 32 != 0) {
      rest >>= 1;
      result |= 1;
    }
  }
  return result;
}

}  // namespace eddy::gossip
