#include "storage/store.h"

#include <utility>

#include "base/check.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::storage {

namespace {

using lattice::CausalContext;
using lattice::Record;

Result<std::string> ApplyPut(PutVerb* put, std::string_view stored) {
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
  record->Put(seen, std::move(put->sibling), put->history);
  return EncodeRecord(*record);
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
  ours->Join(*theirs);
  return EncodeRecord(*ours);
}

// The record after a verb that may change it.
Result<std::string> Apply(StoreVerb* verb, std::string_view stored) {
  if (auto* put = std::get_if<PutVerb>(&verb->action)) return ApplyPut(put, stored);
  if (auto* remove = std::get_if<DeleteVerb>(&verb->action)) return ApplyDelete(*remove, stored);
  return ApplyJoin(&std::get<JoinVerb>(verb->action), stored);
}

}  // namespace

bool Store::Execute(StoreVerb* verb, Tier tier, std::vector<StoreResult>* results) {
  if (auto* meta = std::get_if<PutMetaVerb>(&verb->action)) {
    turn_.push_back(StagedWrite{Write{Space::kMeta, std::move(verb->key), std::move(meta->value)},
                                Logging::kLogged});
    staged_.push_back(Waiting{verb->id, Durability::kSync, 0, 0});
    return true;
  }

  const Stage stage =
      std::holds_alternative<JoinVerb>(verb->action) ? Stage::kDurable : Stage::kApplied;
  Result<std::optional<std::string>> loaded = Load(verb->key, tier);
  if (!loaded.has_value()) {
    results->push_back(StoreResult{verb->id, stage, std::unexpected(loaded.error())});
    return true;
  }
  if (!loaded->has_value()) return false;
  std::string& stored = **loaded;
  const uint64_t token = TokenOfKey(verb->key);
  if (std::holds_alternative<ReadVerb>(verb->action)) {
    if (unsynced_tokens_.contains(token)) {
      staged_.push_back(Waiting{verb->id, Durability::kSync, 0, 0, std::move(stored)});
      return true;
    }
    results->push_back(StoreResult{verb->id, stage, std::move(stored)});
    return true;
  }

  Result<std::string> record = Apply(verb, stored);
  if (!record.has_value()) {
    results->push_back(StoreResult{verb->id, stage, std::unexpected(record.error())});
    return true;
  }
  if (stage == Stage::kApplied) results->push_back(StoreResult{verb->id, stage, *record});
  const Logging logging =
      verb->durability == Durability::kMemory ? Logging::kUnlogged : Logging::kLogged;
  // What is stored unchanged is covered by the next sync only if it is in the log.
  const bool covered = logging == Logging::kUnlogged || !wrote_unlogged_;
  if (*record != stored || (!covered && !record->empty())) {
    StageRecord(verb->key, *std::move(record), logging);
  }
  const bool awaits_sync = verb->durability == Durability::kSync;
  if (awaits_sync) ++unsynced_tokens_[token];
  staged_.push_back(Waiting{verb->id, verb->durability, 0, awaits_sync ? token : 0});
  return true;
}

Result<std::optional<std::string>> Store::Load(const std::string& key, Tier tier) {
  if (const auto found = turn_records_.find(key); found != turn_records_.end()) {
    return *turn_[found->second].write.value;
  }
  std::string stored;
  const Result<Presence> presence = engine_->Get(Space::kData, key, tier, &stored);
  if (!presence.has_value()) return std::unexpected(presence.error());
  switch (*presence) {
    case Presence::kNotCached:
      CHECK(tier == Tier::kCache);
      return std::nullopt;
    case Presence::kAbsent:
      return std::string();
    case Presence::kFound:
      break;
  }
  if (Status sealed = UnsealRecord(key, &stored); !sealed.has_value()) {
    return std::unexpected(sealed.error());
  }
  return stored;
}

void Store::StageRecord(const std::string& key, std::string encoded, Logging logging) {
  wrote_unlogged_ = wrote_unlogged_ || logging == Logging::kUnlogged;
  const auto [place, fresh] = turn_records_.try_emplace(key, turn_.size());
  if (fresh) {
    turn_.push_back(StagedWrite{Write{Space::kData, key, std::move(encoded)}, logging});
    return;
  }
  StagedWrite& staged = turn_[place->second];
  staged.write.value = std::move(encoded);
  // The record holds what both verbs wrote, so it is logged if one of them asks for it.
  if (logging == Logging::kLogged) staged.logging = Logging::kLogged;
}

Status Store::WriteTurn() {
  for (StagedWrite& staged : turn_) {
    if (staged.write.space == Space::kData) SealRecord(staged.write.key, &*staged.write.value);
    WriteBatch& batch = staged.logging == Logging::kLogged ? logged_batch_ : unlogged_batch_;
    batch.push_back(std::move(staged.write));
  }
  turn_.clear();
  turn_records_.clear();
  Status status;
  if (!logged_batch_.empty()) status = engine_->Write(logged_batch_, Logging::kLogged);
  if (status.has_value() && !unlogged_batch_.empty()) {
    status = engine_->Write(unlogged_batch_, Logging::kUnlogged);
  }
  logged_batch_.clear();
  unlogged_batch_.clear();
  return status;
}

uint64_t Store::Commit(std::vector<StoreResult>* results) {
  const Status status = WriteTurn();
  bool counted = false;
  for (Waiting& waiting : staged_) {
    if (!status.has_value() || waiting.durability != Durability::kSync) {
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
  while (!unsynced_.empty() && unsynced_.front().commit <= commit) {
    Finish(&unsynced_.front(), status, results);
    unsynced_.pop_front();
  }
}

void Store::Finish(Waiting* waiting, const Status& status, std::vector<StoreResult>* results) {
  if (const auto unsynced = unsynced_tokens_.find(waiting->token);
      waiting->token != 0 && unsynced != unsynced_tokens_.end() && --unsynced->second == 0) {
    unsynced_tokens_.erase(unsynced);
  }
  StoreResult result{waiting->id, Stage::kDurable, std::string()};
  if (waiting->read) {
    result.stage = Stage::kApplied;
    result.record = *std::move(waiting->read);
  }
  if (!status.has_value()) result.record = std::unexpected(status.error());
  results->push_back(std::move(result));
}

}  // namespace eddy::storage
