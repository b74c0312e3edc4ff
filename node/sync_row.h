// One record that two owners hold differently, on its way to being the same on both (Dynamo,
// section 4.7): an operation of the node, started by a SyncExchange.
//
//   we lack it, or both have one:   ask the peer ─▶ join its record ─┐
//   the peer lacks it, or both:     read ours ◀──────────────────────┘ (both)
//                                   └─▶ send it ─▶ the peer says durable: level
#pragma once

#include <cstdint>
#include <string>

#include "base/hash.h"
#include "node/operation.h"
#include "storage/store.h"

namespace eddy::node {

struct SyncRow {
  enum class Need : uint8_t { kPush, kPull, kBoth };
  enum class Step : uint8_t { kAsking, kJoining, kReading, kSending };
  enum class Progress : uint8_t { kUnderWay, kLevel, kFailed };

  static constexpr Duration kRowMax = std::chrono::seconds(10);

  uint64_t exchange = 0;
  PeerIndex peer;
  std::string key;  // encoded
  Need need = Need::kPush;
  Digest theirs;     // of the peer's record, if it has one
  size_t bytes = 0;  // of both records: what the budget is charged
  Step step = Step::kAsking;
  size_t pulled_bytes = 0;  // of the record that the peer sent
  MonotonicTime give_up_at;

  Progress Begin(OpContext& context, uint64_t op);
  Progress OnReadReply(OpContext& context, uint64_t op, PeerIndex from, wire::ReadReply reply);
  Progress OnStore(OpContext& context, uint64_t op, storage::StoreResult result);
  Progress OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply);
  Progress OnPeerDown(PeerIndex down) const;
  Progress OnTick(OpContext& context) const;

 private:
  Progress ReadOurs(OpContext& context, uint64_t op);
};

}  // namespace eddy::node
