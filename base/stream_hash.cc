#include "base/stream_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"

namespace eddy {

struct StreamHash::State {
  XXH3_state_t xxh3;
};

StreamHash::StreamHash() : state_(std::make_unique<State>()) {
  CHECK(XXH3_128bits_reset(&state_->xxh3) == XXH_OK);
}
StreamHash::~StreamHash() = default;
StreamHash::StreamHash(StreamHash&&) noexcept = default;
StreamHash& StreamHash::operator=(StreamHash&&) noexcept = default;

void StreamHash::Add(std::string_view bytes) {
  CHECK(XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size()) == XXH_OK);
}

Digest StreamHash::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh3);
  return Digest{.high = hash.high64, .low = hash.low64};
}

}  // namespace eddy
