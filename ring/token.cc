#include "ring/token.h"

#include <array>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "base/hash.h"

namespace eddy::ring {

namespace {

constexpr std::array<uint16_t, 256> MakeCrc16Table() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) ? 0x1021 : 0);
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}

constexpr std::array<uint16_t, 256> kCrc16Table = MakeCrc16Table();

uint32_t Crc16(std::string_view bytes) {
  uint32_t crc = 0;
  for (const char byte : bytes) {
    crc = ((crc << 8) & 0xffff) ^ kCrc16Table[(crc >> 8) ^ static_cast<uint8_t>(byte)];
  }
  return crc;
}

std::string_view HashTag(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

// Appends to a buffer that is known to be large enough.
char* PutBytes(char* out, std::string_view bytes) {
  size_t size = bytes.size();
  for (; size >= 0x80; size >>= 7) *out++ = static_cast<char>(size | 0x80);
  *out++ = static_cast<char>(size);
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

uint64_t HashOfPair(std::string_view bucket, std::string_view key) {
  constexpr size_t kBufferBytes = 512;
  constexpr size_t kVarintBytesMax = 10;
  if (bucket.size() + key.size() + 2 * kVarintBytesMax <= kBufferBytes) {
    char buffer[kBufferBytes];
    const char* end = PutBytes(PutBytes(buffer, bucket), key);
    return Hash64(std::string_view(buffer, static_cast<size_t>(end - buffer)));
  }
  std::string pair;
  pair.reserve(bucket.size() + key.size() + 2 * kVarintBytesMax);
  AppendBytes(&pair, bucket);
  AppendBytes(&pair, key);
  return Hash64(pair);
}

}  // namespace

uint16_t SlotOf(std::string_view key) {
  return static_cast<uint16_t>(Crc16(HashTag(key)) % kSlots);
}

Token TokenOf(std::string_view bucket, std::string_view key) {
  const uint64_t slot = SlotOf(key);
  return Token{slot << (64 - kSlotBits) | HashOfPair(bucket, key) >> kSlotBits};
}

}  // namespace eddy::ring
