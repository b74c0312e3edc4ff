#include "tools/permutation.h"

#include <bit>

#include "base/check.h"
#include "base/random.h"

namespace eddy::tools {

Permutation::Permutation(uint64_t items, uint64_t seed) : items_(items) {
  CHECK(items > 0);
  const auto bits = static_cast<unsigned>(std::bit_width(items - 1));
  if (bits > 2) half_bits_ = (bits + 1) / 2;
  Random random(seed);
  for (uint64_t& key : keys_) key = random.Next();
}

uint64_t Permutation::At(uint64_t place) const {
  CHECK(place < items_);
  // Ends: the network is a permutation too, so its cycle through `place` comes back below items.
  do place = Network(place);
  while (place >= items_);
  return place;
}

uint64_t Permutation::Network(uint64_t number) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = number >> half_bits_;
  uint64_t right = number & mask;
  for (const uint64_t key : keys_) {
    uint64_t mixed = (right ^ key) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93;
    const uint64_t next = left ^ (mixed >> 32 & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

}  // namespace eddy::tools
