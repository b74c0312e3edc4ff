#include "node/hint_delivery.h"

#include <algorithm>
#include <utility>

#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::node {

std::optional<HintDelivery::Start> HintDelivery::Next(OpContext& context, const Topology& topology,
                                                      const BucketTable& buckets) {
  const auto& notes = context.hints.notes();
  for (auto at = notes.begin(); at != notes.end();) {
    const NodeId owner = at->first;
    ++at;  // now: an owner without hints is struck from the book
    const auto peer = context.peers.Find(owner);
    const bool is_gone = !peer || !topology.IsMember(*peer);
    if (!is_gone && !context.peers.Reachable(*peer)) continue;
    Route& route = routes_[owner];
    if (auto start = NextFor(context, topology, buckets, owner, route)) return start;
  }
  return std::nullopt;
}

std::optional<HintDelivery::Start> HintDelivery::NextFor(OpContext& context,
                                                         const Topology& topology,
                                                         const BucketTable& buckets, NodeId owner,
                                                         Route& route) {
  if (route.scanning || context.now.monotonic < route.not_before) return std::nullopt;
  if (!route.page.empty()) {
    // One that has fallen silent is asked for one sign of life at a time.
    const auto peer = context.peers.Find(owner);
    if (route.in_flight > 0 && peer && context.peers.Silent(*peer)) return std::nullopt;
    Row& row = route.page.front();
    const size_t bytes = row.key.size() + row.record.size();
    if (!context.budget.Take(context.now.monotonic, bytes)) return std::nullopt;
    ++route.in_flight;
    const auto key = storage::DecodeKey(row.key);
    std::vector<PeerIndex> owners;
    if (key) {
      owners = topology.Owners(topology.newest().PartitionOf(ring::Token{key->token}),
                               buckets.Find(key->bucket).n);
    }
    const bool is_owner =
        peer && topology.IsMember(*peer) && std::ranges::find(owners, *peer) != owners.end();
    if (!is_owner) {
      std::erase_if(owners,
                    [&](PeerIndex other) { return other != kSelf && !topology.IsMember(other); });
      Start start{.operation = HandoverRow({.key = std::move(row.key),
                                            .record = std::move(row.record),
                                            .owners = std::move(owners),
                                            .hint_owner = owner}),
                  .record = {},
                  .from = {}};
      route.page.pop_front();
      return start;
    }
    Start start{.operation = HintRow{.owner = owner,
                                     .to = *peer,
                                     .key = std::move(row.key),
                                     .digest = storage::RecordDigest(row.record),
                                     .bytes = bytes,
                                     .give_up_at = context.now.monotonic + kRowMax},
                .record = std::move(row.record),
                .from = {}};
    route.page.pop_front();
    return start;
  }
  if (route.at_end) {
    // Its last rows are on their way still.
    if (route.in_flight > 0) return std::nullopt;
    const bool all_delivered = !route.failed;
    const uint64_t notes = route.notes;
    route = Route();
    if (all_delivered) context.hints.Delivered(owner, notes);
    if (!context.hints.MayHold(owner)) return std::nullopt;
  }
  if (route.next.empty()) route.notes = context.hints.notes().at(owner).noted;
  route.scanning = true;
  return Start{.operation = HintScan{owner}, .record = {}, .from = route.next};
}

bool HintDelivery::OnScanned(OpContext& context, const HintScan& scan,
                             storage::StoreResult result) {
  Route& route = routes_[scan.owner];
  route.scanning = false;
  if (!result.record) {
    route.at_end = true;
    route.failed = true;
    route.not_before = context.now.monotonic + kPause;
    return true;
  }
  for (storage::ScannedRow& row : result.rows) {
    if (!row.record) {
      // A row that rots is lost; the other replicas have the record, and repair finds the owner.
      context.counters.Add(Count::kHintsCorrupt);
      context.effects.verbs.push_back(
          storage::StoreVerb{.id = kNobodyWaits,
                             .key = std::move(row.key),
                             .durability = storage::Durability::kOs,
                             .action = storage::RemoveVerb{.digest = {}, .if_bad = true},
                             .hint_owner = scan.owner});
      continue;
    }
    route.page.push_back(Row{std::move(row.key), *std::move(row.record)});
  }
  route.next = std::move(result.next);
  route.at_end = route.next.empty();
  return true;
}

bool HintDelivery::OnWriteReply(OpContext& context, uint64_t op, HintRow& row,
                                const wire::WriteReply& reply) {
  if (row.removing) return false;
  context.peers.Answered(row.to, context.now.monotonic - (row.give_up_at - kRowMax));
  if (reply.error) {
    RowEnded(context, row.owner, row.bytes, false);
    return true;
  }
  row.removing = true;
  context.counters.Add(Count::kHintsDelivered);
  // Synced: a hint that came back after a crash would be news of what may be forgotten by then.
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = op,
                         .key = row.key,
                         .durability = storage::Durability::kSync,
                         .action = storage::RemoveVerb{.digest = row.digest},
                         .hint_owner = row.owner});
  return false;
}

bool HintDelivery::OnRemoved(OpContext& context, const HintRow& row, bool removed) {
  RowEnded(context, row.owner, row.bytes, removed);
  return true;
}

bool HintDelivery::OnPeerDown(OpContext& context, const HintRow& row, PeerIndex peer) {
  if (row.removing || row.to != peer) return false;
  RowEnded(context, row.owner, row.bytes, false);
  return true;
}

bool HintDelivery::OnTick(OpContext& context, const HintRow& row) {
  if (row.removing || context.now.monotonic < row.give_up_at) return false;
  context.peers.LeftUnanswered(row.to);
  RowEnded(context, row.owner, row.bytes, false);
  return true;
}

void HintDelivery::RowEnded(OpContext& context, NodeId owner, size_t bytes, bool removed) {
  context.budget.Return(bytes);
  Route& route = routes_[owner];
  --route.in_flight;
  if (removed) return;
  // What is left of this pass is read again with the next.
  route.failed = true;
  route.page.clear();
  route.at_end = true;
  route.not_before = context.now.monotonic + kPause;
}

}  // namespace eddy::node
