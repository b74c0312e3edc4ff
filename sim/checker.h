// The judge. It sees what clients ask and are told, and which dots the stores give to writes, and
// holds every reply against the promises of section 1 of the design. It knows each write by its dot
// and by its value, which is unique, and knows what each write replaced; it does not know how the
// nodes came to their answers.
//
// What it demands, and why it may:
//
//   Dots are unique.             A dot names one write for ever.
//   No value from nowhere.       A sibling shown carries the value, time, expiry that its dot was
//                                given, on the key it was written to.
//   Seen is shown or replaced.   A reply's context never covers a write that is neither shown nor
//                                expired, unless some client issued a write or delete that had seen
//                                it. That is how an amnesiac replica would give itself away, and it
//                                holds for every read, whatever R and W, and for writes that were
//                                never acknowledged, too.
//   What was reaped stays gone. A read that began after a tombstone was reaped shows nothing that
//                                the tombstone had seen. (It need not have seen it either: nobody
//                                remembers.)
//   Siblings are concurrent.     No sibling shown was seen by the writer of another one shown.
//   Reads do not go back.        What a client was told with s owners durably behind it (of the W
//                                of a write or delete, the R of a read) is part of every later read
//                                that r owners answer with s + r > n: one is in both. (Stand-ins
//                                are in nobody's quorum but the one they stood in for; when their
//                                hints have been delivered, all of the W count. Of a read, owners
//                                count: what a stand-in showed may be a hint for one of them.) So
//                                it covers the context told, and shows nothing that was gone there:
//                                acknowledged writes are kept and deletes stay deleted. Each disk
//                                among the n that was lost since the telling operation began may
//                                have been one of the s, so it lowers s by one; in buckets that are
//                                not synced a crash is such a loss. A record that rots is none,
//                                while another of the s has it whole on its disk: the replica is
//                                silent until it has it back. (A replica shows a reader nothing
//                                that it could lose, and a read of R > 1 writes back what it is
//                                about to show: hence a read's own s.)
//   Absence is an owner's word.  Who stands in knows nothing of what it never saw, and does not say
//                                that it is not there. (Not where members change: then an owner by
//                                one layout may speak for those by another.)
//   The last writer wins.        An `lww` read shows the greatest (time, dot) of what it has seen.
//   A context is honest.         A write's reply does not claim to have seen what its client has
//                                not.
//   Not done means not done.     A write whose every attempt was refused is never applied. (Not
//                                where packets are repeated: a second copy of what one node hands
//                                to another comes when the first was refused. TCP makes none.)
//   Done means done.             A write acknowledged was applied, by as many as asked for.
//   One request, one dot.        Unless its attempts went to different processes.
//
// Besides, no node keeps more of anything than its bound says (sim/sim_node.cc).
//
// When faults have stopped, reading every key with r = n makes these hold for every write that was
// acknowledged and kept at least one of its disks.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lattice/causal_context.h"
#include "ring/layout.h"
#include "sim/plan.h"
#include "sim/sim_node.h"
#include "sim/world.h"
#include "wire/client_message.h"

namespace eddy::sim {

struct KeyIndex {
  uint32_t value = 0;

  friend auto operator<=>(const KeyIndex&, const KeyIndex&) = default;
};

// A key that clients use.
struct SimKey {
  uint32_t bucket = 0;  // in Plan::buckets
  std::string key;
  std::string encoded;
  std::vector<NodeIndex> walk;  // its preference list, for as many replicas as there can be
};

class Checker {
 public:
  // Borrows all of them.
  Checker(World* world, const Plan& plan, const std::vector<SimKey>& keys);

  // A client's operation begins: its number is new and greater than every one before. Writes may
  // have several attempts; a read that is tried again is another operation.
  void Invoked(uint64_t operation, KeyIndex key, const wire::ClientRequest& request,
               bool must_fail = false);
  void Attempted(uint64_t operation) { ++operations_[operation].attempts; }
  // What an attempt brought: a reply, or nothing that its client knows of.
  void Answered(uint64_t operation, const wire::ClientReply& reply);
  void Lost(uint64_t operation) { operations_[operation].open_outcomes = true; }
  // Nothing more will be attempted, and every attempt was answered or given up.
  void Ended(uint64_t operation);

