// The key under which a record is stored:
//
//   [token, 8 bytes big-endian] [bucket length, 1 byte] [bucket]
//   [key length, 4 bytes big-endian] [key] [kind, 1 byte]
//
// Byte order is token order, so a partition, a Merkle segment and a transfer are each one
// contiguous range. The kind leaves room for the elements of large collections as records of their
// own. The same bytes name the key in every message between nodes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"

namespace eddy::storage {

enum class RecordKind : uint8_t { kWhole = 0 };

struct RecordKey {
  uint64_t token;
  std::string_view bucket;  // 1 to kBucketBytesMax bytes
  std::string_view key;     // 1 to kKeyBytesMax bytes
};

// Requires lengths within the limits: doors check them with CheckKey (base/limits.h).
std::string EncodeKey(const RecordKey& key);

// The parts, borrowed from `encoded`. kCorruption for anything EncodeKey would not have written.
[[nodiscard]] Result<RecordKey> DecodeKey(std::string_view encoded);

// The first 8 bytes, which every encoded key has.
uint64_t TokenOfKey(std::string_view encoded);

// Bounds of scans: what all keys of this token and greater ones follow; and what all keys of
// greater tokens follow, empty if there is no greater token.
std::string FirstKeyOf(uint64_t token);
std::string FirstKeyAfter(uint64_t token);

}  // namespace eddy::storage
