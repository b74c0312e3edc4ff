// A node of the ring: coordinator and replica (Dynamo, sections 4.5 and 4.6), as a pure value
// machine. Time, requests, messages and storage results come in; effects go out. It knows no
// socket, disk, clock or thread, so the same class runs in eddyd over libuv and RocksDB and in the
// simulator over virtual time.
//
// The caller's part:
//   - calls from one thread, with `now.monotonic` never going back;
//   - takes the effects after every call (or after a batch of calls) and performs all of them:
//     sends may be lost, repeated or late, but those to one peer over one connection keep their
//     order; store verbs are executed in order and completed as storage/store.h says; every request
//     submitted is answered exactly once;
//   - calls Tick at least every kTickPeriod.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/swim.h"
#include "node/background_budget.h"
#include "node/bucket.h"
#include "node/effects.h"
#include "node/hint_book.h"
#include "ring/layout.h"
#include "ring/layout_change.h"
#include "ring/layout_history.h"
#include "ring/member.h"
#include "ring/planner.h"
#include "storage/identity.h"
#include "storage/store.h"
#include "wire/hello.h"

namespace eddy::node {

// How this node finds its cluster; see node/membership.h.
struct MembershipOptions {
  std::string cluster;  // its name
  // Of those that begin a cluster together, this is the one to found it; and the others' names.
  bool founder = true;
  std::vector<std::string> seeds;
  // How long the founder waits for the others.
  Duration found_after = std::chrono::seconds(3);
  // The member in whose place this node asks to come; empty: none.
  std::string replaces;
  // Whether those who ask are let in without an order; and whether this node wants to be.
  bool auto_join = true;
  unsigned partition_bits = ring::kPartitionBitsDefault;  // of a cluster founded here
  uint32_t replicas = 3;                                  // that layouts are balanced for
  gossip::SwimOptions swim;
};

struct NodeOptions {
  MembershipOptions membership;

  Duration deadline_default = std::chrono::seconds(2);
  Duration deadline_max = std::chrono::seconds(60);
  // When a read asks one more replica: four times the peer's usual answer time, within these.
  Duration hedge_min = std::chrono::milliseconds(5);
  Duration hedge_max = std::chrono::milliseconds(200);
  // When a write gives an owner that was asked and says nothing a stand-in besides.
  Duration stand_in_after = std::chrono::milliseconds(300);
  // How long a starting node waits for its peers to confirm its lease before it goes on without
  // them.
  Duration lease_wait = std::chrono::seconds(1);
  size_t operations_max = 64 * 1024;       // in flight; beyond: kBusy
  size_t recent_requests_max = 64 * 1024;  // remembered for retries
  size_t value_bytes_max = 16 * 1024 * 1024;
  storage::Durability durability = storage::Durability::kSync;
  BackgroundBudget::Options background;
  // How often each pair of owners compares each partition; zero: never.
  Duration anti_entropy_period = std::chrono::seconds(60);
  // How long a deleted or expired key is seen to be dead before it is forgotten, when all members
  // can be reached (node/reaper.h); zero: never.
  Duration reap_after = std::chrono::hours(1);
  // How often all that is stored is read, and so checked, at least; zero: only where something else
  // reads it.
  Duration scrub_period = std::chrono::days(7);
  // How old a hash tree becomes before it is built anew; zero: any age.
  Duration tree_age_max = std::chrono::days(7);
};

// A partition that this node shares with other owners.
struct SyncState {
  uint32_t partition = 0;
  // Of the owner and number of replicas that was found equal least lately; nullopt: one never was.
  std::optional<MonotonicTime> equal_at;
  // Of those with whom it is for this node to begin; MonotonicTime::max() if there are none.
  std::optional<MonotonicTime> begun_equal_at;
  bool under_way = false;
};

// What this node copies from one that held it before, because the newest layout gives it to this
// one. A partition is compared with each of those that held it, and for each number of replicas
// that buckets have.
struct FillSource {
  NodeId from;
  size_t comparisons = 0;
  size_t copied = 0;   // of them, after which all was here that the other one had
  size_t checked = 0;  // likewise, when nobody could write past this node any more
  uint64_t records = 0;
  uint64_t bytes = 0;
};
struct NodeFilling {
  std::optional<MonotonicTime> since;  // nullopt: nothing is to be filled
  std::vector<FillSource> sources;
  size_t partitions = 0;
  size_t copied = 0;
  size_t checked = 0;
};

// What a node keeps of one kind, which grows with what others do, and the most that it may be.
struct TableSize {
  std::string_view table;  // a stable name
  size_t size = 0;
  size_t most = 0;
};

class Node {
 public:
  static constexpr Duration kTickPeriod = std::chrono::milliseconds(5);

