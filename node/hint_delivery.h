// Brings the records that this node keeps for others to their owners (Dynamo, section 4.6): in
// token order, a page at a time, within the background budget. A row goes only when its owner has
// said that the record is durable there, and only if it has not changed since it was sent, so a
// crash of either side at any moment repeats work and loses nothing. Where the owner has left, or
// its key belongs to others now, they get the record (node/handover.h). The rows are in the store;
// what is here is only how far each owner's delivery has come.
//
//   owner reachable ── scan a page ── send each row ── owner: durable ── remove it if unchanged
//         ▲                 ▲                              │
//         │                 └──── the page is through ─────┤ (no more rows: done with this owner,
//         └──── after a pause ── a row failed ─────────────┘  unless some came meanwhile)
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "base/hash.h"
#include "node/handover.h"
#include "node/operation.h"
#include "node/topology.h"
#include "storage/store.h"

namespace eddy::node {

// A page of rows being read: an operation of the node.
struct HintScan {
  NodeId owner;
};

// A row on its way to its owner, then being removed: an operation of the node.
struct HintRow {
  NodeId owner;
  PeerIndex to;
  std::string key;
  Digest digest;
  size_t bytes = 0;
  MonotonicTime give_up_at;
  bool removing = false;
};

class HintDelivery {
 public:
  // A row that is not acknowledged by then is sent again later.
  static constexpr Duration kRowMax = std::chrono::seconds(10);
  // Between a failure and the next try.
  static constexpr Duration kPause = std::chrono::milliseconds(500);
  static constexpr uint32_t kPageRows = 256;
  static constexpr size_t kPageBytes = size_t{1} << 20;

  // What to start next: a scan to put into the table of operations with the verb that it asks for,
  // or a row with the message; nullopt: nothing now. Called until it gives nothing.
  struct Start {
    std::variant<HintScan, HintRow, HandoverRow> operation;
    std::string record;  // of a row for its owner
    std::string from;    // of a scan: where the page begins
  };
  std::optional<Start> Next(OpContext& context, const Topology& topology,
                            const BucketTable& buckets);

  // Handlers of the operations; true: it has ended.
  bool OnScanned(OpContext& context, const HintScan& scan, storage::StoreResult result);
  bool OnWriteReply(OpContext& context, uint64_t op, HintRow& row, const wire::WriteReply& reply);
  bool OnRemoved(OpContext& context, const HintRow& row, bool removed);
  bool OnPeerDown(OpContext& context, const HintRow& row, PeerIndex peer);
  bool OnTick(OpContext& context, const HintRow& row);
  // A row that went to those who own its key now.
  void HandedOver(OpContext& context, NodeId owner, size_t bytes, bool gone) {
    RowEnded(context, owner, bytes, gone);
  }
  // Every row under way was given up.
  void Relay() { routes_.clear(); }

 private:
  struct Row {
    std::string key;
    std::string record;
  };
  // One owner's delivery under way.
  struct Route {
    std::deque<Row> page;
    bool scanning = false;
    bool at_end = false;  // the last page was read
    std::string next;     // where the next page begins
    size_t in_flight = 0;
    bool failed = false;
    uint64_t notes = 0;  // of the owner in the hint book, when the first page was asked for
    MonotonicTime not_before;
  };

  std::optional<Start> NextFor(OpContext& context, const Topology& topology,
                               const BucketTable& buckets, NodeId owner, Route& route);
  void RowEnded(OpContext& context, NodeId owner, size_t bytes, bool removed);

  std::map<NodeId, Route> routes_;
};

}  // namespace eddy::node
