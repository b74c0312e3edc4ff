#include "node/reaper.h"

#include <algorithm>
#include <utility>

#include "lattice/record.h"
#include "node/partition_page.h"
#include "ring/partition.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::node {

using Progress = ReapRow::Progress;

size_t ReapRow::PlaceOf(PeerIndex owner) const {
  return static_cast<size_t>(std::ranges::find(setting_.owners, owner) - setting_.owners.begin());
}

void ReapRow::Begin(OpContext& context, uint64_t op) {
  give_up_at_ = context.now.monotonic + kRowMax;
  ReadOwn(context, op);
}

void ReapRow::ReadOwn(OpContext& context, uint64_t op) {
  context.effects.verbs.push_back(storage::StoreVerb{
      .id = op, .key = setting_.key, .action = storage::ReadVerb{.despite_damage = true}});
}

void ReapRow::Join(OpContext& context, uint64_t op) {
  for (const PeerIndex owner : setting_.owners) {
    // Synced, whatever the bucket says: a crash must not bring back what came before it.
    if (owner == kSelf) {
      context.effects.verbs.push_back(storage::StoreVerb{
          .id = op, .key = setting_.key, .action = storage::JoinVerb{tombstone_}});
    } else {
      context.Send(
          owner, wire::WriteRequest{.op = op,
                                    .key = setting_.key,
                                    .record = tombstone_,
                                    .durability = static_cast<uint8_t>(storage::Durability::kSync),
                                    .budget = kRowMax});
    }
  }
}

Progress ReapRow::OnWriteReply(OpContext& context, uint64_t op, PeerIndex from,
                               const wire::WriteReply& reply) {
  const size_t owner = PlaceOf(from);
  if (owner == setting_.owners.size() || steps_[owner] != Step::kJoining) {
    return Progress::kUnderWay;
  }
  if (reply.error) return Progress::kFailed;
  steps_[owner] = Step::kReading;
  context.Send(from, wire::ReadRequest{.op = op,
                                       .key = setting_.key,
                                       .have = setting_.digest,
                                       .budget = kRowMax,
                                       .as_owner = true});
  return Progress::kUnderWay;
}

Progress ReapRow::OnReadReply(PeerIndex from, const wire::ReadReply& reply) {
  const size_t owner = PlaceOf(from);
  if (owner == setting_.owners.size() || steps_[owner] != Step::kReading) {
    return Progress::kUnderWay;
  }
  // Another record is one with something alive in it.
  return reply.same && !reply.error ? Holds(owner) : Progress::kFailed;
}

Progress ReapRow::OnStore(OpContext& context, uint64_t op, const storage::StoreResult& result) {
  if (!result.record) return Progress::kFailed;
  const size_t self = PlaceOf(kSelf);
  const bool found = storage::RecordDigest(*result.record) == setting_.digest;
  if (tombstone_.empty()) {
    // It was written again meanwhile.
    if (!found) return Progress::kFailed;
    tombstone_ = *result.record;
    Join(context, op);
    return Progress::kUnderWay;
  }
  if (steps_[self] == Step::kJoining) {
    steps_[self] = Step::kReading;
    ReadOwn(context, op);
    return Progress::kUnderWay;
  }
  return found ? Holds(self) : Progress::kFailed;
}

Progress ReapRow::Holds(size_t owner) {
  steps_[owner] = Step::kLevel;
  const bool all = std::ranges::all_of(steps_, [](Step step) { return step == Step::kLevel; });
  return all ? Progress::kLevel : Progress::kUnderWay;
}

Progress ReapRow::OnPeerDown(PeerIndex down) const {
  return PlaceOf(down) != setting_.owners.size() ? Progress::kFailed : Progress::kUnderWay;
}

Progress ReapRow::OnTick(OpContext& context) const {
  return context.now.monotonic >= give_up_at_ ? Progress::kFailed : Progress::kUnderWay;
}

// --- What is dead

