#include "node/handover.h"

#include <algorithm>
#include <utility>

#include "lattice/record.h"
#include "node/partition_page.h"
#include "ring/partition.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::node {

using Progress = HandoverRow::Progress;

HandoverRow::HandoverRow(Setting setting)
    : setting_(std::move(setting)),
      digest_(storage::RecordDigest(setting_.record)),
      bytes_(setting_.key.size() + setting_.record.size()) {}

Progress HandoverRow::Begin(OpContext& context, uint64_t op, uint64_t epoch) {
  epoch_ = epoch;
  give_up_at_ = context.now.monotonic + kRowMax;
  for (size_t place = 0; place < setting_.owners.size(); ++place) {
    const PeerIndex owner = setting_.owners[place];
    if (owner == kSelf) {
      context.effects.verbs.push_back(storage::StoreVerb{
          .id = op, .key = setting_.key, .action = storage::JoinVerb{setting_.record}});
      continue;
    }
    if (!context.peers.Reachable(owner)) return Progress::kFailed;
    asked_ |= PlaceBit(place);
    context.Send(
        owner,
        wire::ReadRequest{
            .op = op, .key = setting_.key, .have = digest_, .budget = kRowMax, .as_owner = true});
  }
  // Somebody must own it.
  return setting_.owners.empty() ? Progress::kFailed : Progress::kUnderWay;
}

Progress HandoverRow::OnReadReply(OpContext& context, uint64_t op, PeerIndex from,
                                  wire::ReadReply reply) {
  const auto place =
      static_cast<size_t>(std::ranges::find(setting_.owners, from) - setting_.owners.begin());
  if (place == setting_.owners.size() || (asked_ & PlaceBit(place)) == 0) {
    return Progress::kUnderWay;
  }
  asked_ &= ~PlaceBit(place);
  if (reply.error) return Progress::kFailed;
  if (reply.same) return Held(context, op, place);
  const auto ours = storage::DecodeRecord(setting_.record);
  auto theirs = storage::DecodeRecord(reply.record);
  if (!ours || !theirs) return Progress::kFailed;
  theirs->Join(*ours);
  if (storage::EncodeRecord(*theirs) == reply.record) return Held(context, op, place);
  context.Send(from,
               wire::WriteRequest{.op = op,
                                  .key = setting_.key,
                                  .record = setting_.record,
                                  .durability = static_cast<uint8_t>(storage::Durability::kSync),
                                  .budget = kRowMax});
  return Progress::kUnderWay;
}

Progress HandoverRow::OnWriteReply(OpContext& context, uint64_t op, PeerIndex from,
                                   const wire::WriteReply& reply) {
  const auto place =
      static_cast<size_t>(std::ranges::find(setting_.owners, from) - setting_.owners.begin());
  if (place == setting_.owners.size()) return Progress::kUnderWay;
  return reply.error ? Progress::kFailed : Held(context, op, place);
}

Progress HandoverRow::Held(OpContext& context, uint64_t op, size_t owner) {
  holding_ |= PlaceBit(owner);
  const bool all = static_cast<size_t>(std::popcount(holding_)) == setting_.owners.size();
  if (removing_ || !all) return Progress::kUnderWay;
  removing_ = true;
  context.counters.Add(Count::kHandedOver);
  // Synced, so that it does not come back when nobody expects it any more.
  context.effects.verbs.push_back(storage::StoreVerb{.id = op,
                                                     .key = setting_.key,
                                                     .durability = storage::Durability::kSync,
                                                     .action = storage::RemoveVerb{digest_},
                                                     .hint_owner = setting_.hint_owner});
  return Progress::kUnderWay;
}

Progress HandoverRow::OnStore(OpContext& context, uint64_t op, const storage::StoreResult& result) {
  if (!result.record) return Progress::kFailed;
  if (removing_) return result.record->empty() ? Progress::kGone : Progress::kFailed;
  if (result.stage != storage::Stage::kDurable) return Progress::kUnderWay;
  const auto self = std::ranges::find(setting_.owners, kSelf);
  return Held(context, op, static_cast<size_t>(self - setting_.owners.begin()));
}

