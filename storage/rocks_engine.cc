#include "storage/rocks_engine.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include "base/check.h"
#include "storage/rocks_options.h"

namespace eddy::storage {

namespace {

namespace fs = std::filesystem;

// By Space. RocksDB insists on a family of its own besides, which stays empty.
constexpr std::array<std::string_view, kSpaces> kSpaceNames = {"data", "hints", "meta"};

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Error ToError(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsCorruption()) return Error{Code::kCorruption, text};
  if (status.IsNoSpace()) {
    return Error{Code::kIo, fmt::format("the disk of the data directory is full: {}", text)};
  }
  return Error{Code::kIo, text};
}

Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return std::unexpected(ToError(status));
}

// What RocksDB itself leaves in a directory whose first opening was interrupted.
bool IsLeftover(std::string_view name) {
  for (const std::string_view whole : {"LOCK", "LOG", "IDENTITY", "lost+found"}) {
    if (name == whole) return true;
  }
  for (const std::string_view prefix : {"LOG.old.", "MANIFEST-", "OPTIONS-"}) {
    if (name.starts_with(prefix)) return true;
  }
  return name.ends_with(".dbtmp");
}

// Makes sure that `path` is a directory that is ours, or may become ours. `*found` tells which.
Status CheckDirectory(const RocksEngineOptions& options, bool* found) {
  const std::string& path = options.path;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    if (!options.create_if_missing) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("there is no data directory {}: check the path", path));
    }
    if (fs::create_directories(path, error); error) {
      return Fail(Code::kIo,
                  fmt::format("cannot make the data directory {}: {}", path, error.message()));
    }
  } else if (status.type() != fs::file_type::directory) {
    return error ? Fail(Code::kIo, fmt::format("cannot look at the data directory {}: {}", path,
                                               error.message()))
                 : Fail(Code::kInvalidArgument,
                        fmt::format("{} is not a directory: give the data a directory of its own",
                                    path));
  }
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Fail(Code::kIo, fmt::format("the data directory {} may not be read and written by this "
                                       "user: correct its owner or its mode",
                                       path));
  }

  *found = fs::exists(fs::path(path) / "CURRENT", error);
  if (*found) return {};
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(".log") || name.ends_with(".sst")) {
      return Fail(Code::kCorruption,
                  fmt::format("the data directory {} has lost its file CURRENT: bring it back, or "
                              "start this node with an empty directory and let the other replicas "
                              "fill it",
                              path));
    }
    if (!IsLeftover(name)) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{} holds files that are not Eddy's, such as {}: give the data a "
                              "directory of its own",
                              path, name));
    }
  }
  if (error) {
    return Fail(Code::kIo,
                fmt::format("cannot list the data directory {}: {}", path, error.message()));
  }
  if (!options.create_if_missing) {
    return Fail(Code::kInvalidArgument,
                fmt::format("the data directory {} is empty: check the path", path));
  }
  return {};
}

Status CheckNotInUse(const std::string& path) {
  rocksdb::Env* env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status locked = env->LockFile(path + "/LOCK", &lock);
  if (!locked.ok()) {
    return Fail(Code::kConflict,
                fmt::format("the data directory {} is in use by another process: stop that one, or "
                            "give this node a directory of its own",
                            path));
  }
  return ToStatus(env->UnlockFile(lock));
}

// Refuses a RocksDB that some other program made.
Status CheckFamilies(const std::string& path, const rocksdb::DBOptions& options) {
  std::vector<std::string> families;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, path, &families);
  if (!listed.ok()) {
    Error error = ToError(listed);
    error.text = fmt::format("cannot read the data directory {}: {}", path, error.text);
    return std::unexpected(error);
  }
  for (const std::string& family : families) {
    if (family != rocksdb::kDefaultColumnFamilyName &&
        std::ranges::find(kSpaceNames, family) == kSpaceNames.end()) {
      return Fail(
          Code::kInvalidArgument,
          fmt::format("{} holds another program's RocksDB (with a column family '{}'): give "
                      "the data a directory of its own",
                      path, family));
    }
  }
  return {};
}

}  // namespace

// Hears from RocksDB's background threads.
class RocksEngine::Watch final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* status) override {
    const std::lock_guard lock(mutex_);
    health_.refuses_writes = ToError(*status);
  }

  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override {
    const std::lock_guard lock(mutex_);
    if (info.new_bg_error.ok()) health_.refuses_writes.reset();
  }

  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    const auto space = std::ranges::find(kSpaceNames, info.cf_name) - kSpaceNames.begin();
    if (space == kSpaces) return;
    const std::lock_guard lock(mutex_);
    stalled_[static_cast<size_t>(space)] =
        info.condition.cur != rocksdb::WriteStallCondition::kNormal;
    health_.stalled = std::ranges::find(stalled_, true) != stalled_.end();
  }

  EngineHealth Health() {
    const std::lock_guard lock(mutex_);
    return health_;
  }

 private:
  std::mutex mutex_;
  EngineHealth health_;
  std::array<bool, kSpaces> stalled_{};
};

