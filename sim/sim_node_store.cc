// What a process has of its store: verbs in turns, turns in commits, one sync at a time, and reads
// that a slow disk takes its time for; all of it in virtual time (server/store_runner.h does it for
// real).
#include <map>
#include <utility>
#include <vector>

#include "node/operation.h"
#include "sim/sim_node.h"
#include "storage/record_codec.h"
#include "storage/scan.h"

namespace eddy::sim {

// Where a key has but one owner nothing is sent.
void SimNode::TellReaped(const storage::StoreVerb& verb) {
  const auto* remove = std::get_if<storage::RemoveVerb>(&verb.action);
  if (remove == nullptr || verb.hint_owner || verb.id != node::kNobodyWaits) return;
  const std::string record = RecordOf(verb.key);
  if (storage::RecordDigest(record) != remove->digest) return;
  setting_.listener->Reaped(setting_.index, verb.key, record);
}

void SimNode::TakeVerb(storage::StoreVerb verb) {
  verbs_.push_back(std::move(verb));
  if (turn_scheduled_) return;
  turn_scheduled_ = true;
  ScheduleMine(DrawDisk(disk_.turn), Event::Kind::kStoreTurn);
}

void SimNode::StoreTurn() {
  turn_scheduled_ = false;
  std::vector<storage::StoreVerb> verbs;
  std::swap(verbs, verbs_);
  for (storage::StoreVerb& verb : verbs) Execute(std::move(verb), storage::Tier::kCache);
  ScheduleCommit();
  CompleteResults();
}

void SimNode::Execute(storage::StoreVerb verb, storage::Tier tier) {
  if (std::holds_alternative<storage::PutMetaVerb>(verb.action) ||
      std::holds_alternative<storage::TreeVerb>(verb.action) ||
      std::holds_alternative<storage::BuildVerb>(verb.action) ||
      std::holds_alternative<storage::MendVerb>(verb.action)) {
    return ExecuteNow(std::move(verb), tier);
  }
  if (std::holds_alternative<storage::ScanVerb>(verb.action)) return BeginScan(std::move(verb));
  if (const auto waits = awaiting_fetch_.find(verb.key); waits != awaiting_fetch_.end()) {
    waits->second.push_back(std::move(verb));
    return;
  }
  if (disk_.miss_per_1000 > 0 && random_.Chance(disk_.miss_per_1000, 1'000)) {
    for (const storage::RowName& row : storage::RowsOf(verb)) engine_.Evict(row.space, row.key);
  }
  ExecuteNow(std::move(verb), tier);
}

void SimNode::ExecuteNow(storage::StoreVerb verb, storage::Tier tier) {
  if (!PlantInVerb(&verb)) return;
  if (disk_full_ && storage::NeedsRoom(verb)) {
    results_.push_back(
        {.id = verb.id, .record = Fail(Code::kUnavailable, "the simulated disk is full")});
    return;
  }
  // What the checker must know of a write is taken before the store takes the verb apart.
  std::optional<lattice::Sibling> sibling;
  bool coordinated = false;
  bool saw_all = false;
  if (const auto* put = std::get_if<storage::PutVerb>(&verb.action)) {
    coordinated = true;
    sibling = put->sibling;
    saw_all = !put->seen.has_value();
  } else if (const auto* remove = std::get_if<storage::DeleteVerb>(&verb.action)) {
    coordinated = true;
    saw_all = !remove->seen.has_value();
  }
  const bool reads = std::holds_alternative<storage::ReadVerb>(verb.action);
  const bool stands_in = verb.hint_owner.has_value();
  const std::string key = verb.key;
  const size_t results_before = results_.size();
  if (!store_->Execute(&verb, tier, &results_)) {
    const uint64_t fetch = ++fetches_;
    fetching_.emplace(fetch, key);
    awaiting_fetch_[key].push_back(std::move(verb));
    world_->Schedule(
        DrawDisk(disk_.fetch),
        Event{
            .kind = Event::Kind::kFetched, .node = setting_.index, .peer = {}, .argument = fetch});
    return;
  }
  if (setting_.bug == PlantedBug::kErrorIsAbsent && reads && results_.size() > results_before &&
      !results_.back().record) {
    results_.back().record = std::string();
  }
  if (coordinated && results_.size() > results_before && results_.back().record) {
    setting_.listener->Applied(setting_.index,
                               AppliedWrite{.key = key,
                                            .stands_in = stands_in,
                                            .sibling = sibling ? &*sibling : nullptr,
                                            .saw_all = saw_all,
                                            .record = *results_.back().record});
  }
}

// Read at one moment, shown at a later one, as by a thread of its own.
void SimNode::BeginScan(storage::StoreVerb verb) {
  if (!PlantInVerb(&verb)) return;
  const uint64_t scan = ++fetches_;
  scanned_.emplace(scan, storage::ScanPage(&engine_, verb));
  world_->Schedule(
      DrawDisk(disk_.fetch),
      Event{.kind = Event::Kind::kFetched, .node = setting_.index, .peer = {}, .argument = scan});
}

void SimNode::FetchDone(uint64_t fetch) {
  if (auto page = scanned_.extract(fetch)) {
    results_.push_back(std::move(page.mapped()));
    return CompleteResults();
  }
  const auto found = fetching_.find(fetch);
  if (found == fetching_.end()) return;
  auto waiting = awaiting_fetch_.extract(found->second);
  fetching_.erase(found);
  for (storage::StoreVerb& verb : waiting.mapped()) {
    ExecuteNow(std::move(verb), storage::Tier::kDisk);
  }
  ScheduleCommit();
  CompleteResults();
}

void SimNode::ScheduleCommit() {
  if (commit_scheduled_) return;
  if (disk_.commit.most == Duration{}) return StoreCommit();
  commit_scheduled_ = true;
  ScheduleMine(DrawDisk(disk_.commit), Event::Kind::kStoreCommit);
}

// Where an owner's hints have reached their bound, a commit makes them no more.
void SimNode::CheckHints(const std::map<NodeId, storage::HintUsage>& before) {
  const auto& after = store_->hints().usage();
  for (const auto& [owner, usage] : before) {
    const auto now = after.find(owner);
    const bool grew = now != after.end() && now->second.bytes > usage.bytes;
    if (grew && usage.bytes >= setting_.plan->hint_bytes_max) {
      setting_.listener->Overfull(setting_.index, {"hint-bytes", now->second.bytes, usage.bytes});
    }
  }
}

void SimNode::StoreCommit() {
  commit_scheduled_ = false;
  const std::map<NodeId, storage::HintUsage> hints = store_->hints().usage();
  committed_ = store_->Commit(&results_);
  CheckHints(hints);
  if (setting_.bug == PlantedBug::kAckBeforeSync) store_->Synced(committed_, {}, &results_);
  BeginSync();
  CompleteResults();
}

void SimNode::BeginSync() {
  if (syncing_ || committed_ == synced_) return;
  syncing_ = true;
  syncing_commit_ = committed_;
  syncing_batches_ = engine_.unsynced_batches();
  ScheduleMine(DrawDisk(disk_.sync), Event::Kind::kSyncDone);
}

void SimNode::SyncDone() {
  syncing_ = false;
  synced_ = syncing_commit_;
  const Status status = engine_.SyncFirst(syncing_batches_);
  if (setting_.bug != PlantedBug::kAckBeforeSync) {
    store_->Synced(syncing_commit_, status, &results_);
  }
  BeginSync();
  CompleteResults();
}

void SimNode::CompleteResults() {
  if (results_.empty()) return;
  std::vector<storage::StoreResult> results;
  std::swap(results, results_);
  for (storage::StoreResult& result : results) {
    node_->Complete(ProcessNow(), std::move(result));
  }
  Perform();
}

}  // namespace eddy::sim