  void Applied(NodeIndex at, uint64_t life, const AppliedWrite& write);
  // Nobody needs this tombstone, or record whose values have expired, any more: from now on what it
  // has seen is gone without a word.
  void Reaped(std::string_view key, std::string_view tombstone);
  // Nobody holds a hint any more, and nothing that could make one is under way: from now on what
  // stand-ins acknowledged is with the owners.
  void HintsDelivered() { hints_delivered_ = true; }
  // A process started, its store failed, or its partitions may have been taken away and given back:
  // its node may begin its history anew, of all or of some records.
  void HistoryMayBegin() { ++histories_; }
  // A process or a disk is gone: see storage::Durability for who loses what.
  void ProcessLost(NodeIndex node);
  void PowerLost(NodeIndex node);
  void DiskLost(NodeIndex node);
  // A copy of the record rots.
  void RecordLost(std::string_view key);
  // How many copies of a key are rotten on their disks now, noticed or not: a replica may show one
  // from its memory, and nobody has it by that.
  using RottenNow = std::function<uint64_t(KeyIndex key)>;
  void SetRottenNow(RottenNow rotten_now) { rotten_now_ = std::move(rotten_now); }

  void Fail(std::string what);
  // The first broken promise; empty while all are kept.
  const std::string& violation() const { return violation_; }

  uint64_t checked() const { return checked_; }
  uint64_t acknowledged() const { return acknowledged_; }
  // How many replicas the key has.
  uint32_t ReplicasOf(KeyIndex key) const {
    return static_cast<uint32_t>(
        std::min<size_t>(BucketOf(key).n, sim_keys_[key.value].walk.size()));
  }
  // Of a record that all replicas hold at the end.
  void CheckFinal(KeyIndex key, std::string_view record);

 private:
  enum class Kind : uint8_t { kGet, kPut, kDelete };

  struct Operation {
    Kind kind = Kind::kGet;
    KeyIndex key;
    uint64_t at = 0;  // in the order of all that the checker saw
    VirtualTime time;
    node::Quorum quorum;
    bool all_siblings = false;
    bool blind = false;
    bool must_fail = false;
    lattice::CausalContext seen;
    WallTime expires_at = lattice::Sibling::kNever;
    uint64_t losses = 0;  // of the key's disks, when it began
    uint64_t all_losses = 0;
    uint64_t rots = 0;  // of the key's records, when it began
    uint32_t attempts = 0;
    uint32_t value_bytes = 0;
    bool open_outcomes = false;  // some attempt may have had an effect
    bool done = false;
    bool refused = false;
    std::vector<uint32_t> writes;  // its dots, in Key::writes
    std::vector<std::pair<NodeIndex, uint64_t>> coordinators;
  };

  struct Write {
    lattice::Dot dot;
    uint64_t operation = 0;
    Timestamp timestamp;
    WallTime expires_at = lattice::Sibling::kNever;
    lattice::CausalContext seen;  // what it replaced where it was applied
    bool replaced = false;        // some write or delete that had seen it was issued
  };

  // What a client was told, which later reads must agree with.
  struct Fact {
    uint64_t operation = 0;
    uint64_t at = 0;
    lattice::CausalContext context;
    // What of the context may still be there; if `whole`, all else in it is gone.
    std::vector<lattice::Dot> shown;
    bool whole = false;
    uint8_t owners = 0;    // that were behind it
    uint8_t strength = 0;  // with stand-ins
    uint8_t n = 0;
    uint64_t losses = 0;       // of the owners' disks, when the operation began
    uint64_t all_losses = 0;   // of any disk
    uint64_t rots = 0;         // of the key's records
    uint64_t outdated_at = 0;  // a later fact says all that this one does; 0: none
  };

