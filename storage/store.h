// The store of one shard: verbs are values, executed in order on the thread that owns it, so
// read-merge-write needs no lock. The writes of one turn form one batch; one sync covers every
// commit before it; and a verb is acknowledged as durable only after the sync that covers it.
//
//   Execute(verb)* ──▶ applied results (the joined record: send it to the other replicas now)
//   Commit()       ──▶ one write to the engine; durable results of verbs that wait for no sync
//   Synced(n)      ──▶ durable results of every commit up to the n-th
//
// The caller decides when to sync: eddyd's sync thread runs one sync while the next batches are
// applied, the simulator lets virtual time pass and crashes in between.
//
// The store keeps the history rule (lattice/record.h) for what it cannot tell from never having
// been there: a record that comes into being where none was is remembered only since then, even if
// the others say that we wrote some of it. So a partition that was dropped and acquired again, and
// a row that somebody removed by hand, need nobody to notice.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "lattice/record.h"
#include "storage/damage.h"
#include "storage/engine.h"
#include "storage/hint_ledger.h"
#include "storage/identity.h"
#include "storage/record_cache.h"
#include "storage/tree_keeper.h"

namespace eddy::storage {

// A row as a scan finds it.
struct ScannedRow {
  std::string key;             // of the record
  Result<std::string> record;  // encoded; kCorruption: the row is there and cannot be trusted
  Digest digest;               // of the record
  uint32_t bytes = 0;          // of the record
};

// When a write is acknowledged, and so what a crash of the whole machine may take.
enum class Durability : uint8_t {
  kSync = 1,    // on disk
  kOs = 2,      // in the log of the operating system: survives the process, not the machine
  kMemory = 3,  // not logged: survives nothing until the engine flushes
};

// Reads the record. Result: kApplied with the record. What was written to be synced and is not yet
// on disk shows only after the sync that covers it, and anything else only after the commit that
// writes it: neither a crash of this replica nor an engine that refuses the write may take back
// what a reader was shown.
//
// kUnavailable where the key lies in a damaged range (storage/damage.h), unless what is asked for
// is only what this replica does hold.
struct ReadVerb {
  // A stand-in's read: the hints that it keeps for these owners are joined in.
  std::vector<NodeId> hint_owners = {};
  bool despite_damage = false;
};

// A write coordinated here: Record::Put on what is stored. Results: kApplied with the joined
// record, then kDurable. kConflict if the stored record or `seen` already holds the sibling's actor
// at or beyond its counter: the actor has a twin, or the context is forged. kTooLarge if the record
// would be over kRecordBytesMax, or have more than siblings_max siblings while this one replaces
// none (those that have expired by the put's own time do not count). Of a hint that would grow, as
// with the other verbs: kBusy where enough is kept for its owner. After each of these, nothing was
// written.
struct PutVerb {
  std::optional<lattice::CausalContext> seen;  // nullopt: all that this replica holds
  lattice::Sibling sibling;
  lattice::History history;
  uint32_t siblings_max = std::numeric_limits<uint32_t>::max();
};

// A delete coordinated here: Record::Delete. Results as for PutVerb. Deleting what was never seen
// writes nothing; and kUnavailable where all that this replica holds is less than it held.
struct DeleteVerb {
  std::optional<lattice::CausalContext> seen;  // nullopt: all that this replica holds
};

// A record from another replica: Record::Join. Result: kDurable only. Where nothing changes nothing
// is written, but the result still waits for the sync that covers what is stored. A stored row that
// has rotted is as one that was lost: the record takes its place, and its range is damaged.
struct JoinVerb {
  std::string record;  // encoded
};

// Removes the record if it is still the one with this digest. Result: kDurable, with the record
// that is there instead; empty: there is none now.
struct RemoveVerb {
  Digest digest;
  // Of a hint: also where its row cannot be read.
  bool if_bad = false;
};

// A page of what lies in [key, end) of a space: of Space::kData, or of the hints for hint_owner,
// whose keys are then plain record keys. Result: kApplied, with the rows in order. Touches the
// disk: see ScanPage.
struct ScanVerb {
  std::string end;  // empty: the end of the space, or of the owner's hints
  uint32_t rows_max = 256;
  size_t bytes_max = size_t{1} << 20;  // of keys and records read; exceeded by one row at most
  bool digests_only = false;           // and no records
};

// The hashes of a tree (storage/hash_tree.h), if the partition's are known. Result: kApplied, with
// the root and the 32 nodes below it; or with inner node `inner` and the 32 leaves below it. None:
// not known yet.
struct TreeVerb {
  uint32_t partition = 0;
  uint8_t n = 0;
  std::optional<uint32_t> inner;
};

// A step of building the trees of a partition (storage/tree_keeper.h): the first, a page of its
// scan, or the last. Result: kApplied; kBusy when the build was given up and must begin anew.
struct BuildVerb {
  enum class Step : uint8_t { kBegin, kFeed, kFinish };
  Step step = Step::kBegin;
  uint32_t partition = 0;
  std::vector<ScannedRow> rows;
  std::string next;
};

// A scan found the row of this key bad, maybe a while ago: looks again, and writes it anew where it
// is sound in memory. Result: kApplied.
struct CheckVerb {};

// Ends the damage of the ranges that the tokens from `first` to `last` lie in, where none was found
// since `as_of` (FoundDamage::number). Result: kApplied; kBusy where some was, and those stay.
struct MendVerb {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t as_of = 0;
  // Whoever else could hold them does not: the rows that are bad still are dropped.
  bool drop_bad = false;
};

// A row of Space::kMeta, always synced. Result: kDurable only.
struct PutMetaVerb {
  std::string value;
};

struct StoreVerb {
  uint64_t id = 0;  // the caller's; comes back in every result
  std::string key;  // encoded record key (storage/key.h), or a meta row's name
  Durability durability = Durability::kSync;
  std::variant<ReadVerb, PutVerb, DeleteVerb, JoinVerb, RemoveVerb, ScanVerb, TreeVerb, BuildVerb,
               CheckVerb, MendVerb, PutMetaVerb>
      action;
  // Set: the verb is about the hint that is kept for this owner, not about the record itself.
  std::optional<NodeId> hint_owner = {};
};

enum class Stage : uint8_t { kApplied, kDurable };

struct StoreResult {
  uint64_t id = 0;
  Stage stage = Stage::kApplied;
  // The encoded record (empty: absent) where the stage carries one. After an error at either stage
  // no further result follows, and an error of a writing verb means that this store may have
  // forgotten something: its history ends.
  Result<std::string> record;
  // Of a scan: the page, and the key at which the next one begins (empty: that was the last).
  std::vector<ScannedRow> rows = {};
  std::string next = {};
  // Of a tree: the node asked for, then those below it.
  std::vector<Digest> hashes = {};
  // Of a put, with its record: how many siblings that has now, but for those that have expired.
  uint32_t siblings = 0;
  // Of a hint that was written or removed: its owner. Scans from now on see it.
  std::optional<NodeId> hint_owner = {};
  // A bad row was met, whatever became of the verb. kCorruption with it is no sign that anything
  // else may be forgotten.
  std::optional<FoundDamage> damage = {};
};

// Whether the verb needs room on the disk that it does not soon give back: what is refused first
// where there is little. Deletes, removals and the store's own rows do not.
bool NeedsRoom(const StoreVerb& verb);

// The rows that Execute reads for this verb.
struct RowName {
  Space space = Space::kData;
  std::string key;
};
std::vector<RowName> RowsOf(const StoreVerb& verb);

class Store {
 public:
  // Does not own `engine` and `trees`, which must outlive it. `lease` and `damaged`: as
  // OpenIdentity gave them at this start. `trees`: null where nobody compares. `cache_bytes`: of
  // records kept in front of the engine; whoever writes to the engine past this store needs it to
  // be 0. `hints`: of what lies in Space::kHints.
  Store(Engine* engine, const Lease& lease, TreeKeeper* trees = nullptr, size_t cache_bytes = 0,
        HintLedger hints = HintLedger(), const std::vector<TokenRange>& damaged = {})
      : engine_(engine),
        trees_(trees),
        cache_(cache_bytes),
        hints_(std::move(hints)),
        damage_(damaged),
        minted_(lease.begin) {}

