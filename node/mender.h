// Brings what this replica has lost back from those who hold it too (storage/damage.h). While a
// range of tokens is damaged the store does not answer for it, and clients' requests go to another
// owner. Its partition is compared with every other owner, whatever anti-entropy does otherwise;
// once all that each of them held has come, the range answers again:
//
//   a row is bad ──▶ damaged ── compared with all other owners, each since then ──▶ mended
//                       ▲                                                              │
//                       └───────────────── another bad row was found meanwhile ◀───────┘
//
// What no other owner holds is lost, and then is absent; where there is no other owner, a bad row
// stays what it is, an error. Part of the node, on its thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "node/anti_entropy.h"
#include "node/operation.h"
#include "storage/store.h"

namespace eddy::node {

// A MendVerb on its way through the store: an operation of the node.
struct MendStep {
  uint32_t partition = 0;
};

class Mender {
 public:
  // `damaged`: as the store was opened.
  Mender(unsigned partition_bits, const std::vector<storage::TokenRange>& damaged);

  bool any() const { return !partitions_.empty(); }
  bool Holds(uint64_t token) const {
    return !ranges_.empty() && ranges_.contains(storage::TokenRangeOf(token));
  }
  size_t ranges() const { return ranges_.size(); }
  size_t partitions() const { return partitions_.size(); }

  // The store has found something. True: something new, whose partition is to be compared anew.
  bool Found(const storage::FoundDamage& damage);
  uint32_t PartitionOf(uint64_t token) const;
  // Every partition that is damaged, ascending.
  std::vector<uint32_t> Partitions() const;

  // The verb for a partition that has been brought level, once; nullopt: none has.
  struct Start {
    MendStep step;
    storage::StoreVerb verb;
  };
  std::optional<Start> Next(const AntiEntropy& anti_entropy);
  // Whether the partition is mended; if not, it is to be compared anew.
  bool Ended(const MendStep& step, const storage::StoreResult& result);
  // The operation was given up.
  void Relay();

 private:
  struct State {
    uint64_t number = storage::Damage::kFromBefore;  // of the damage found last
    uint64_t as_of = 0;                              // of the verb under way; 0: none is
  };

  const unsigned partition_bits_;
  std::map<uint32_t, State> partitions_;
  std::set<storage::TokenRange> ranges_;
};

}  // namespace eddy::node