Result<std::unique_ptr<RocksEngine>> RocksEngine::Open(const RocksEngineOptions& options) {
  if (options.memory_limit_bytes < kMemoryLimitBytesMin) {
    return Fail(Code::kInvalidArgument,
                fmt::format("a memory limit of {} bytes is too small for the store: give it at "
                            "least {}",
                            options.memory_limit_bytes, kMemoryLimitBytesMin));
  }
  RocksOptions rocks = MakeRocksOptions(options.memory_limit_bytes);
  bool found = false;
  Status usable = CheckDirectory(options, &found);
  if (usable.has_value()) usable = CheckNotInUse(options.path);
  if (usable.has_value() && found) usable = CheckFamilies(options.path, rocks.database);
  if (!usable.has_value()) return std::unexpected(usable.error());

  const auto watch = std::make_shared<Watch>();
  rocks.database.listeners.push_back(watch);
  rocks.database.create_if_missing = options.create_if_missing;
  // Made one after the other, so a crash in the first opening can leave some to be made.
  rocks.database.create_missing_column_families = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t space = 0; space < kSpaces; ++space) {
    families.emplace_back(std::string(kSpaceNames[space]), rocks.spaces[space]);
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(rocks.database, options.path, families, &handles, &opened);
  if (!status.ok()) {
    Error error = ToError(status);
    error.text = fmt::format("cannot open the data directory {}: {}", options.path, error.text);
    return std::unexpected(error);
  }
  std::unique_ptr<rocksdb::DB> db(opened);
  CHECK(db->DestroyColumnFamilyHandle(handles.back()).ok());
  Handles spaces;
  std::copy_n(handles.begin(), kSpaces, spaces.begin());
  return std::unique_ptr<RocksEngine>(new RocksEngine(std::move(db), spaces, watch));
}

RocksEngine::RocksEngine(std::unique_ptr<rocksdb::DB> db, Handles spaces,
                         std::shared_ptr<Watch> watch)
    : db_(std::move(db)), spaces_(spaces), watch_(std::move(watch)) {}

RocksEngine::~RocksEngine() {
  for (rocksdb::ColumnFamilyHandle* space : spaces_) {
    CHECK(db_->DestroyColumnFamilyHandle(space).ok());
  }
}

Result<Presence> RocksEngine::Get(Space space, std::string_view key, Tier tier,
                                  std::string* value) {
  rocksdb::ReadOptions options;
  options.read_tier = tier == Tier::kCache ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  const rocksdb::Status status = db_->Get(options, HandleOf(space), ToSlice(key), value);
  if (status.ok()) return Presence::kFound;
  if (status.IsNotFound()) return Presence::kAbsent;
  if (status.IsIncomplete() && tier == Tier::kCache) return Presence::kNotCached;
  return std::unexpected(ToError(status));
}

Status RocksEngine::Write(const WriteBatch& batch, Logging logging) {
  batch_.Clear();
  for (const storage::Write& write : batch) {
    rocksdb::ColumnFamilyHandle* space = HandleOf(write.space);
    const rocksdb::Status added = write.value.has_value()
                                      ? batch_.Put(space, ToSlice(write.key), ToSlice(*write.value))
                                      : batch_.Delete(space, ToSlice(write.key));
    if (!added.ok()) return std::unexpected(ToError(added));
  }
  rocksdb::WriteOptions options;
  options.sync = false;
  options.disableWAL = logging == Logging::kUnlogged;
  return ToStatus(db_->Write(options, &batch_));
}

Status RocksEngine::Sync() { return ToStatus(db_->SyncWAL()); }

Status RocksEngine::Flush() {
  if (Status status = Sync(); !status.has_value()) return status;
  return ToStatus(db_->Flush(rocksdb::FlushOptions(), {spaces_.begin(), spaces_.end()}));
}

Status RocksEngine::Scan(Space space, std::string_view from, std::string_view to,
                         const Visitor& visit) {
  const rocksdb::Slice end = ToSlice(to);
  rocksdb::ReadOptions options;
  // A transfer must not push what clients read out of the cache.
  options.fill_cache = false;
  if (!to.empty()) options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options, HandleOf(space)));
  row->Seek(ToSlice(from));
  while (row->Valid() && visit(ToView(row->key()), ToView(row->value()))) row->Next();
  return ToStatus(row->status());
}

EngineEstimate RocksEngine::Estimate() {
  const auto property = [&](const std::string& name) {
    uint64_t value = 0;
    return db_->GetIntProperty(HandleOf(Space::kData), name, &value) ? value : 0;
  };
  return EngineEstimate{.data_keys = property(rocksdb::DB::Properties::kEstimateNumKeys),
                        .data_bytes = property(rocksdb::DB::Properties::kLiveSstFilesSize) +
                                      property(rocksdb::DB::Properties::kCurSizeAllMemTables)};
}

EngineHealth RocksEngine::Health() { return watch_->Health(); }

}  // namespace eddy::storage
