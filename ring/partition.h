// The ring's equal partitions (Dynamo section 6.2, strategy 3): Q = 2^bits of them, and a token
// lies in the one that its top bits name. A partition is therefore a contiguous range of tokens and
// of whole slots, and a ring with twice as many splits each in two. Pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "ring/token.h"

namespace eddy::ring {

// No partition is smaller than a slot, or CLUSTER SLOTS could not tell who owns it.
inline constexpr unsigned kPartitionBitsMax = kSlotBits;
inline constexpr unsigned kPartitionBitsDefault = 8;

struct PartitionId {
  uint32_t value = 0;

  friend auto operator<=>(const PartitionId&, const PartitionId&) = default;
};

// Both ends belong to the range.
struct TokenRange {
  Token first;
  Token last;

  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

struct SlotRange {
  uint16_t first = 0;
  uint16_t last = 0;

  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};

// All of these require bits <= kPartitionBitsMax, and a partition below PartitionCount(bits).

constexpr uint32_t PartitionCount(unsigned bits) { return 1u << bits; }

constexpr PartitionId PartitionOf(Token token, unsigned bits) {
  // In two steps, since a shift by all 64 bits (one partition) is undefined.
  return PartitionId{static_cast<uint32_t>(token.value >> (64 - kSlotBits) >> (kSlotBits - bits))};
}

constexpr TokenRange TokensOf(PartitionId partition, unsigned bits) {
  const uint64_t size_less_one = ~uint64_t{0} >> bits;
  const uint64_t first = uint64_t{partition.value} << (kSlotBits - bits) << (64 - kSlotBits);
  return TokenRange{Token{first}, Token{first + size_less_one}};
}

constexpr SlotRange SlotsOf(PartitionId partition, unsigned bits) {
  const TokenRange tokens = TokensOf(partition, bits);
  return SlotRange{SlotOf(tokens.first), SlotOf(tokens.last)};
}

// The order in which the partitions stand on the ring: by XXH3 of their number, so that neighbours
// in token order, which clients tend to read together, have different replicas.
std::vector<PartitionId> RingOrder(unsigned bits);

}  // namespace eddy::ring