namespace {

// Whether nothing in a record has been alive since `dead_since`. Clocks differ, so what has only
// just expired is alive.
bool IsDead(std::string_view encoded, WallTime dead_since) {
  const auto record = storage::DecodeRecord(encoded);
  return record && !record->empty() &&
         std::ranges::all_of(record->siblings(), [&](const lattice::Sibling& sibling) {
           return sibling.ExpiredAt(dead_since);
         });
}

uint64_t NoteOf(std::string_view key, const Digest& digest) { return Hash64(key, digest.low); }

}  // namespace

void Reaper::Relay() {
  GiveUp();
  found_.clear();
  levelling_ = 0;
  passing_ = false;
  outdated_ = scanning_;
}

bool Reaper::AllAreHere(const OpContext& context, const Topology& topology) {
  return std::ranges::all_of(topology.others(),
                             [&](PeerIndex other) { return context.peers.Reachable(other); });
}

std::optional<storage::StoreVerb> Reaper::NextScan(OpContext& context, const Topology& topology) {
  const MonotonicTime now = context.now.monotonic;
  if (step_ != Step::kReading || scanning_ || !topology.settled() ||
      (!passing_ && !PassIsDue(now))) {
    return std::nullopt;
  }
  if (!std::exchange(passing_, true)) {
    noting_dead_ = after_ > Duration{} && now >= reap_at_;
    noting_.clear();
    partition_ = 0;
    from_.clear();
  }
  if (!context.budget.Take(now, kPageBytes)) return std::nullopt;
  scanning_ = true;
  return PartitionPage(partition_, partition_bits_, from_, kPageRows, kPageBytes);
}

void Reaper::OnScanned(OpContext& context, const Topology& topology, const BucketTable& buckets,
                       storage::StoreResult result) {
  scanning_ = false;
  size_t used = 0;
  if (std::exchange(outdated_, false)) return context.budget.Return(kPageBytes, used);
  const bool all_are_here = AllAreHere(context, topology);
  for (storage::ScannedRow& row : result.rows) {
    used += row.key.size() + row.bytes;
    const auto key = storage::DecodeKey(row.key);
    if (!key) continue;
    if (!row.record) {
      context.Check(std::move(row.key));
      continue;
    }
    if (!noting_dead_) continue;
    const BucketProperties& bucket = buckets.Find(key->bucket);
    const Duration age = std::max<Duration>(after_, bucket.reap_age);
    if (!IsDead(*row.record,
                context.now.wall - std::chrono::duration_cast<std::chrono::milliseconds>(age))) {
      continue;
    }
    std::vector<PeerIndex> owners = topology.Owners(ring::PartitionId{partition_}, bucket.n);
    if (std::ranges::find(owners, kSelf) == owners.end()) continue;
    const auto before = std::ranges::count_if(owners, [&](PeerIndex owner) {
      return context.peers.IdOf(owner) < context.peers.IdOf(kSelf);
    });
    const uint64_t note = NoteOf(row.key, row.digest);
    const auto known = std::ranges::lower_bound(noted_, note, {}, &Note::of);
    const bool seen = known != noted_.end() && known->of == note;
    // It stays noted, since this may come to nothing.
    if (noting_.size() < kNotedMax) noting_.push_back({note, seen ? known->passes + 1 : 1});
    // A pass begins `after_` behind the one before.
    const auto ages = (age + after_ - Duration(1)) / after_;
    if (!all_are_here || !seen || std::cmp_less(known->passes, before + ages)) continue;
    found_.push_back({std::move(row.key), row.digest, row.bytes, std::move(owners)});
  }
  context.budget.Return(kPageBytes, std::min(used, kPageBytes));
  from_ = std::move(result.next);
  if (from_.empty()) ++partition_;
  if (partition_ == ring::PartitionCount(partition_bits_)) EndPass(context.now.monotonic);
  if (found_.size() >= kBatchMax || (!passing_ && !found_.empty())) step_ = Step::kLevelling;
}

bool Reaper::PassIsDue(MonotonicTime now) const {
  return (after_ > Duration{} && now >= reap_at_) ||
         (scrub_period_ > Duration{} && now >= scrub_at_);
}

void Reaper::EndPass(MonotonicTime now) {
  passing_ = false;
  scrub_at_ = now + scrub_period_;
  if (!noting_dead_) return;
  reap_at_ = now + after_;
  noted_ = std::exchange(noting_, {});
  std::ranges::sort(noted_, {}, &Note::of);
}

