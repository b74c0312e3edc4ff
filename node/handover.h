// Brings what this node holds and should hold no longer to those who own it now, and lets it go
// (Dynamo, section 4.9): records of partitions that the layout has taken away, and hints for a node
// that has left or does not own their key any more. A record goes only when every owner of its key
// has said, durably, that it holds all of it; so a crash of either side at any moment repeats work
// and loses nothing. The rows are in the store; what is here is only where to look.
//
//   nothing moves ── scan a page of a partition that is not ours ── each row: ask its owners
//        ▲                    ▲                                        │ one lacks some of it:
//        │                    └── the page is through ◀── remove it ◀──┤  send it, wait for durable
//        └── after a pause, if a row failed                            └ all hold it
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/inline_vector.h"
#include "node/operation.h"
#include "node/topology.h"
#include "storage/store.h"

namespace eddy::node {

// A page of rows being read: an operation of the node.
struct HandoverScan {};

// One row on its way: an operation of the node.
class HandoverRow {
 public:
  enum class Progress : uint8_t { kUnderWay, kGone, kFailed };

  static constexpr Duration kRowMax = std::chrono::seconds(10);

  struct Setting {
    std::string key;
    std::string record;
    std::vector<PeerIndex> owners;     // at most kWalkMax of each live layout
    std::optional<NodeId> hint_owner;  // it is a hint for this node
  };

  explicit HandoverRow(Setting setting);

  // `epoch`: of the topology that named the owners.
  Progress Begin(OpContext& context, uint64_t op, uint64_t epoch);
  Progress OnReadReply(OpContext& context, uint64_t op, PeerIndex from, wire::ReadReply reply);
  Progress OnWriteReply(OpContext& context, uint64_t op, PeerIndex from,
                        const wire::WriteReply& reply);
  Progress OnStore(OpContext& context, uint64_t op, const storage::StoreResult& result);
  Progress OnPeerDown(PeerIndex down) const;
  Progress OnTick(OpContext& context) const;

  // The owners have said yes, and the verb is on its way.
  bool removing() const { return removing_; }
  uint64_t epoch() const { return epoch_; }
  size_t bytes() const { return bytes_; }
  const std::optional<NodeId>& hint_owner() const { return setting_.hint_owner; }

 private:
  Progress Held(OpContext& context, uint64_t op, size_t owner);

  Setting setting_;
  Digest digest_;
  size_t bytes_;
  PlaceMask asked_ = 0;    // by place in `owners`
  PlaceMask holding_ = 0;  // likewise
  bool removing_ = false;
  uint64_t epoch_ = 0;
  MonotonicTime give_up_at_;
};

class Handover {
 public:
  explicit Handover(unsigned partition_bits) : partition_bits_(partition_bits) {}

  // The topology has changed, or the process has started: every partition is to be looked at that
  // this node does not own for each number of replicas.
  void Relay(const Topology& topology, const std::vector<uint8_t>& counts);
  // Whether the partition is not ours for some number of replicas.
  bool MayBeForeign(uint32_t partition) const {
    return partition < foreign_.size() && foreign_[partition];
  }
  // A record of such a partition was written here that is not ours.
  void NoteForeign(uint32_t partition);

  // The verb of the next scan, or the next row; nullopt: nothing now. Requires that nothing moves.
  std::optional<storage::StoreVerb> NextScan(OpContext& context);
  std::optional<HandoverRow> NextRow(OpContext& context, const Topology& topology,
                                     const BucketTable& buckets);
  void OnScanned(OpContext& context, storage::StoreResult result);
  void RowEnded(OpContext& context, bool gone);

  // How often something came that is not ours.
  uint64_t noted() const { return notes_; }

  // Partitions that may hold something of that, still to be looked through.
  size_t left() const { return todo_.size() + (reading_ ? 1 : 0); }
  // Nothing is held any more that others should hold.
  bool done() const { return todo_.empty() && !reading_; }

 private:
  static constexpr uint32_t kPageRows = 256;
  static constexpr size_t kPageBytes = size_t{1} << 20;
  static constexpr size_t kRowsMax = 64;  // under way
  static constexpr Duration kPause = std::chrono::seconds(1);

  struct Row {
    std::string key;
    std::string record;
  };

  const unsigned partition_bits_;
  std::vector<bool> foreign_;  // by partition: not ours for some number of replicas
  std::set<uint32_t> todo_;    // partitions to be looked at
  // The one that is, until all that was found in it has gone or failed. Whatever comes to it
  // meanwhile puts it down to be looked at again.
  std::optional<uint32_t> reading_;
  bool scanning_ = false;
  bool failed_ = false;  // something of it
  std::string from_;     // where its next page begins
  bool at_end_ = false;  // its last page was read
  std::deque<Row> page_;
  size_t in_flight_ = 0;
  MonotonicTime not_before_;
  uint64_t notes_ = 0;
};

}  // namespace eddy::node
