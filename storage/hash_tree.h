// A hash tree over the records of one partition (Dynamo, section 4.7): 1,024 leaves, each a segment
// of tokens, under 32 inner nodes under a root. A node is the XOR of the digests of all records
// below it, so a change costs three XORs, order plays no part, and two replicas with the same
// records have the same tree. A plain value of 17 KiB.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/hash.h"

namespace eddy::storage {

class HashTree {
 public:
  static constexpr unsigned kFanBits = 5;
  static constexpr uint32_t kFan = 1u << kFanBits;
  static constexpr uint32_t kLeaves = kFan * kFan;

  // Puts a record's digest in, or takes it out: the same. Requires leaf < kLeaves.
  void Toggle(uint32_t leaf, const Digest& digest) {
    leaves_[leaf] ^= digest;
    inner_[leaf >> kFanBits] ^= digest;
    root_ ^= digest;
  }

  const Digest& root() const { return root_; }
  // The 32 nodes below the root.
  std::span<const Digest> inner() const { return inner_; }
  // The 32 leaves below inner node `index`. Requires index < kFan.
  std::span<const Digest> LeavesOf(uint32_t index) const {
    return std::span(leaves_).subspan(size_t{index} << kFanBits, kFan);
  }

 private:
  Digest root_;
  std::array<Digest, kFan> inner_{};
  std::array<Digest, kLeaves> leaves_{};
};

// The leaf of a partition of 2^partition_bits that a token lies in, and the tokens of a leaf, both
// ends included. Requires partition_bits <= 14.
constexpr uint32_t LeafOf(uint64_t token, unsigned partition_bits) {
  return static_cast<uint32_t>(token << partition_bits >> (64 - 2 * HashTree::kFanBits));
}
struct LeafTokens {
  uint64_t first;
  uint64_t last;
};
constexpr LeafTokens TokensOfLeaf(uint32_t partition, uint32_t leaf, unsigned partition_bits) {
  const unsigned below = 64 - partition_bits - 2 * HashTree::kFanBits;
  const uint64_t first = ((uint64_t{partition} << (2 * HashTree::kFanBits)) | leaf) << below;
  return {first, first | ((uint64_t{1} << below) - 1)};
}

// What a record adds to its tree: its digest (storage/record_codec.h), bound to its key (or to the
// digest of that).
Digest TreeDigest(const Digest& key, const Digest& record);
inline Digest TreeDigest(std::string_view key, const Digest& record) {
  return TreeDigest(Hash128(key), record);
}

}  // namespace eddy::storage
