// Where a key lies in the one order that disk, ring and transfers share: 64 bits, of which the top
// 14 are the Redis Cluster slot of the key and the rest spread the keys of a slot. So any Redis
// Cluster client finds a replica from the slot alone, keys with the same {hash tag} lie together,
// and a partition, whatever its size, is one contiguous range of tokens. Pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace eddy::ring {

inline constexpr unsigned kSlotBits = 14;
inline constexpr uint32_t kSlots = 1u << kSlotBits;

struct Token {
  uint64_t value = 0;

  friend auto operator<=>(const Token&, const Token&) = default;
};

// The slot as Redis Cluster has it: CRC16 (XMODEM) of the key modulo 16384, or of its hash tag,
// which is what lies between the first '{' and the first '}' after it, if that is not empty.
uint16_t SlotOf(std::string_view key);

// slot << 50 | XXH3(length-prefixed bucket and key) >> 14. Allocates only for keys beyond some 500
// bytes.
Token TokenOf(std::string_view bucket, std::string_view key);

constexpr uint16_t SlotOf(Token token) {
  return static_cast<uint16_t>(token.value >> (64 - kSlotBits));
}

}  // namespace eddy::ring
