#include "storage/memory_engine.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace eddy::storage {

Result<Presence> MemoryEngine::Get(Space space, std::string_view key, Tier tier,
                                   std::string* value) {
  if (std::optional<Error> fault = TakeFault(Call::kGet)) return std::unexpected(*fault);
  const Row row(space, key);
  if (tier == Tier::kDisk) evicted_.erase(row);
  if (evicted_.contains(row)) return Presence::kNotCached;
  const auto found = rows_.find(row);
  if (found == rows_.end()) return Presence::kAbsent;
  *value = found->second;
  return Presence::kFound;
}

Status MemoryEngine::Write(const WriteBatch& batch, Logging logging) {
  if (std::optional<Error> fault = TakeFault(Call::kWrite)) return std::unexpected(*fault);
  Apply(batch, &rows_);
  if (logging == Logging::kLogged) {
    unsynced_.push_back(batch);
  } else {
    for (const storage::Write& write : batch) unlogged_.emplace(write.space, write.key);
  }
  return {};
}

Status MemoryEngine::SyncFirst(size_t batches) {
  CHECK(batches <= unsynced_.size());
  if (std::optional<Error> fault = TakeFault(Call::kSync)) return std::unexpected(*fault);
  const auto end = unsynced_.begin() + static_cast<std::ptrdiff_t>(batches);
  for (auto batch = unsynced_.begin(); batch != end; ++batch) Apply(*batch, &durable_);
  unsynced_.erase(unsynced_.begin(), end);
  return {};
}

Status MemoryEngine::Flush() {
  if (Status status = Sync(); !status.has_value()) return status;
  for (const Row& row : unlogged_) {
    if (const auto found = rows_.find(row); found != rows_.end()) {
      durable_.insert_or_assign(row, found->second);
    } else {
      durable_.erase(row);
    }
  }
  unlogged_.clear();
  return {};
}

Status MemoryEngine::Scan(Space space, std::string_view from, std::string_view to,
                          const Visitor& visit) {
  if (std::optional<Error> fault = TakeFault(Call::kGet)) return std::unexpected(*fault);
  for (auto row = rows_.lower_bound(Row(space, from)); row != rows_.end(); ++row) {
    const auto& [row_space, key] = row->first;
    if (row_space != space || (!to.empty() && key >= to) || !visit(key, row->second)) break;
  }
  return {};
}

EngineEstimate MemoryEngine::Estimate() {
  EngineEstimate estimate;
  for (const auto& [row, value] : rows_) {
    if (row.first != Space::kData) continue;
    ++estimate.data_keys;
    estimate.data_bytes += row.second.size() + value.size();
  }
  return estimate;
}

void MemoryEngine::Crash(size_t kept) {
  faults_.clear();
  evicted_.clear();
  CHECK(SyncFirst(kept).has_value());
  unsynced_.clear();
  unlogged_.clear();
  rows_ = durable_;
}

void MemoryEngine::FailCall(Call call, uint64_t nth, Error error) {
  CHECK(nth > 0);
  faults_.push_back(Fault{call, nth, std::move(error)});
}

bool MemoryEngine::Rot(Space space, std::string_view key, uint64_t bit) {
  const Row row(space, key);
  bool any = false;
  for (Rows* rows : {&rows_, &durable_}) {
    const auto found = rows->find(row);
    if (found == rows->end() || found->second.empty()) continue;
    char& byte = found->second[bit / 8 % found->second.size()];
    byte = static_cast<char>(byte ^ (1 << (bit % 8)));
    any |= rows == &rows_;
  }
  return any;
}

const std::string* MemoryEngine::Peek(Space space, std::string_view key) const {
  const auto found = rows_.find(Row{space, std::string(key)});
  return found == rows_.end() ? nullptr : &found->second;
}

void MemoryEngine::Evict(Space space, std::string_view key) { evicted_.emplace(space, key); }

void MemoryEngine::Apply(const WriteBatch& batch, Rows* rows) {
  for (const storage::Write& write : batch) {
    Row row(write.space, write.key);
    if (write.value.has_value()) {
      rows->insert_or_assign(std::move(row), *write.value);
    } else {
      rows->erase(row);
    }
  }
}

std::optional<Error> MemoryEngine::TakeFault(Call call) {
  std::optional<Error> error;
  for (Fault& fault : faults_) {
    if (fault.call == call && --fault.calls_left == 0) error = fault.error;
  }
  std::erase_if(faults_, [](const Fault& fault) { return fault.calls_left == 0; });
  return error;
}

}  // namespace eddy::storage
