#include "server/store_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "storage/scan.h"

namespace eddy::server {

using storage::StoreResult;
using storage::StoreVerb;
using storage::Tier;

namespace {

// What writes nothing, and so goes on when the disk takes no more.
bool IsRead(const StoreVerb& verb) {
  return std::holds_alternative<storage::ReadVerb>(verb.action) ||
         std::holds_alternative<storage::CheckVerb>(verb.action) ||
         std::holds_alternative<storage::TreeVerb>(verb.action) ||
         std::holds_alternative<storage::BuildVerb>(verb.action);
}

// Of the record or value that it brings.
size_t BytesOf(const StoreVerb& verb) {
  if (const auto* put = std::get_if<storage::PutVerb>(&verb.action)) {
    return put->sibling.value.size();
  }
  const auto* join = std::get_if<storage::JoinVerb>(&verb.action);
  return join == nullptr ? 0 : join->record.size();
}

StoreResult Refusal(const StoreVerb& verb, Error error) {
  return StoreResult{.id = verb.id, .record = std::unexpected(std::move(error))};
}

}  // namespace

StoreRunner::StoreRunner(uv_loop_t* loop, storage::Engine* engine, const storage::Lease& lease,
                         storage::TreeKeeper* trees, storage::HintLedger hints,
                         StoreRunnerOptions options, std::function<void()> arrived)
    : options_(std::move(options)),
      engine_(engine),
      on_arrived_(std::move(arrived)),
      store_(engine, lease, trees, options_.record_cache_bytes, std::move(hints), options_.damaged),
      async_(new uv_async_t) {
  CHECK(uv_async_init(loop, async_, [](uv_async_t* handle) {
          static_cast<StoreRunner*>(handle->data)->on_arrived_();
        }) == 0);
  async_->data = this;
  syncer_ =
      std::make_unique<SyncThread>(engine, [this](uint64_t commit, Status status, Duration took) {
        Post([&](Arrived* mailbox) {
          mailbox->synced_commit = commit;
          if (mailbox->sync_status) mailbox->sync_status = std::move(status);
          mailbox->syncs.push_back(took);
        });
      });
  readers_ = std::make_unique<ReaderPool>(options_.reader_threads);
}

StoreRunner::~StoreRunner() { CHECK(async_ == nullptr); }

void StoreRunner::Close() {
  readers_.reset();
  syncer_.reset();
  if (async_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(async_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
}

void StoreRunner::Post(const std::function<void(Arrived*)>& change) {
  {
    const std::lock_guard lock(mutex_);
    change(&arrived_);
  }
  uv_async_send(async_);
}

void StoreRunner::Execute(std::vector<StoreVerb>* verbs, std::vector<StoreResult>* results) {
  counters_.verbs += verbs->size();
  for (StoreVerb& verb : *verbs) {
    if (std::holds_alternative<storage::ScanVerb>(verb.action)) {
      Scan(std::move(verb), results);
      continue;
    }
    if (waiting_count_ > 0) {
      if (const auto behind = waiting_.find(verb.key); behind != waiting_.end()) {
        if (!RefuseIfFull(verb, results)) Wait(&behind->second, std::move(verb));
        continue;
      }
    }
    ExecuteOne(std::move(verb), Tier::kCache, results);
  }
  verbs->clear();
}

bool StoreRunner::RefuseIfFull(const StoreVerb& verb, std::vector<StoreResult>* results) {
  if (waiting_count_ < options_.reads_waiting_max && bytes_waiting() < options_.bytes_waiting_max) {
    return false;
  }
  ++counters_.refused_busy;
  results->push_back(
      Refusal(verb, Error{Code::kBusy, fmt::format("{} reads and {} KiB of writes wait for the "
                                                   "disk: try again later",
                                                   waiting_count_, bytes_waiting() / 1024)}));
  return true;
}

void StoreRunner::Wait(std::deque<StoreVerb>* behind, StoreVerb verb) {
  ++waiting_count_;
  waiting_bytes_ += BytesOf(verb);
  behind->push_back(std::move(verb));
}

void StoreRunner::ExecuteOne(StoreVerb verb, Tier tier, std::vector<StoreResult>* results) {
  if (!IsRead(verb)) {
    if (failure_) {
      results->push_back(Refusal(verb, *failure_));
      return;
    }
    if (no_room_ && storage::NeedsRoom(verb)) {
      ++counters_.refused_no_room;
      results->push_back(Refusal(verb, *no_room_));
      return;
    }
    if (store_.waiting() >= options_.writes_waiting_max ||
        uncommitted_bytes_ >= options_.bytes_waiting_max) {
      ++counters_.refused_busy;
      results->push_back(Refusal(
          verb, Error{Code::kBusy, fmt::format("{} writes wait for the disk, with {} KiB: "
                                               "try again later",
                                               store_.waiting(), uncommitted_bytes_ / 1024)}));
      return;
    }
  }
  const size_t bytes = BytesOf(verb);
  if (store_.Execute(&verb, tier, results)) {
    // A read waits too, where what it would show is not on disk yet; and may have found damage.
    uncommitted_ = uncommitted_ || store_.staged();
    if (uncommitted_) uncommitted_bytes_ += bytes;
    return;
  }
  if (RefuseIfFull(verb, results)) return;
  ++counters_.disk_reads;
  readers_->Run([this, key = verb.key, rows = storage::RowsOf(verb)] {
    std::string dropped;
    for (const storage::RowName& row : rows) {
      // An error shows again when the loop thread reads.
      [[maybe_unused]] const auto read = engine_->Get(row.space, row.key, Tier::kDisk, &dropped);
      dropped.clear();
    }
    Post([&](Arrived* mailbox) { mailbox->read_keys.push_back(key); });
  });
  std::string key = verb.key;
  Wait(&waiting_[std::move(key)], std::move(verb));
}

void StoreRunner::Scan(StoreVerb verb, std::vector<StoreResult>* results) {
  if (scans_under_way_ >= options_.scans_waiting_max) {
    ++counters_.refused_busy;
    results->push_back(Refusal(
        verb, Error{Code::kBusy, fmt::format("{} scans are under way already", scans_under_way_)}));
    return;
  }
  ++scans_under_way_;
  readers_->Run([this, verb = std::move(verb)] {
    StoreResult page = storage::ScanPage(engine_, verb);
    Post([&](Arrived* mailbox) { mailbox->scans.push_back(std::move(page)); });
  });
}

void StoreRunner::Commit(std::vector<StoreResult>* results) {
  // A write now would wait for the engine's flushes; the caller comes again.
  if (!uncommitted_ || engine_->Health().stalled) return;
  uncommitted_ = false;
  uncommitted_bytes_ = 0;
  ++counters_.commits;
  const uint64_t commit = store_.Commit(results);
  if (commit == last_commit_) return;
  last_commit_ = commit;
  if (failure_) {
    store_.Synced(commit, std::unexpected(*failure_), results);
  } else {
    syncer_->Request(commit);
  }
}

void StoreRunner::TakeArrived(std::vector<StoreResult>* results) {
  Arrived arrived;
  {
    const std::lock_guard lock(mutex_);
    std::swap(arrived, arrived_);
  }
  if (!arrived.syncs.empty()) {
    counters_.syncs += arrived.syncs.size();
    for (const Duration took : arrived.syncs) {
      sync_us_.Add(static_cast<uint64_t>(took / std::chrono::microseconds(1)));
    }
    if (!arrived.sync_status && !failure_) {
      failure_ = Error{arrived.sync_status.error().code,
                       fmt::format("the disk failed to sync ({}), so this node takes no more "
                                   "writes: mend or replace the disk and restart the node",
                                   arrived.sync_status.error().text)};
    }
    const Status status = failure_ ? Status(std::unexpected(*failure_)) : Status();
    // After a failure nothing that was ever committed may still be called durable later.
    store_.Synced(failure_ ? last_commit_ : arrived.synced_commit, status, results);
  }
  scans_under_way_ -= arrived.scans.size();
  for (StoreResult& page : arrived.scans) results->push_back(std::move(page));
  for (const std::string& key : arrived.read_keys) {
    auto waited = waiting_.extract(key);
    CHECK(!waited.empty());
    waiting_count_ -= waited.mapped().size();
    for (const StoreVerb& verb : waited.mapped()) waiting_bytes_ -= BytesOf(verb);
    for (StoreVerb& verb : waited.mapped()) ExecuteOne(std::move(verb), Tier::kDisk, results);
  }
}

}  // namespace eddy::server