  // Executes one verb and appends its immediate result, if it has one. With Tier::kCache, returns
  // false and leaves `verb` untouched when the record is not in memory: fetch it elsewhere
  // (Engine::Get with Tier::kDisk warms the cache), keep later verbs of the same key waiting, then
  // execute again with Tier::kDisk. RowsOf says which rows those are. A scan is never in memory.
  [[nodiscard]] bool Execute(StoreVerb* verb, Tier tier, std::vector<StoreResult>* results);

  // Writes what Execute staged, as one batch per logging class, and appends the durable results
  // that need no sync. Returns the number of this commit, for Synced; the same number as before
  // when nothing waits for a sync.
  uint64_t Commit(std::vector<StoreResult>* results);

  // A sync that began after commit `commit` has ended with `status`: appends the results that
  // waited for it.
  void Synced(uint64_t commit, const Status& status, std::vector<StoreResult>* results);

  // Verbs executed and not yet known durable: what a bound on memory is set on.
  size_t waiting() const { return staged_.size() + unsynced_.size(); }
  // Something waits for Commit.
  bool staged() const { return !turn_.empty() || !staged_.empty(); }
  const RecordCache& cache() const { return cache_; }
  const HintLedger& hints() const { return hints_; }

 private:
  // Where a verb's record lies.
  struct Place {
    Space space = Space::kData;
    std::string_view key;
  };
  // A stored record, as bytes, which stay where they are until something is staged or written.
  // Empty where there is none.
  struct Stored {
    std::string_view record;
    uint64_t remembered_since = 0;  // the least of our counters with no gap between it and now
  };
  struct StagedWrite {
    Write write;  // a record not yet sealed
    Logging logging;
    uint64_t remembered_since = 0;
    size_t hint_bytes_before = 0;  // of a hint: the row before this turn
  };
  // A hint of the batches that are being written, for the ledger.
  struct HintChange {
    NodeId owner;
    Logging logging;
    size_t before = 0;
    size_t after = 0;
  };
  struct Waiting {
    uint64_t id;
    Durability durability;
    std::optional<uint64_t> token;    // of the record written
    std::optional<std::string> read;  // what a reader that waits will be shown
    std::optional<std::string> left;  // what a removal left
    std::optional<NodeId> hint_owner;
    std::optional<FoundDamage> damage = {};
    uint64_t commit = 0;  // set when committed
  };