// --- The rounds

std::optional<ReapRow> Reaper::NextRow(OpContext& context) {
  if (step_ != Step::kLevelling || found_.empty() || levelling_ == kRowsMax) return std::nullopt;
  if (!context.budget.Take(context.now.monotonic, found_.front().charged())) return std::nullopt;
  ReapRow next(std::move(found_.front()));
  found_.pop_front();
  ++levelling_;
  return next;
}

void Reaper::RowEnded(const ReapRow& row, bool level) {
  --levelling_;
  if (level) level_.push_back({row.key(), row.tombstone(), row.owners()});
}

void Reaper::OnPeerDown(PeerIndex peer) {
  if ((step_ == Step::kAsking || step_ == Step::kFencing) && epochs_.contains(peer)) GiveUp();
}

void Reaper::OnQuietReply(PeerIndex from, uint64_t id, std::optional<uint64_t> epoch) {
  if (id != round_ || (step_ != Step::kAsking && step_ != Step::kFencing)) return;
  const auto asked = epochs_.find(from);
  if (asked == epochs_.end()) return;
  asked->second = epoch;
  const bool changed = step_ == Step::kFencing && epoch && *epoch != epochs_before_[from];
  refused_ |= !epoch || changed;
}

void Reaper::BeginRound(OpContext& context, const Topology& topology, Step step) {
  step_ = step;
  const int64_t wall = context.now.wall.time_since_epoch().count();
  round_ = std::max(round_ + 1, static_cast<uint64_t>(std::max<int64_t>(wall, 1)));
  give_up_at_ = context.now.monotonic + kRoundMax;
  refused_ = false;
  epochs_.clear();
  epochs_[kSelf];
  for (const PeerIndex other : topology.others()) {
    epochs_[other];
    context.Send(other, wire::QuietRequest{.op = round_,
                                           .version = topology.newest().version(),
                                           .fence = step == Step::kFencing});
  }
}

std::optional<Reaper::Begun> Reaper::Tick(OpContext& context, const Topology& topology,
                                          std::optional<uint64_t> epoch) {
  if (step_ == Step::kReading) return std::nullopt;
  if (!epoch || !AllAreHere(context, topology)) {
    GiveUp();
    return std::nullopt;
  }
  if (step_ == Step::kLevelling) {
    if (!found_.empty() || levelling_ > 0) return std::nullopt;
    if (level_.empty()) {
      step_ = Step::kReading;
      return std::nullopt;
    }
    BeginRound(context, topology, Step::kAsking);
    OnQuietReply(kSelf, round_, epoch);
    return std::nullopt;
  }
  if (refused_ || context.now.monotonic >= give_up_at_) {
    GiveUp();
    return std::nullopt;
  }
  const bool all =
      std::ranges::all_of(epochs_, [](const auto& said) { return said.second.has_value(); });
  if (!all) return std::nullopt;
  if (step_ == Step::kFencing) {
    Remove(context);
    return std::nullopt;
  }
  epochs_before_.clear();
  for (const auto& [member, said] : epochs_) epochs_before_[member] = *said;
  BeginRound(context, topology, Step::kFencing);
  return Begun{round_, topology.newest().version()};
}

void Reaper::Remove(OpContext& context) {
  for (const Level& row : level_) {
    context.counters.Add(Count::kReaped);
    for (const PeerIndex owner : row.owners) {
      if (owner == kSelf) {
        context.effects.verbs.push_back(storage::StoreVerb{
            .id = kNobodyWaits,
            .key = row.key,
            .durability = storage::Durability::kOs,
            .action = storage::RemoveVerb{storage::RecordDigest(row.tombstone)}});
      } else {
        context.Send(owner, wire::ReapRequest{.key = row.key, .tombstone = row.tombstone});
      }
    }
  }
  level_.clear();
  step_ = Step::kReading;
}

// Whatever was found is found again in the next pass.
void Reaper::GiveUp() {
  level_.clear();
  found_.clear();
  if (levelling_ == 0) step_ = Step::kReading;
}

}  // namespace eddy::node
