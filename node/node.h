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

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "node/background_budget.h"
#include "node/bucket.h"
#include "node/effects.h"
#include "ring/layout.h"
#include "storage/identity.h"
#include "storage/store.h"
#include "wire/hello.h"

namespace eddy::node {

struct NodeOptions {
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

class Node {
 public:
  static constexpr Duration kTickPeriod = std::chrono::milliseconds(5);

  Node(NodeOptions options, BucketTable buckets, ring::Layout layout, storage::Identity identity,
       Random random);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // A client's request. Answered under `ticket` in some later effects: done, not done, or outcome
  // unknown.
  void Submit(Now now, uint64_t ticket, wire::ClientRequest request);
  // A message from a member. Anything malformed is counted and dropped.
  void Receive(Now now, NodeId from, wire::PeerMessage message);
  // A result of a store verb that this node asked for.
  void Complete(Now now, storage::StoreResult result);
  // What the transport knows: whether messages to `peer` have a way now.
  void PeerUp(Now now, NodeId peer);
  void PeerDown(Now now, NodeId peer);
  // Deadlines, hedges, lease renewal.
  void Tick(Now now);

  // Begins no more of what nobody waits for, so that what is under way can come to an end.
  void BeginStop();

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
  // The oldest moment at which one of the other owners of one of this node's partitions was last
  // found to hold the same as this node; nullopt: one never was, or nobody compares.
  std::optional<MonotonicTime> equal_since() const;
  // Whether it keeps hash trees and compares them; of how many partitions it knows them by now.
  bool compares() const;
  size_t trees_known() const;
  // What background work may use now of its rate, in percent: less than 100 while clients feel it.
  unsigned background_percent() const;
  // One for each partition, ascending.
  std::vector<SyncState> SyncStates() const;
  // Compares the partition, or all, as soon as may be, with those other owners with whom it is for
  // this node to begin: how many comparisons that are.
  size_t StartSync(Now now, std::optional<uint32_t> partition);
  const ring::Layout& layout() const;
  NodeId id() const;
  ActorId actor() const;
  bool Reachable(NodeId peer) const;
  // Totals since the start, by stable name.
  std::vector<wire::Counter> Counters() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace eddy::node
