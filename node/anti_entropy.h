// When this node compares which partition with whom (Dynamo, section 4.7). Each pair of owners
// compares each partition, and each number of replicas that buckets have, once a period; the one
// with the smaller id begins. Where a layout gives a partition to this node, comparing it with
// those who had it is what copies it (section 4.9). What was not found equal is looked at again
// soon, and ever later while it is not; a peer that comes back is waited for a little, and until it
// has its hints, since those bring it most of what it missed without a comparison.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "node/operation.h"
#include "node/sync_exchange.h"
#include "node/topology.h"

namespace eddy::node {

class AntiEntropy {
 public:
  // What two owners have to agree on.
  struct Task {
    uint32_t partition = 0;
    uint8_t n = 0;
    PeerIndex peer;
    bool begins = false;  // we do
    // The newest layout gives us the partition, and the peer holds it by an older one: what it has
    // must come here before the older one can go.
    bool source = false;
    std::optional<MonotonicTime> levelled_at;  // since when all that the peer had then is here
    uint64_t records = 0;                      // that came from the peer, as a source
    uint64_t bytes = 0;
    // When both last said that they hold the same.
    std::optional<MonotonicTime> equal_at;
    uint32_t misses = 0;  // exchanges since then
    bool under_way = false;
    bool again = false;  // at once when this exchange has ended
    bool asked = false;  // somebody started it, and waits until it is found equal
    MonotonicTime due;
  };

  // `period` zero: only what has to be copied, and what somebody starts.
  explicit AntiEntropy(Duration period) : period_(period) {}

  // The topology has changed; every exchange that was under way is given up. `counts`: the numbers
  // of replicas that buckets have.
  void Relay(MonotonicTime now, const Topology& topology, const Peers& peers,
             const std::vector<uint8_t>& counts);
  // From now on whatever is written comes here too: what was copied before is looked at again.
  void BeginFill(MonotonicTime now);
  // Since then, all that its sources had has come.
  bool Filled() const;
  // Of how many exchanges with sources, and how many of them are done.
  size_t fills() const { return fills_; }
  size_t filled() const;

  // This replica has lost something of the partition: every other owner, whoever begins otherwise,
  // is compared with from now on, until all that it had has come.
  void Mend(MonotonicTime now, uint32_t partition);
  void EndMend(uint32_t partition) { mending_.erase(partition); }
  enum class Mended : uint8_t { kNotYet, kLevel, kNobodyElse };
  // Requires Mend before.
  Mended IsMended(uint32_t partition) const;
  // A record has come, by this task.
  void Pulled(size_t task, size_t bytes);
  // As Node::Filling.
  NodeFilling Filling(const Peers& peers) const;

  // The partitions that this node owns.
  const std::vector<uint32_t>& partitions() const { return partitions_; }

  // The task whose exchange is to begin now: it is under way until Ended.
  std::optional<size_t> Next(OpContext& context);
  void Ended(OpContext& context, const SyncExchange& exchange);
  // A peer has asked us, and had the same root.
  void FoundEqual(MonotonicTime now, uint32_t partition, uint8_t n, PeerIndex peer);
  void PeerUp(MonotonicTime now, PeerIndex peer);
  // As Node::StartSync and Node::StopSyncs.
  size_t Start(MonotonicTime now, std::optional<uint32_t> partition);
  size_t Stop(MonotonicTime now);
  // Of what Start began since there was none of it: how many comparisons those are, and how many of
  // them have not ended equal.
  size_t asked() const { return asked_; }
  size_t asked_left() const;

  // Of the task that was found equal least lately; nullopt: one never was.
  std::optional<MonotonicTime> EqualSince() const;
  // As Node::SyncStates.
  std::vector<SyncState> States() const;
  bool enabled() const { return period_ > Duration{}; }

  const std::vector<Task>& tasks() const { return tasks_; }

 private:
  static constexpr size_t kExchangesMax = 4;
  static constexpr Duration kSoon = std::chrono::milliseconds(250);
  static constexpr Duration kPause = std::chrono::seconds(1);

  void Postpone(size_t index, MonotonicTime due);
  bool IsFilled(const Task& task) const {
    return !task.source || (fill_from_ && task.levelled_at && *task.levelled_at >= *fill_from_);
  }
  bool IsMended(const Task& task) const {
    const auto from = mending_.find(task.partition);
    return from == mending_.end() || (task.levelled_at && *task.levelled_at >= from->second);
  }
  // What the peer has must come here, whether owners are compared otherwise or not.
  bool IsNeeded(const Task& task) const { return !IsFilled(task) || !IsMended(task); }

  const Duration period_;
  std::vector<uint32_t> partitions_;
  std::vector<Task> tasks_;                           // by partition, n and peer
  std::set<std::pair<MonotonicTime, size_t>> queue_;  // of those that we begin, not under way
  size_t under_way_ = 0;
  size_t asked_ = 0;
  size_t fills_ = 0;
  std::optional<MonotonicTime> fill_from_;
  std::map<uint32_t, MonotonicTime> mending_;  // by partition: since when
  std::optional<MonotonicTime> filling_since_;
};

}  // namespace eddy::node
