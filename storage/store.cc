#include "storage/store.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "base/limits.h"
#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "storage/scan.h"

namespace eddy::storage {

namespace {

using lattice::CausalContext;
using lattice::Record;

// Those that a reader would still be shown at that time.
uint32_t LiveSiblings(const Record& record, WallTime at) {
  return static_cast<uint32_t>(std::ranges::count_if(
      record.siblings(), [&](const lattice::Sibling& sibling) { return !sibling.ExpiredAt(at); }));
}

Result<std::string> ApplyPut(PutVerb* put, std::string_view stored, uint64_t remembered_since,
                             uint32_t* siblings) {
  Result<Record> record = DecodeRecord(stored);
  if (!record.has_value()) return std::unexpected(record.error());
  const lattice::Dot dot = put->sibling.dot;
  const CausalContext& seen = put->seen.has_value() ? *put->seen : record->context();
  if (record->context().LastOf(dot.actor).last >= dot.counter ||
      seen.LastOf(dot.actor).last >= dot.counter) {
    return Fail(Code::kConflict,
                "this node's next write was seen before: another node runs on a copy of its data "
                "directory, or the client's context was not made by this cluster");
  }
  const lattice::History history{std::max(put->history.begin, remembered_since)};
  const WallTime at = put->sibling.timestamp.wall();
  const uint32_t siblings_before = LiveSiblings(*record, at);
  record->Put(seen, std::move(put->sibling), history);
  *siblings = LiveSiblings(*record, at);
  if (*siblings > put->siblings_max && *siblings > siblings_before) {
    return Fail(Code::kTooLarge,
                fmt::format("nothing written: the key has {} siblings, which is as many as its "
                            "bucket takes (siblings_max), and this write replaces none of them: "
                            "read the key, and write with the context of that reply",
                            siblings_before));
  }
  std::string encoded = EncodeRecord(*record);
  if (encoded.size() > kRecordBytesMax) {
    return Fail(Code::kTooLarge,
                fmt::format("the key's record would have {} bytes with this value, and at most {} "
                            "are kept: resolve its {} siblings first",
                            encoded.size(), kRecordBytesMax, record->siblings().size()));
  }
  return encoded;
}

Result<std::string> ApplyDelete(const DeleteVerb& remove, std::string_view stored) {
  Result<Record> record = DecodeRecord(stored);
  if (!record.has_value()) return std::unexpected(record.error());
  record->Delete(remove.seen.has_value() ? *remove.seen : record->context());
  return EncodeRecord(*record);
}

Result<std::string> ApplyJoin(JoinVerb* join, std::string_view stored) {
  // One record has one encoding, so equal bytes need no decoding.
  if (join->record == stored) return std::move(join->record);
  Result<Record> theirs = DecodeRecord(join->record);
  if (!theirs.has_value()) return std::unexpected(theirs.error());
  if (stored.empty()) return std::move(join->record);
  Result<Record> ours = DecodeRecord(stored);
  if (!ours.has_value()) return std::unexpected(ours.error());
  // Mostly a write that follows ours.
  if (theirs->Includes(*ours)) return std::move(join->record);
  ours->Join(*theirs);
  return EncodeRecord(*ours);
}

// Of a record as it is stored; 0: there is none.
size_t RowBytes(std::string_view key, std::string_view record) {
  return record.empty() ? 0 : key.size() + record.size() + kRecordSealBytes;
}

// The record is the caller's to remove if it is the one that the verb names.
std::string ApplyRemove(const RemoveVerb& remove, std::string_view stored) {
  return RecordDigest(stored) == remove.digest ? std::string() : std::string(stored);
}

// The record after a verb that may change it; empty: none.
Result<std::string> Apply(StoreVerb* verb, std::string_view stored, uint64_t remembered_since,
                          uint32_t* siblings) {
  if (auto* put = std::get_if<PutVerb>(&verb->action)) {
    return ApplyPut(put, stored, remembered_since, siblings);
  }
  if (auto* remove = std::get_if<DeleteVerb>(&verb->action)) return ApplyDelete(*remove, stored);
  if (auto* remove = std::get_if<RemoveVerb>(&verb->action)) return ApplyRemove(*remove, stored);
  return ApplyJoin(&std::get<JoinVerb>(verb->action), stored);
}

}  // namespace

bool NeedsRoom(const StoreVerb& verb) {
  if (std::holds_alternative<PutVerb>(verb.action)) return true;
  const auto* join = std::get_if<JoinVerb>(&verb.action);
  if (join == nullptr) return false;
  const Result<Record> record = DecodeRecord(join->record);
  return record.has_value() && !record->siblings().empty();
}

std::vector<RowName> RowsOf(const StoreVerb& verb) {
  std::vector<RowName> rows;
  if (verb.hint_owner.has_value()) {
    rows.push_back({Space::kHints, EncodeHintKey(*verb.hint_owner, verb.key)});
  } else {
    rows.push_back({Space::kData, verb.key});
  }
  if (const auto* read = std::get_if<ReadVerb>(&verb.action)) {
    for (const NodeId owner : read->hint_owners) {
      rows.push_back({Space::kHints, EncodeHintKey(owner, verb.key)});
    }
  }
  return rows;
}

Store::Place Store::PlaceOf(const StoreVerb& verb, std::string* hint_key) {
  if (!verb.hint_owner.has_value()) return Place{Space::kData, verb.key};
  *hint_key = EncodeHintKey(*verb.hint_owner, verb.key);
  return Place{Space::kHints, *hint_key};
}

bool Store::Execute(StoreVerb* verb, Tier tier, std::vector<StoreResult>* results) {
  if (auto* meta = std::get_if<PutMetaVerb>(&verb->action)) {
    StageMeta(std::move(verb->key), std::move(meta->value));
    staged_.push_back(Waiting{verb->id, Durability::kSync, {}, {}, {}, {}});
    return true;
  }
  if (std::holds_alternative<ScanVerb>(verb->action)) {
    if (tier == Tier::kCache) return false;
    results->push_back(ScanPage(engine_, *verb));
    return true;
  }

  if (std::holds_alternative<TreeVerb>(verb->action) ||
      std::holds_alternative<BuildVerb>(verb->action)) {
    ExecuteTree(*verb, results);
    return true;
  }
  if (std::holds_alternative<MendVerb>(verb->action)) {
    ExecuteMend(*verb, results);
    return true;
  }
  if (std::holds_alternative<CheckVerb>(verb->action)) {
    if (tier == Tier::kCache) return false;
    StoreResult result{verb->id, Stage::kApplied, std::string()};
    std::optional<Digest> sound;
    result.damage = LookAgain(verb->key, &sound);
    results->push_back(std::move(result));
    return true;
  }
  if (std::optional<Error> refuses = Refuses(*verb)) {
    results->push_back(StoreResult{verb->id, Stage::kApplied, std::unexpected(*refuses)});
    return true;
  }

  const bool removes = std::holds_alternative<RemoveVerb>(verb->action);
  const Stage stage =
      removes || std::holds_alternative<JoinVerb>(verb->action) ? Stage::kDurable : Stage::kApplied;
  std::string hint_key;
  std::string row;
  const Place place = PlaceOf(*verb, &hint_key);
  Result<std::optional<Stored>> loaded = Load(place, tier, &row);
  std::optional<FoundDamage> damage;
  size_t bad_hint_bytes = 0;
  if (!loaded.has_value() && loaded.error().code == Code::kCorruption) {
    if (place.space == Space::kData) damage = NoteBad(place.key);
    const auto* remove = std::get_if<RemoveVerb>(&verb->action);
    if (place.space == Space::kHints) bad_hint_bytes = StoredBytes(place);
    const bool removes_bad = remove != nullptr && remove->if_bad && place.space == Space::kHints;
    if (removes_bad || std::holds_alternative<JoinVerb>(verb->action)) loaded = Stored();
  }
  if (!loaded.has_value()) {
    results->push_back(StoreResult{.id = verb->id,
                                   .stage = stage,
                                   .record = std::unexpected(loaded.error()),
                                   .damage = damage});
    return true;
  }
  if (!loaded->has_value()) return false;
  Stored& stored = **loaded;
  const uint64_t token = TokenOfKey(verb->key);
  if (std::holds_alternative<ReadVerb>(verb->action)) {
    std::string record(stored.record);
    const Result<bool> joined = JoinHints(*verb, tier, &record);
    if (!joined.has_value()) {
      results->push_back(StoreResult{verb->id, stage, std::unexpected(joined.error())});
      return true;
    }
    if (!*joined) return false;
    const bool unsynced = unsynced_tokens_.contains(token);
    if (unsynced || ReadsStaged(*verb)) {
      const Durability until = unsynced ? Durability::kSync : Durability::kOs;
      staged_.push_back(Waiting{verb->id, until, {}, std::move(record), {}, {}});
    } else {
      results->push_back(StoreResult{verb->id, stage, std::move(record)});
    }
    return true;
  }

  if (stored.record.empty()) stored.remembered_since = minted_ + 1;
  const uint64_t remembered_since = std::max(stored.remembered_since, forgotten_ + 1);
  if (const auto* put = std::get_if<PutVerb>(&verb->action)) {
    minted_ = std::max(minted_, put->sibling.dot.counter);
  }
  uint32_t siblings = 0;
  Result<std::string> record = Apply(verb, stored.record, remembered_since, &siblings);
  if (!record.has_value()) {
    results->push_back(StoreResult{.id = verb->id,
                                   .stage = stage,
                                   .record = std::unexpected(record.error()),
                                   .damage = damage});
    return true;
  }
  if (verb->hint_owner && record->size() > stored.record.size() &&
      !hints_.Admit(*verb->hint_owner)) {
    results->push_back(StoreResult{
        verb->id, stage,
        Fail(Code::kBusy, fmt::format("this node keeps {} bytes of hints for that owner already "
                                      "(hint_bytes_max): start the owner, or remove it for good",
                                      hints_.bytes_max()))});
    return true;
  }
  if (stage == Stage::kApplied) {
    StoreResult& result = results->emplace_back();
    result.id = verb->id;
    result.record = *record;
    result.siblings = siblings;
  }
  const Logging logging =
      verb->durability == Durability::kMemory ? Logging::kUnlogged : Logging::kLogged;
  // What is stored unchanged is covered by the next sync only if it is in the log.
  const bool covered = logging == Logging::kUnlogged || !wrote_unlogged_;
  Waiting& waiting = staged_.emplace_back();
  waiting.id = verb->id;
  waiting.durability = verb->durability;
  waiting.hint_owner = verb->hint_owner;
  waiting.damage = damage;
  if (removes) waiting.left = *record;
  if (verb->durability == Durability::kSync) {
    ++unsynced_tokens_[token];
    waiting.token = token;
  }
  if (*record != stored.record || bad_hint_bytes > 0 || (!covered && !record->empty())) {
    if (trees_ != nullptr && place.space == Space::kData) {
      trees_->Change(place.key, stored.record, *record);
    }
    const size_t bytes_before =
        bad_hint_bytes > 0 ? bad_hint_bytes : RowBytes(place.key, stored.record);
    StageRecord(place, *std::move(record), stored.remembered_since, logging, bytes_before);
  }
  return true;
}

void Store::ExecuteTree(const StoreVerb& verb, std::vector<StoreResult>* results) {
  StoreResult result{verb.id, Stage::kApplied, std::string()};
  if (trees_ == nullptr) {
    result.record = Fail(Code::kUnsupported, "this store keeps no hash trees");
  } else if (const auto* build = std::get_if<BuildVerb>(&verb.action)) {
    const Status built = Build(*build, &result.damage);
    if (!built.has_value()) result.record = std::unexpected(built.error());
  } else {
    const auto& asked = std::get<TreeVerb>(verb.action);
    if (const HashTree* tree = trees_->Find(asked.partition, asked.n)) {
      const auto below = asked.inner ? tree->LeavesOf(*asked.inner) : tree->inner();
      result.hashes.push_back(asked.inner ? tree->inner()[*asked.inner] : tree->root());
      result.hashes.insert(result.hashes.end(), below.begin(), below.end());
    }
  }
  results->push_back(std::move(result));
}

void Store::ExecuteMend(const StoreVerb& verb, std::vector<StoreResult>* results) {
  const auto& mend = std::get<MendVerb>(verb.action);
  const bool all =
      damage_.End(TokenRangeOf(mend.first), TokenRangeOf(mend.last), mend.as_of,
                  [&](TokenRange range, const std::set<std::string>& bad) {
                    StageMeta(DamageRowKey(range), std::nullopt);
                    for (const std::string& key : bad) {
                      if (!mend.drop_bad) break;
                      if (trees_ != nullptr) trees_->Change(key, {}, {});
                      StageRecord(Place{Space::kData, key}, {}, 0, Logging::kLogged, 0);
                    }
                  });
  StoreResult result{verb.id, Stage::kApplied, std::string()};
  if (!all) result.record = Fail(Code::kBusy, "more damage was found meanwhile");
  results->push_back(std::move(result));
}

std::optional<FoundDamage> Store::NoteBad(std::string_view key) {
  if (trees_ != nullptr) {
    trees_->FoundRotten(key);
    if (trees_->ReplicasOf(key) <= 1) return std::nullopt;
  }
  bool to_write = false;
  const FoundDamage found = damage_.Found(key, &to_write);
  const TokenRange range = TokenRangeOf(found.token);
  if (to_write) StageMeta(DamageRowKey(range), DamageRowValue(range));
  return found;
}

std::optional<FoundDamage> Store::LookAgain(const std::string& key, std::optional<Digest>* sound) {
  // What this turn has written takes the row's place, and is newer than what the cache has.
  const auto& staged = turn_records_[static_cast<size_t>(Space::kData)];
  if (const auto found = staged.find(key); found != staged.end()) {
    const auto& value = turn_[found->second].write.value;
    if (value.has_value()) *sound = RecordDigest(*value);
    return std::nullopt;
  }
  RecordCache::Found cached;
  if (cache_.Find(key, &cached)) {
    *sound = RecordDigest(cached.record);
    StageRecord(Place{Space::kData, key}, std::string(cached.record), cached.remembered_since,
                Logging::kLogged, 0);
    return std::nullopt;
  }
  std::string row;
  const auto now = Load(Place{Space::kData, key}, Tier::kDisk, &row);
  if (now.has_value() || now.error().code != Code::kCorruption) return std::nullopt;
  return NoteBad(key);
}

std::optional<Error> Store::Refuses(const StoreVerb& verb) const {
  if (!damage_.any() || verb.hint_owner.has_value()) return std::nullopt;
  bool answers = true;
  if (const auto* read = std::get_if<ReadVerb>(&verb.action)) answers = read->despite_damage;
  if (const auto* remove = std::get_if<DeleteVerb>(&verb.action))
    answers = remove->seen.has_value();
  if (answers || !damage_.Holds(TokenOfKey(verb.key))) return std::nullopt;
  return Error{Code::kUnavailable,
               "this replica has lost something near this key and is being mended from the others"};
}

Status Store::Build(const BuildVerb& build, std::optional<FoundDamage>* damage) {
  switch (build.step) {
    case BuildVerb::Step::kBegin: {
      // What this turn has staged, a scan does not see yet.
      std::vector<std::string> changing;
      for (const StagedWrite& staged : turn_) {
        if (staged.write.space == Space::kData) changing.push_back(staged.write.key);
      }
      trees_->Begin(build.partition, changing);
      return {};
    }
    case BuildVerb::Step::kFeed: {
      std::vector<TreeKeeper::Row> rows;
      for (const ScannedRow& row : build.rows) {
        std::optional<Digest> sound;
        if (row.record.has_value()) {
          sound = row.digest;
        } else if (const auto found = LookAgain(row.key, &sound)) {
          *damage = found;
        }
        if (sound.has_value()) rows.push_back({row.key, *sound});
      }
      trees_->Feed(build.partition, rows, build.next);
      return {};
    }
    case BuildVerb::Step::kFinish:
      for (const std::string& key : trees_->Unsettled(build.partition)) {
        // Changed a moment ago, so it is in memory but for rare cases.
        std::string row;
        const auto now = Load(Place{Space::kData, key}, Tier::kDisk, &row);
        if (!now.has_value() && now.error().code == Code::kCorruption) {
          *damage = NoteBad(key);
          continue;
        }
        if (!now.has_value()) return std::unexpected(now.error());
        if (!(*now)->record.empty()) trees_->Settle(key, RecordDigest((*now)->record));
      }
      if (trees_->Finish(build.partition)) return {};
      return Fail(Code::kBusy, "too much changed while the partition was read");
  }
  return {};
}

Result<bool> Store::JoinHints(const StoreVerb& verb, Tier tier, std::string* record) {
  for (const NodeId owner : std::get<ReadVerb>(verb.action).hint_owners) {
    const std::string key = EncodeHintKey(owner, verb.key);
    std::string row;
    const auto hint = Load(Place{Space::kHints, key}, tier, &row);
    if (!hint.has_value()) return std::unexpected(hint.error());
    if (!hint->has_value()) return false;
    JoinVerb join{std::string((*hint)->record)};
    if (join.record.empty()) continue;
    Result<std::string> joined = ApplyJoin(&join, *record);
    if (!joined.has_value()) return std::unexpected(joined.error());
    *record = *std::move(joined);
  }
  return true;
}

Result<std::optional<Store::Stored>> Store::Load(const Place& place, Tier tier, std::string* row) {
  const auto& records = turn_records_[static_cast<size_t>(place.space)];
  if (const auto found = records.find(place.key); found != records.end()) {
    const StagedWrite& staged = turn_[found->second];
    const auto& value = staged.write.value;
    return Stored{value ? *value : std::string_view(), staged.remembered_since};
  }
  RecordCache::Found cached;
  if (place.space == Space::kData && cache_.Find(place.key, &cached)) {
    return Stored{cached.record, cached.remembered_since};
  }
  const Result<Presence> presence = engine_->Get(place.space, place.key, tier, row);
  if (!presence.has_value()) return std::unexpected(presence.error());
  switch (*presence) {
    case Presence::kNotCached:
      CHECK(tier == Tier::kCache);
      return std::nullopt;
    case Presence::kAbsent:
      return Stored();
    case Presence::kFound:
      break;
  }
  const Result<uint64_t> remembered_since = UnsealRecord(place.key, row);
  if (!remembered_since.has_value()) return std::unexpected(remembered_since.error());
  if (place.space == Space::kData) cache_.Put(place.key, *row, *remembered_since);
  return Stored{*row, *remembered_since};
}

size_t Store::StoredBytes(const Place& place) {
  std::string row;
  const auto presence = engine_->Get(place.space, place.key, Tier::kDisk, &row);
  return presence.has_value() && *presence == Presence::kFound ? place.key.size() + row.size() : 0;
}

bool Store::ReadsStaged(const StoreVerb& verb) const {
  if (turn_.empty()) return false;
  return std::ranges::any_of(RowsOf(verb), [&](const RowName& row) {
    return turn_records_[static_cast<size_t>(row.space)].contains(row.key);
  });
}

void Store::StageMeta(std::string key, std::optional<std::string> value) {
  turn_.push_back(
      StagedWrite{Write{Space::kMeta, std::move(key), std::move(value)}, Logging::kLogged});
}

void Store::StageRecord(const Place& place, std::string record, uint64_t remembered_since,
                        Logging logging, size_t bytes_before) {
  if (damage_.any() && place.space == Space::kData) damage_.Replaced(place.key);
  wrote_unlogged_ = wrote_unlogged_ || logging == Logging::kUnlogged;
  std::optional<std::string> value;
  if (!record.empty()) value = std::move(record);
  auto& records = turn_records_[static_cast<size_t>(place.space)];
  const auto found = records.find(place.key);
  if (found == records.end()) {
    const size_t hint_bytes = place.space == Space::kHints ? bytes_before : size_t{0};
    turn_.push_back(StagedWrite{Write{place.space, std::string(place.key), std::move(value)},
                                logging, remembered_since, hint_bytes});
    records.emplace(turn_.back().write.key, turn_.size() - 1);
    return;
  }
  StagedWrite& staged = turn_[found->second];
  staged.write.value = std::move(value);
  staged.remembered_since = remembered_since;
  // The record holds what both verbs wrote, so it is logged if one of them asks for it.
  if (logging == Logging::kLogged) staged.logging = Logging::kLogged;
}

Status Store::WriteTurn() {
  for (auto& records : turn_records_) records.clear();
  for (StagedWrite& staged : turn_) {
    CacheWrite(staged);
    if (staged.write.space == Space::kHints) {
      const std::string_view record = staged.write.value ? *staged.write.value : std::string_view();
      hint_changes_.push_back({.owner = DecodeHintKey(staged.write.key)->owner,
                               .logging = staged.logging,
                               .before = staged.hint_bytes_before,
                               .after = RowBytes(staged.write.key, record)});
    }
    if (staged.write.space != Space::kMeta && staged.write.value.has_value()) {
      SealRecord(staged.write.key, staged.remembered_since, &*staged.write.value);
    }
    WriteBatch& batch = staged.logging == Logging::kLogged ? logged_batch_ : unlogged_batch_;
    batch.push_back(std::move(staged.write));
  }
  turn_.clear();
  Status status;
  if (!logged_batch_.empty()) status = engine_->Write(logged_batch_, Logging::kLogged);
  if (status.has_value()) Book(Logging::kLogged);
  if (status.has_value() && !unlogged_batch_.empty()) {
    status = engine_->Write(unlogged_batch_, Logging::kUnlogged);
    if (status.has_value()) Book(Logging::kUnlogged);
  }
  hint_changes_.clear();
  // What was written then, and what not, only the engine can tell.
  if (!status.has_value()) {
    cache_.Clear();
    damage_.BatchLost();
  }
  logged_batch_.clear();
  unlogged_batch_.clear();
  return status;
}

// The hints of this class of the turn's writes are written.
void Store::Book(Logging logging) {
  for (const HintChange& change : hint_changes_) {
    if (change.logging == logging) hints_.Changed(change.owner, change.before, change.after);
  }
}

void Store::CacheWrite(const StagedWrite& staged) {
  const Write& write = staged.write;
  if (write.space != Space::kData) return;
  if (write.value.has_value()) {
    cache_.Put(write.key, *write.value, staged.remembered_since);
  } else {
    cache_.Erase(write.key);
  }
}

uint64_t Store::Commit(std::vector<StoreResult>* results) {
  const Status status = WriteTurn();
  if (!status.has_value()) {
    forgotten_ = minted_;
    if (trees_ != nullptr) trees_->ForgetAll();
  }
  bool counted = false;
  for (Waiting& waiting : staged_) {
    if (!status.has_value() || waiting.durability != Durability::kSync) {
      if (waiting.token.has_value()) Release(*waiting.token);
      Finish(&waiting, status, results);
      continue;
    }
    if (!counted) ++commits_;
    counted = true;
    waiting.commit = commits_;
    unsynced_.push_back(std::move(waiting));
  }
  staged_.clear();
  return commits_;
}

void Store::Synced(uint64_t commit, const Status& status, std::vector<StoreResult>* results) {
  if (status.has_value()) {
    for (const uint64_t token : sync_failed_tokens_) Release(token);
    sync_failed_tokens_.clear();
  }
  while (!unsynced_.empty() && unsynced_.front().commit <= commit) {
    Waiting& waiting = unsynced_.front();
    if (waiting.token.has_value()) {
      const bool kept_back =
          !status.has_value() && sync_failed_tokens_.insert(*waiting.token).second;
      if (!kept_back) Release(*waiting.token);
    }
    Finish(&waiting, status, results);
    unsynced_.pop_front();
  }
}

void Store::Finish(Waiting* waiting, const Status& status, std::vector<StoreResult>* results) {
  StoreResult& result = results->emplace_back();
  result.id = waiting->id;
  result.stage = Stage::kDurable;
  if (waiting->read.has_value()) {
    result.stage = Stage::kApplied;
    result.record = *std::move(waiting->read);
  }
  result.hint_owner = waiting->hint_owner;
  result.damage = waiting->damage;
  if (waiting->left.has_value()) result.record = *std::move(waiting->left);
  if (!status.has_value()) result.record = std::unexpected(status.error());
}

void Store::Release(uint64_t token) {
  const auto unsynced = unsynced_tokens_.find(token);
  if (--unsynced->second == 0) unsynced_tokens_.erase(unsynced);
}

}  // namespace eddy::storage
