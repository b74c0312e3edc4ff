#include "node/served_op.h"

#include <utility>

#include "storage/hash_tree.h"
#include "storage/identity.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::node {

ServedRead::ServedRead(OpContext& context, uint64_t op, PeerIndex from, wire::ReadRequest request,
                       std::vector<NodeId> hint_owners)
    : from_(from),
      their_op_(request.op),
      have_(request.have),
      deadline_(context.now.monotonic + request.budget) {
  context.counters.Add(Count::kReplicaReads);
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = op,
                         .key = std::move(request.key),
                         .action = storage::ReadVerb{.hint_owners = std::move(hint_owners),
                                                     .despite_damage = request.as_owner}});
}

bool ServedRead::OnStore(OpContext& context, storage::StoreResult result) {
  if (context.now.monotonic >= deadline_) {
    context.counters.Add(Count::kDroppedTooLate);
    return true;
  }
  wire::ReadReply reply{.op = their_op_};
  if (!result.record) {
    reply.error = result.record.error();
  } else if (have_ && storage::RecordDigest(*result.record) == *have_) {
    context.counters.Add(Count::kReplicaReadsSame);
    reply.same = true;
  } else {
    reply.record = std::move(*result.record);
  }
  context.Send(from_, std::move(reply));
  return true;
}

ServedWrite::ServedWrite(OpContext& context, uint64_t op, PeerIndex from,
                         wire::WriteRequest&& request, std::optional<WrittenTo> to)
    : from_(from), their_op_(request.op), to_(to) {
  context.counters.Add(Count::kReplicaWrites);
  storage::StoreVerb verb{.id = op,
                          .key = std::move(request.key),
                          .durability = static_cast<storage::Durability>(request.durability),
                          .action = storage::JoinVerb{std::move(request.record)}};
  if (!request.hint_for.IsNone()) {
    context.counters.Add(Count::kHintsKept);
    context.hints.Note(request.hint_for);
    verb.hint_owner = request.hint_for;
  }
  context.effects.verbs.push_back(std::move(verb));
}

bool ServedWrite::OnStore(OpContext& context, const storage::StoreResult& result) {
  if (their_op_ == 0) return true;  // a repair that nobody waits for
  wire::WriteReply reply{.op = their_op_};
  if (!result.record) reply.error = result.record.error();
  context.Send(from_, std::move(reply));
  return true;
}

ServedLease::ServedLease(OpContext& context, uint64_t op, PeerIndex from,
                         const wire::LeaseAnnouncement& announced)
    : from_(from), their_op_(announced.op) {
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = op,
                         .key = storage::WitnessRowKey(announced.actor),
                         .action = storage::PutMetaVerb{storage::WitnessRowValue(
                             {announced.actor, announced.begin, announced.end, announced.boot})}});
}

bool ServedLease::OnStore(OpContext& context, const storage::StoreResult& result) {
  // A witness that cannot remember does not answer, and is asked again.
  if (!result.record) return true;
  context.counters.Add(Count::kLeasesGranted);
  context.Send(from_, wire::LeaseAnswer{.op = their_op_, .granted = true});
  return true;
}

ServedTree::ServedTree(OpContext& context, uint64_t op, PeerIndex from,
                       const wire::TreeRequest& request)
    : from_(from), request_(request) {
  storage::TreeVerb tree{.partition = request.partition, .n = request.n, .inner = {}};
  if (request.inner) tree.inner = *request.inner;
  context.effects.verbs.push_back(storage::StoreVerb{.id = op, .key = {}, .action = tree});
}

bool ServedTree::OnStore(OpContext& context, const storage::StoreResult& result) {
  wire::TreeReply reply{.op = request_.op, .known = false, .same = false, .hashes = {}};
  if (result.record && !result.hashes.empty()) {
    reply.known = true;
    reply.same = result.hashes.front() == request_.hash;
    if (!reply.same) reply.hashes.assign(result.hashes.begin() + 1, result.hashes.end());
  }
  const bool same = reply.same && !request_.inner;
  context.Send(from_, std::move(reply));
  return same;
}

ServedSegment::ServedSegment(OpContext& context, uint64_t op, PeerIndex from,
                             unsigned partition_bits, const wire::SegmentRequest& request)
    : from_(from), their_op_(request.op), n_(request.n) {
  const auto first =
      storage::TokensOfLeaf(request.partition, request.first_leaf, partition_bits).first;
  const auto last =
      storage::TokensOfLeaf(request.partition, request.last_leaf, partition_bits).last;
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = op,
                         .key = request.from.empty() ? storage::FirstKeyOf(first) : request.from,
                         .action = storage::ScanVerb{.end = storage::FirstKeyAfter(last),
                                                     .rows_max = wire::kSegmentRowsMax,
                                                     .bytes_max = kPageBytes,
                                                     .digests_only = true}});
}

void ServedSegment::OnStore(OpContext& context, const BucketTable& buckets,
                            storage::StoreResult result) {
  wire::SegmentReply reply{.op = their_op_, .error = {}, .rows = {}, .next = {}};
  if (!result.record) reply.error = result.record.error();
  for (storage::ScannedRow& row : result.rows) {
    // A row that rotted is as good as missing: the peer's mends it.
    if (!row.record) context.Check(row.key);
    if (!row.record || buckets.Find(storage::DecodeKey(row.key)->bucket).n != n_) continue;
    reply.rows.push_back({.key = std::move(row.key), .digest = row.digest, .bytes = row.bytes});
  }
  reply.next = std::move(result.next);
  context.Send(from_, std::move(reply));
}

}  // namespace eddy::node
