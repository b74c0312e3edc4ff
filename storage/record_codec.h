// Records as bytes. The encoding is canonical: equal records have equal bytes, so records are
// compared and hashed encoded.
//
// On disk every row carries its own checksum, bound to its key, so rot and misplaced blocks are
// found whatever the engine below believes. A stored record also says since when this replica has
// remembered it without a gap (storage/store.h); that is the replica's own affair, and never sent.
//
//   record   = format(1 byte, = 1) context sibling-count(varint) sibling*
//   sibling  = actor-index(varint: which of the context's actors) counter(varint) timestamp(u64)
//              expiry(varint: 0 for never, else milliseconds + 1) value(varint length, bytes)
//   stored   = record remembered-since(u64) checksum
//   checksum = u64: XXH3-64 of all before it, seeded with XXH3-64 of the row's key
#pragma once

#include <cstdint>
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
void SealRow(std::string_view key, std::string* row);
[[nodiscard]] Status UnsealRow(std::string_view key, std::string* row);

// What sealing a record adds to it.
inline constexpr size_t kRecordSealBytes = 2 * sizeof(uint64_t);

// Makes an encoded record a stored one; and the reverse, which returns `remembered_since`.
void SealRecord(std::string_view key, uint64_t remembered_since, std::string* encoded);
[[nodiscard]] Result<uint64_t> UnsealRecord(std::string_view key, std::string* stored);

}  // namespace eddy::storage
