// Forgets what was deleted, once nobody can bring it back (design, section 8). A tombstone says
// "these writes are gone" to whoever still holds one of them. When no copy of any of them is left
// anywhere, in no record, no hint, no operation and no message, it says nothing to anybody, and may
// go. Time alone never shows that: a member may have been away for a year. So it is found out:
//
//   level    every owner of the key joins the tombstone, durably, and then holds exactly that;
//   ask      every member says that it keeps no hints and holds nothing that is not its own;
//   fence    every member lets end what was under way, and its messages arrive (node/fences.h);
//            and says that all the while no hint came, and nothing of others' either;
//   remove   every owner drops the tombstone, if it is still that one.
//
// Whatever began after all had been asked found only the tombstone with the owners, and no hints;
// whatever had begun before has ended when the fence is passed. If any member does not answer,
// nothing is removed, and all is tried again later. An owner that misses the last message keeps a
// tombstone that means nothing, until the next time. docs/decisions/reaping-by-knowledge.md argues
// it in full.
//
// A record whose values have all expired some time ago is as good as a tombstone, and goes the same
// way, as it is: to take the expired one of two values away by itself could bring back in an lww
// bucket what it had won over.
//
// Every owner reads all that it holds, a page at a time, over and over; what it has found dead in
// one pass and finds unchanged in the next, `after` later, is to be reaped, or after so many passes
// as its bucket's age takes. The owner with the least id begins; each other one waits a pass longer
// than the one before it, for what that one does not hold. Since a pass reads everything, it is the
// scrub as well: what it finds bad, the store is told to look at again (storage/damage.h). Part of
// the node, on its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "node/bucket.h"
#include "node/operation.h"
#include "node/topology.h"
#include "storage/store.h"

namespace eddy::node {

// A page being read: an operation of the node.
struct ReapScan {};

// A key being levelled: an operation of the node.
class ReapRow {
 public:
  enum class Progress : uint8_t { kUnderWay, kLevel, kFailed };

  static constexpr Duration kRowMax = std::chrono::seconds(10);

  struct Setting {
    std::string key;
    Digest digest;                  // of the record that was found
    uint32_t bytes = 0;             // likewise
    std::vector<PeerIndex> owners;  // this node and the others

    // Of the budget.
    size_t charged() const { return key.size() + bytes; }
  };

  explicit ReapRow(Setting setting)
      : setting_(std::move(setting)), steps_(setting_.owners.size(), Step::kJoining) {}

  void Begin(OpContext& context, uint64_t op);
  Progress OnWriteReply(OpContext& context, uint64_t op, PeerIndex from,
                        const wire::WriteReply& reply);
  Progress OnReadReply(PeerIndex from, const wire::ReadReply& reply);
  Progress OnStore(OpContext& context, uint64_t op, const storage::StoreResult& result);
  Progress OnPeerDown(PeerIndex down) const;
  Progress OnTick(OpContext& context) const;

  const std::string& key() const { return setting_.key; }
  // Once it is level.
  const std::string& tombstone() const { return tombstone_; }
  const std::vector<PeerIndex>& owners() const { return setting_.owners; }
  size_t bytes() const { return setting_.charged(); }

 private:
  enum class Step : uint8_t { kJoining, kReading, kLevel };

  size_t PlaceOf(PeerIndex owner) const;
  void Join(OpContext& context, uint64_t op);
  void ReadOwn(OpContext& context, uint64_t op);
  Progress Holds(size_t owner);

  Setting setting_;
  std::string tombstone_;    // encoded; empty until it was read
  std::vector<Step> steps_;  // by owner
  MonotonicTime give_up_at_;
};

class Reaper {
 public:
  // `after` zero: nothing is reaped. `scrub_period` zero: all is read only in order to reap.
  Reaper(Duration after, Duration scrub_period, unsigned partition_bits)
      : after_(after), scrub_period_(scrub_period), partition_bits_(partition_bits) {}

  // The topology has changed, or the node stops: what is under way is given up.
  void Relay();

  // The verb of the next page, or the next row; nullopt: nothing now.
  std::optional<storage::StoreVerb> NextScan(OpContext& context, const Topology& topology);
  void OnScanned(OpContext& context, const Topology& topology, const BucketTable& buckets,
                 storage::StoreResult result);
  std::optional<ReapRow> NextRow(OpContext& context);
  void RowEnded(const ReapRow& row, bool level);
  // What it was asked or has said may be lost.
  void OnPeerDown(PeerIndex peer);
  // The partition that is being read; nullopt: no pass is under way.
  std::optional<uint32_t> passing() const {
    return passing_ ? std::optional(partition_) : std::nullopt;
  }

  // What a member said to the question or fence `id`; nullopt: it keeps something for others, or
  // goes by another layout.
  void OnQuietReply(PeerIndex from, uint64_t id, std::optional<uint64_t> epoch);
  // The rounds. `epoch`: of this node. Gives the fence that this node has to pass itself.
  struct Begun {
    uint64_t id = 0;
    uint64_t version = 0;
  };
  std::optional<Begun> Tick(OpContext& context, const Topology& topology,
                            std::optional<uint64_t> epoch);

 private:
  static constexpr uint32_t kPageRows = 256;
  static constexpr size_t kPageBytes = size_t{1} << 20;
  static constexpr size_t kBatchMax = 1024;     // keys that go through the rounds together
  static constexpr size_t kRowsMax = 64;        // under way
  static constexpr size_t kNotedMax = 1 << 19;  // tombstones remembered from one pass to the next
  static constexpr Duration kRoundMax = std::chrono::seconds(10);

  enum class Step : uint8_t { kReading, kLevelling, kAsking, kFencing };

  // What all owners hold alike.
  struct Level {
    std::string key;
    std::string tombstone;
    std::vector<PeerIndex> owners;
  };

  struct Note {
    uint64_t of = 0;      // hashed: key and tombstone
    uint32_t passes = 0;  // in a row
  };

  // Every other member can be reached: without one of them nothing comes of it.
  static bool AllAreHere(const OpContext& context, const Topology& topology);
  void BeginRound(OpContext& context, const Topology& topology, Step step);
  void Remove(OpContext& context);
  void GiveUp();
  bool PassIsDue(MonotonicTime now) const;
  void EndPass(MonotonicTime now);

  const Duration after_;
  const Duration scrub_period_;
  const unsigned partition_bits_;

  Step step_ = Step::kReading;
  MonotonicTime reap_at_;   // when the next pass begins in which the dead are noted
  MonotonicTime scrub_at_;  // and the next in any case
  bool passing_ = false;
  bool noting_dead_ = false;  // in this pass
  uint32_t partition_ = 0;
  std::string from_;  // where the next page begins; empty: at the partition's beginning
  bool scanning_ = false;
  bool outdated_ = false;  // what is being scanned is of no use any more
  // What was found dead in the pass before, sorted; and in this one.
  std::vector<Note> noted_;
  std::vector<Note> noting_;

  // To be levelled. Their names alone: a record that waits here could be brought back to others
  // when they have forgotten it. A row reads it anew, as an operation that fences wait for.
  std::deque<ReapRow::Setting> found_;
  size_t levelling_ = 0;
  std::vector<Level> level_;

  uint64_t round_ = 0;  // greater than every one before, in earlier lives as well if clocks allow
  MonotonicTime give_up_at_;
  std::map<PeerIndex, std::optional<uint64_t>> epochs_;  // of whom was asked
  std::map<PeerIndex, uint64_t> epochs_before_;          // what they said in the round before
  bool refused_ = false;
};

}  // namespace eddy::node