  // `self`: this process as a member of a cluster, its id that of `identity`. Requires that the
  // layouts and votes of `identity` can be decoded, or are empty.
  Node(NodeOptions options, BucketTable buckets, ring::Member self, storage::Identity identity,
       Random random);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // A client's request. Answered under `ticket` in some later effects: done, not done, or outcome
  // unknown.
  void Submit(Now now, uint64_t ticket, wire::ClientRequest request);
  // A message from a member. Anything malformed is counted and dropped.
  void Receive(Now now, NodeId from, wire::PeerMessage message);
  // A datagram from any address; likewise.
  void ReceivePacket(Now now, const gossip::Address& from, std::string_view packet);
  // A result of a store verb that this node asked for.
  void Complete(Now now, storage::StoreResult result);
  // What the transport knows: whether messages to `peer` have a way now.
  void PeerUp(Now now, NodeId peer);
  void PeerDown(Now now, NodeId peer);
  // Whether the store refuses what needs room (storage/store.h): clients' puts then go to another
  // owner, which finds a stand-in for this one.
  void NoRoom(bool refused);
  // Deadlines, hedges, lease renewal.
  void Tick(Now now);

  // Tells the others, and begins no more of what nobody waits for, so that what is under way can
  // come to an end.
  void BeginStop(Now now);

  // Moves the effects out; `*effects` is cleared first, and its capacity reused.
  void TakeEffects(Effects* effects);

  // Whether requests are served: not before the lease is confirmed (design, section 4). `reason`
  // says what is awaited.
  bool Ready(std::string_view* reason) const;
  // For a clean stop, once nothing is in flight: what CloseIdentity records.
  lattice::History history() const;
  // Of requests and of what others ask of this node; what nobody waits for is apart.
  size_t operations_in_flight() const;
  size_t background_in_flight() const;
  // Each is within its bound after every call, or the node is wrong.
  static constexpr size_t kTables = 9;
  std::array<TableSize, kTables> Tables() const;
  // The oldest moment at which one of the other owners of one of this node's partitions was last
  // found to hold the same as this node; nullopt: one never was, or nobody compares.
  std::optional<MonotonicTime> equal_since() const;
  // Whether it keeps hash trees and compares them; of how many partitions it knows them by now.
  bool compares() const;
  size_t trees_known() const;
  // Of how many partitions it wants them, and of how many of those it does not know them yet.
  size_t trees_wanted() const;
  size_t trees_missing() const;
  // The partition that the pass over all records (node/reaper.h) has come to; nullopt: there is
  // none now.
  std::optional<uint32_t> scrubbing() const;
  // What background work may use now of its rate, in percent: less than 100 while clients feel it.
  unsigned background_percent() const;
  uint64_t background_bytes_per_second() const;  // 0: without a limit
  // One for each partition, ascending.
  std::vector<SyncState> SyncStates() const;
  // Compares the partition, or all, as soon as may be, with those other owners with whom it is for
  // this node to begin: how many comparisons that are.
  size_t StartSync(Now now, std::optional<uint32_t> partition);
  // What StartSync began goes back to its usual turn, but for what is under way at this moment: how
  // many comparisons that were left.
  size_t StopSyncs(Now now);
  // Of the comparisons that StartSync began since there were none: how many, and how many of them
  // have not ended equal yet.
  size_t syncs_asked() const;
  size_t syncs_left() const;
  // For whom there may be hints here, numbered anew in each life of the node.
  const HintBook& hint_book() const;
  // A random number of this start.
  uint64_t life() const;
  // The layout that reads go by; this node alone, before it knows a cluster.
  const ring::Layout& layout() const;
  // Null: this node is, and was, a member of no cluster.
  const ring::LayoutHistory* layouts() const;
  // Changes whenever layouts() does.
  uint64_t layout_changes() const;
  // Orders changes of the cluster; see Membership::Order.
  Status Order(std::span<const ring::LayoutChange> changes);
  const std::vector<ring::LayoutChange>& orders() const;
  // Without a vote; see Membership::Force for what that may break.
  Status Force(Now now, std::span<const ring::LayoutChange> changes);
  // What would come of these changes, with those that wait already; nothing is ordered.
  Result<ring::Plan> PlanOf(std::span<const ring::LayoutChange> changes) const;
  // Changes that are staged, with these; staging them, ordering all that is staged as one layout,
  // and dropping it: see node/membership.h.
  std::vector<ring::LayoutChange> StagedWith(std::span<const ring::LayoutChange> changes) const;
  Status Stage(Now now, std::span<const ring::LayoutChange> changes);
  Status Commit(Now now, Digest plan);
  Status ClearStage(Now now);
  // Nodes that have asked to join and were not let in by themselves, each of another name.
  std::vector<ring::Member> Askers() const;
  // How many comparisons with former owners this node has to make before it holds what the newest
  // layout gives it, and how many of them are made.
  size_t fills() const;
  size_t filled() const;
  // Of how many partitions, and ranges of tokens in them (storage/damage.h), this replica has lost
  // something that it is being brought back from the others.
  size_t damaged_partitions() const;
  size_t damaged_ranges() const;
  NodeFilling Filling() const;
  // Partitions still to be looked through for what others should hold; and whether nothing is held
  // here any more that they should.
  size_t partitions_to_hand_over() const;
  bool handed_over() const;
  // For whom there may be hints here (node/hint_book.h), in the order of their ids.
  std::vector<NodeId> HintOwners() const;
  NodeId id() const;
  ActorId actor() const;
  bool Reachable(NodeId peer) const;
  // Null: this node takes no part in gossip, since it has no peer door, or has just been made.
  const gossip::Swim* swim() const;
  // Totals since the start, by stable name.
  std::vector<wire::Counter> Counters() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace eddy::node
