// One comparison of a partition with one of its other owners (Dynamo, section 4.7): their hash
// trees level by level, then the records of those leaves alone that differ.
//
//   our root ──▶ peer: the same ────────────────────────────────────────────────▶ equal
//                peer: the 32 below it ── each that differs ──▶ peer: the 32 below that
//                                                                     │
//   page of our records in the leaves that differ, and of theirs ◀────┘
//      └── keys of which one side has another record, or none: each is brought level by a SyncRow
//
// Whatever changes meanwhile is at worst brought level twice.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "node/operation.h"
#include "node/sync_row.h"
#include "storage/hash_tree.h"
#include "storage/store.h"

namespace eddy::node {

class SyncExchange {
 public:
  enum class Outcome : uint8_t {
    kEqual,         // the same root
    kLevelled,      // records differed, and each was brought level
    kFruitless,     // the trees differed and no record did: something was under way
    kUnknownHere,   // our tree is not built yet
    kUnknownThere,  // theirs is not
    kFailed,        // the peer or a store did not do its part
  };

  struct Setting {
    uint64_t op = 0;
    size_t task = 0;  // of the AntiEntropy that asked for it
    uint32_t partition = 0;
    uint8_t n = 0;
    PeerIndex peer;
    unsigned partition_bits = 0;
    const BucketTable* buckets = nullptr;
  };

  explicit SyncExchange(const Setting& setting) : setting_(setting) {}

  // Handlers. Once there is an outcome, the exchange has ended.
  void Begin(OpContext& context);
  void OnStore(OpContext& context, storage::StoreResult result);
  void OnTreeReply(OpContext& context, PeerIndex from, const wire::TreeReply& reply);
  void OnSegmentReply(OpContext& context, PeerIndex from, wire::SegmentReply reply);
  void OnPeerDown(PeerIndex peer);
  void OnTick(OpContext& context);
  void OnRowEnded(OpContext& context, bool levelled);

  // The record to bring level next: to be started as an operation, once the budget allows.
  bool HasRow() const { return !rows_.empty() && !outcome_; }
  const SyncRow& NextRow() const { return rows_.front(); }
  SyncRow TakeRow();

  const std::optional<Outcome>& outcome() const { return outcome_; }
  const Setting& setting() const { return setting_; }
  MonotonicTime began_at() const { return began_at_; }

 private:
  // What is not answered by then is given up.
  static constexpr Duration kAnswerMax = std::chrono::seconds(5);
  // Records found and not yet level, beyond which no more are looked for.
  static constexpr size_t kRowsMax = 2048;
  // Leaves that differ are read together if no more than this many between them do not.
  static constexpr uint32_t kGapMax = 2;
  static constexpr size_t kPageBytes = size_t{1} << 20;

  enum class Step : uint8_t { kTree, kSegment, kRows };

  void End(Outcome outcome) { outcome_ = outcome; }
  void AskTree(OpContext& context, std::optional<uint8_t> inner);
  void NextInner(OpContext& context);
  void NextSegment(OpContext& context);
  void AskSegment(OpContext& context);
  void Compare(OpContext& context);
  bool IsInSegment(const std::string& key) const;
  // The next page, or the end, if nothing keeps us waiting.
  void GoOn(OpContext& context);

  const Setting setting_;
  std::optional<Outcome> outcome_;
  MonotonicTime began_at_;
  Step step_ = Step::kTree;
  // When we wait for the peer.
  std::optional<MonotonicTime> answer_by_;

  std::optional<uint8_t> inner_;  // asked about; nullopt: the root
  std::vector<Digest> below_;     // the hashes below it, here
  std::bitset<storage::HashTree::kFan> inner_left_;
  std::bitset<storage::HashTree::kLeaves> leaves_left_;

  // The leaves being read; `from_` is where the page under way begins, and `end_` what it is
  // before.
  uint32_t first_leaf_ = 0;
  uint32_t last_leaf_ = 0;
  std::string from_;
  std::string end_;
  bool segment_open_ = false;
  std::optional<storage::StoreResult> ours_;
  std::optional<wire::SegmentReply> theirs_;

  std::deque<SyncRow> rows_;
  size_t rows_under_way_ = 0;
  bool any_row_ = false;
  bool row_failed_ = false;
};

}  // namespace eddy::node