  struct Key {
    std::vector<Write> writes;
    std::vector<uint32_t> live;      // not replaced
    std::vector<uint32_t> expiring;  // with an expiry
    std::vector<Fact> facts;
    std::vector<uint64_t> reads_since;  // Operation::at of the reads under way
    // Deletes that took whatever their coordinator held: when, and what that was.
    std::vector<std::pair<uint64_t, lattice::CausalContext>> sweeps;
    // What was reaped: when, and together.
    std::vector<std::pair<uint64_t, lattice::CausalContext>> reapings;
    lattice::CausalContext reaped;
    uint64_t rots = 0;
  };

  struct DotHash {
    size_t operator()(const lattice::Dot& dot) const {
      return static_cast<size_t>(dot.actor.low ^ (dot.counter * 0x9e3779b97f4a7c15));
    }
  };

  const node::BucketProperties& BucketOf(KeyIndex key) const {
    return plan_.buckets[sim_keys_[key.value].bucket].properties;
  }
  bool ShowsAll(const Operation& operation) const;
  uint64_t LossesAt(KeyIndex key, NodeIndex node) const;
  uint64_t LossesOf(KeyIndex key, uint8_t n) const;
  uint64_t AllLossesOf(KeyIndex key) const;
  // How many of those behind a fact are sure to be in the preference list of its key now.
  uint64_t StrengthOf(KeyIndex key, const Fact& fact) const;
  Fact FactOf(uint64_t number, const Operation& operation, const wire::ClientReply& reply,
              lattice::CausalContext context);
  // How wrong any clock can be by then.
  std::chrono::milliseconds WrongAtMost(VirtualTime at) const;
  WallTime Slowest(VirtualTime at) const;
  WallTime Fastest(VirtualTime at) const;
  void MarkReplaced(Key* key, const lattice::CausalContext& seen);
  std::optional<lattice::CausalContext> TokenContext(KeyIndex key, const std::string& token) const;

  void CheckCap(uint64_t number, const Operation& operation, KeyIndex key,
                const AppliedWrite& applied);
  void WriteDone(uint64_t number, Operation* operation, const wire::ClientReply& reply);
  void ReadDone(uint64_t number, Operation* operation, const wire::ClientReply& reply);
  // The promises of one read, each in its own function; `seen` is the reply's context.
  void CheckShown(uint64_t number, const Operation& operation, const wire::ClientReply& reply,
                  const lattice::CausalContext& seen);
  void CheckConcurrent(uint64_t number, const Operation& operation, const wire::ClientReply& reply);
  void CheckNothingForgotten(uint64_t number, const Operation& operation,
                             const wire::ClientReply& reply, const lattice::CausalContext& seen);
  void CheckLastWriter(uint64_t number, const Operation& operation, const wire::ClientReply& reply,
                       const lattice::CausalContext& seen);
  void CheckNotBehind(uint64_t number, const Operation& operation, const wire::ClientReply& reply,
                      const lattice::CausalContext& seen);
  void AddFact(KeyIndex key, Fact fact);
  const Write* Find(KeyIndex key, const lattice::Dot& dot) const;
  std::string Name(uint64_t number) const;

  World* const world_;
  const Plan& plan_;
  RottenNow rotten_now_;  // empty: none ever is
  const std::vector<SimKey>& sim_keys_;
  std::unordered_map<std::string_view, uint32_t> key_by_encoded_;  // lookup only

  uint64_t clock_ = 0;  // counts everything seen
  std::vector<Operation> operations_;
  std::vector<Key> keys_;
  std::unordered_map<lattice::Dot, std::pair<uint32_t, uint32_t>, DotHash> dots_;  // lookup only
  std::array<uint64_t, kNodesMax> disks_lost_{};
  std::array<uint64_t, kNodesMax> powers_lost_{};
  std::array<uint64_t, kNodesMax> processes_lost_{};
  bool hints_delivered_ = false;
  uint64_t histories_ = 0;  // that may have begun, on all nodes together

  std::string violation_;
  uint64_t checked_ = 0;
  uint64_t acknowledged_ = 0;
};

}  // namespace eddy::sim
