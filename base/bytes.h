// Reading and writing the canonical encoding: fixed-width integers (little-endian, or big-endian
// where byte order must equal numeric order) and LEB128 varints. The encoding is canonical: one
// value, one byte sequence, so encoded values can be hashed and compared. A reader never reads past
// its input, and refuses varints that are longer than needed.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace eddy {

void AppendU8(std::string* out, uint8_t value);
void AppendU32(std::string* out, uint32_t value);
void AppendU64(std::string* out, uint64_t value);
void AppendBigEndian32(std::string* out, uint32_t value);
void AppendBigEndian64(std::string* out, uint64_t value);
void AppendLongVarint(std::string* out, uint64_t value);  // AppendVarint, out of line
inline void AppendVarint(std::string* out, uint64_t value) {
  // Nearly all are of one byte.
  if (value < 0x80) {
    out->push_back(static_cast<char>(value));
  } else {
    AppendLongVarint(out, value);
  }
}
// A varint length, then the bytes.
void AppendBytes(std::string* out, std::string_view bytes);

// Reads from the front of a borrowed range. After the first failure every further read fails too,
// so a caller may read a whole structure and ask once.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  uint32_t BigEndian32() { return std::byteswap(Fixed<uint32_t>()); }
  uint64_t BigEndian64() { return std::byteswap(Fixed<uint64_t>()); }
  uint64_t Varint() {
    if (!ok_ || rest_.empty() || static_cast<uint8_t>(rest_.front()) >= 0x80) return LongVarint();
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  // A varint length and that many bytes, borrowed from the input.
  std::string_view Bytes() { return Raw(Varint()); }
  std::string_view Raw(size_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  bool ok() const { return ok_; }
  // Everything was read, and nothing failed.
  bool AtEnd() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  static_assert(std::endian::native == std::endian::little,
                "the canonical encoding is little-endian");
  template <class T>
  T Fixed() {
    const std::string_view bytes = Raw(sizeof(T));
    T value = 0;
    if (ok_) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  uint64_t LongVarint();

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace eddy
