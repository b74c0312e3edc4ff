#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace eddy {

uint64_t Hash64(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Digest Hash128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return Digest{.high = hash.high64, .low = hash.low64};
}

}  // namespace eddy