Progress HandoverRow::OnPeerDown(PeerIndex down) const {
  const bool needed = std::ranges::find(setting_.owners, down) != setting_.owners.end();
  return needed && !removing_ ? Progress::kFailed : Progress::kUnderWay;
}

Progress HandoverRow::OnTick(OpContext& context) const {
  return !removing_ && context.now.monotonic >= give_up_at_ ? Progress::kFailed
                                                            : Progress::kUnderWay;
}

// --- Where to look

void Handover::Relay(const Topology& topology, const std::vector<uint8_t>& counts) {
  foreign_.assign(ring::PartitionCount(partition_bits_), false);
  todo_.clear();
  for (uint32_t partition = 0; partition < foreign_.size(); ++partition) {
    for (const uint8_t n : counts) {
      const auto owners = topology.Owners(ring::PartitionId{partition}, n);
      if (std::ranges::find(owners, kSelf) != owners.end()) continue;
      foreign_[partition] = true;
      todo_.insert(partition);
      break;
    }
  }
  reading_.reset();
  scanning_ = false;
  failed_ = false;
  at_end_ = false;
  page_.clear();
  in_flight_ = 0;
}

void Handover::NoteForeign(uint32_t partition) {
  ++notes_;
  todo_.insert(partition);
}

std::optional<storage::StoreVerb> Handover::NextScan(OpContext& context) {
  if (scanning_ || !page_.empty() || context.now.monotonic < not_before_) return std::nullopt;
  if (at_end_) {
    if (in_flight_ > 0) return std::nullopt;
    // This one is through.
    if (failed_) {
      todo_.insert(*reading_);
      not_before_ = context.now.monotonic + kPause;
    }
    reading_.reset();
    failed_ = at_end_ = false;
    return std::nullopt;
  }
  if (!reading_) {
    if (todo_.empty()) return std::nullopt;
    reading_ = *todo_.begin();
    todo_.erase(todo_.begin());
    from_.clear();
  }
  scanning_ = true;
  return PartitionPage(*reading_, partition_bits_, from_, kPageRows, kPageBytes);
}

void Handover::OnScanned(OpContext& context, storage::StoreResult result) {
  scanning_ = false;
  if (!result.record) {
    failed_ = true;
    at_end_ = true;
    not_before_ = context.now.monotonic + kPause;
    return;
  }
  for (storage::ScannedRow& row : result.rows) {
    if (row.record) {
      page_.push_back(Row{std::move(row.key), *std::move(row.record)});
    } else {
      // It goes when it is found bad again; or it is sound in memory, and is found so then.
      context.Check(std::move(row.key));
      failed_ = true;
    }
  }
  from_ = std::move(result.next);
  at_end_ = from_.empty();
}

std::optional<HandoverRow> Handover::NextRow(OpContext& context, const Topology& topology,
                                             const BucketTable& buckets) {
  while (!page_.empty() && in_flight_ < kRowsMax) {
    Row& row = page_.front();
    const auto key = storage::DecodeKey(row.key);
    std::vector<PeerIndex> owners;
    if (key) {
      owners = topology.Owners(topology.newest().PartitionOf(ring::Token{key->token}),
                               buckets.Find(key->bucket).n);
    }
    if (!key || std::ranges::find(owners, kSelf) != owners.end()) {
      page_.pop_front();
      continue;
    }
    if (!context.budget.Take(context.now.monotonic, row.key.size() + row.record.size())) break;
    HandoverRow handed({.key = std::move(row.key),
                        .record = std::move(row.record),
                        .owners = std::move(owners),
                        .hint_owner = std::nullopt});
    page_.pop_front();
    ++in_flight_;
    return handed;
  }
  return std::nullopt;
}

void Handover::RowEnded(OpContext& context, bool gone) {
  --in_flight_;
  if (gone) return;
  failed_ = true;
  not_before_ = context.now.monotonic + kPause;
}

}  // namespace eddy::node
