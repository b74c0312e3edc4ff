// XXH3, the hash of everything Eddy compares or checks: records, frames, tokens, digests. Not
// cryptographic: it finds accidents, not forgers.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace eddy {

uint64_t Hash64(std::string_view bytes, uint64_t seed = 0);

// A digest wide enough that two different records never share one in practice.
struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;

  friend auto operator<=>(const Digest&, const Digest&) = default;
  Digest& operator^=(const Digest& other) {
    high ^= other.high;
    low ^= other.low;
    return *this;
  }
};

Digest Hash128(std::string_view bytes);

}  // namespace eddy
