#include "base/bytes.h"

#include <bit>
#include <cstring>

namespace eddy {

namespace {

template <class T>
void AppendFixed(std::string* out, T value) {
  char buffer[sizeof(T)];
  std::memcpy(buffer, &value, sizeof(T));
  out->append(buffer, sizeof(T));
}

}  // namespace

void AppendU8(std::string* out, uint8_t value) { out->push_back(static_cast<char>(value)); }
void AppendU32(std::string* out, uint32_t value) { AppendFixed(out, value); }
void AppendU64(std::string* out, uint64_t value) { AppendFixed(out, value); }
void AppendBigEndian32(std::string* out, uint32_t value) { AppendFixed(out, std::byteswap(value)); }
void AppendBigEndian64(std::string* out, uint64_t value) { AppendFixed(out, std::byteswap(value)); }

void AppendLongVarint(std::string* out, uint64_t value) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void AppendBytes(std::string* out, std::string_view bytes) {
  AppendVarint(out, bytes.size());
  out->append(bytes);
}

uint64_t ByteReader::LongVarint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = U8();
    if (!ok_) return 0;
    const uint64_t bits = byte & 0x7f;
    // The tenth byte has room for one bit only, and a last byte of zero means a longer form than
    // needed.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= bits << shift;
    if (byte < 0x80) return value;
  }
  ok_ = false;
  return 0;
}

}  // namespace eddy
