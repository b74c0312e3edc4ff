// Records as bytes. The encoding is canonical: equal records have equal bytes, so records are
// compared and hashed encoded. On disk the bytes carry their own checksum, bound to their key, so
// rot and misplaced blocks are found whatever the engine below believes.
//
//   record   = format(1 byte, = 1) context sibling-count(varint) sibling*
//   sibling  = actor-index(varint: which of the context's actors) counter(varint) timestamp(u64)
//              expiry(varint: 0 for never, else milliseconds + 1) value(varint length, bytes)
//   stored   = record checksum(u64: XXH3-64 of record, seeded with XXH3-64 of the encoded key)
#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "lattice/record.h"

namespace eddy::storage {

// The encoded form of the empty record is the empty string, so "absent" needs no case of its own.
std::string EncodeRecord(const lattice::Record& record);
[[nodiscard]] Result<lattice::Record> DecodeRecord(std::string_view encoded);

// What two replicas compare instead of sending values.
inline Digest RecordDigest(std::string_view encoded) { return Hash128(encoded); }

// Appends the checksum; and verifies and strips it (kCorruption).
void SealRecord(std::string_view key, std::string* encoded);
[[nodiscard]] Status UnsealRecord(std::string_view key, std::string* stored);

}  // namespace eddy::storage