  struct KeyHash {
    size_t operator()(std::string_view key) const { return Hash64(key); }
  };

  // `*hint_key`: holds the key of a hint.
  static Place PlaceOf(const StoreVerb& verb, std::string* hint_key);
  // The stored record as this turn's earlier verbs left it; nullopt when not in memory. `*row`:
  // holds what comes from the engine.
  Result<std::optional<Stored>> Load(const Place& place, Tier tier, std::string* row);
  // Whether the verb reads what this turn has staged and the engine may refuse yet.
  bool ReadsStaged(const StoreVerb& verb) const;
  // Joins the hints of the owners into the record; false when one is not in memory.
  Result<bool> JoinHints(const StoreVerb& verb, Tier tier, std::string* record);
  // `bytes_before`: of the row as it was, where it is a hint's.
  void StageRecord(const Place& place, std::string record, uint64_t remembered_since,
                   Logging logging, size_t bytes_before);
  // Of a row that is stored, sound or not. Requires that it was read just now.
  size_t StoredBytes(const Place& place);
  void StageMeta(std::string key, std::optional<std::string> value);
  // A row of Space::kData is bad. nullopt: nobody else has what it had, so there is nothing to do.
  std::optional<FoundDamage> NoteBad(std::string_view key);
  // What CheckVerb does; `*sound`: the digest of the record where it was sound in memory.
  std::optional<FoundDamage> LookAgain(const std::string& key, std::optional<Digest>* sound);
  // Why this replica does not answer; nullopt: it does.
  std::optional<Error> Refuses(const StoreVerb& verb) const;
  Status WriteTurn();
  void CacheWrite(const StagedWrite& staged);
  void Book(Logging logging);
  void Finish(Waiting* waiting, const Status& status, std::vector<StoreResult>* results);
  void Release(uint64_t token);

  void ExecuteTree(const StoreVerb& verb, std::vector<StoreResult>* results);
  void ExecuteMend(const StoreVerb& verb, std::vector<StoreResult>* results);
  Status Build(const BuildVerb& build, std::optional<FoundDamage>* damage);

  Engine* const engine_;
  TreeKeeper* const trees_;
  // Of Space::kData, as of the last commit.
  RecordCache cache_;
  // Of Space::kHints, likewise.
  HintLedger hints_;
  Damage damage_;

  // The turn under way: what it writes, one write a record, and which write is whose, for verbs
  // that follow on the same key; and the verbs that wait for it.
  std::deque<StagedWrite> turn_;
  // By the key in the write, which a deque leaves where it is.
  using TurnRecords = std::unordered_map<std::string_view, size_t, KeyHash>;  // lookup only
  std::array<TurnRecords, kSpaces> turn_records_;
  std::vector<Waiting> staged_;

  // Committed, waiting for a sync; in commit order.
  std::deque<Waiting> unsynced_;
  // By token of a record that a staged or unsynced verb wrote: how many did.
  std::unordered_map<uint64_t, uint32_t> unsynced_tokens_;  // lookup only
  // Those of them whose sync failed, each counted once above: the next sync that does not fail
  // covers them, and until then a crash could take back what they would show.
  std::set<uint64_t> sync_failed_tokens_;
  uint64_t commits_ = 0;

  // No dot of ours that was executed here, in this life or an earlier one, has a greater counter.
  uint64_t minted_;
  // A write that failed was forgotten, so nothing minted up to here may be extended; puts that were
  // made before their maker heard of it say otherwise.
  uint64_t forgotten_ = 0;

  // Something was written that is not in the log, so a sync does not cover every stored record.
  bool wrote_unlogged_ = false;

  WriteBatch logged_batch_;  // scratch
  WriteBatch unlogged_batch_;
  std::vector<HintChange> hint_changes_;
};

}  // namespace eddy::storage
