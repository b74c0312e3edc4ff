#include "node/sync_row.h"

#include <utility>

#include "storage/record_codec.h"

namespace eddy::node {

SyncRow::Progress SyncRow::Begin(OpContext& context, uint64_t op) {
  give_up_at = context.now.monotonic + kRowMax;
  if (need == Need::kPush) return ReadOurs(context, op);
  step = Step::kAsking;
  context.Send(peer, wire::ReadRequest{
                         .op = op, .key = key, .have = {}, .budget = kRowMax, .as_owner = true});
  return Progress::kUnderWay;
}

SyncRow::Progress SyncRow::OnReadReply(OpContext& context, uint64_t op, PeerIndex from,
                                       wire::ReadReply reply) {
  if (from != peer || step != Step::kAsking) return Progress::kUnderWay;
  if (reply.error) return Progress::kFailed;
  // It went while we asked.
  if (reply.record.empty()) return Progress::kLevel;
  theirs = storage::RecordDigest(reply.record);
  pulled_bytes = reply.record.size();
  step = Step::kJoining;
  context.counters.Add(Count::kSyncPulled);
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = op,
                         .key = key,
                         .durability = storage::Durability::kSync,
                         .action = storage::JoinVerb{std::move(reply.record)}});
  return Progress::kUnderWay;
}

SyncRow::Progress SyncRow::ReadOurs(OpContext& context, uint64_t op) {
  step = Step::kReading;
  context.effects.verbs.push_back(storage::StoreVerb{
      .id = op, .key = key, .action = storage::ReadVerb{.despite_damage = true}});
  return Progress::kUnderWay;
}

SyncRow::Progress SyncRow::OnStore(OpContext& context, uint64_t op, storage::StoreResult result) {
  if (!result.record) return Progress::kFailed;
  if (step == Step::kJoining) {
    return need == Need::kBoth ? ReadOurs(context, op) : Progress::kLevel;
  }
  // It went, or all that we had is what the peer has.
  if (result.record->empty()) return Progress::kLevel;
  if (need == Need::kBoth && storage::RecordDigest(*result.record) == theirs) {
    return Progress::kLevel;
  }
  step = Step::kSending;
  context.counters.Add(Count::kSyncPushed);
  context.Send(peer,
               wire::WriteRequest{.op = op,
                                  .key = key,
                                  .record = *std::move(result.record),
                                  .durability = static_cast<uint8_t>(storage::Durability::kSync),
                                  .budget = kRowMax,
                                  .hint_for = {}});
  return Progress::kUnderWay;
}

SyncRow::Progress SyncRow::OnWriteReply(OpContext&, PeerIndex from, const wire::WriteReply& reply) {
  if (from != peer || step != Step::kSending) return Progress::kUnderWay;
  return reply.error ? Progress::kFailed : Progress::kLevel;
}

SyncRow::Progress SyncRow::OnPeerDown(PeerIndex down) const {
  const bool waits = step == Step::kAsking || step == Step::kSending;
  return waits && down == peer ? Progress::kFailed : Progress::kUnderWay;
}

SyncRow::Progress SyncRow::OnTick(OpContext& context) const {
  const bool waits = step == Step::kAsking || step == Step::kSending;
  if (!waits || context.now.monotonic < give_up_at) return Progress::kUnderWay;
  context.peers.LeftUnanswered(peer);
  return Progress::kFailed;
}

}  // namespace eddy::node
