#include "storage/rocks_engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/utilities/checkpoint.h>

#include "base/check.h"
#include "storage/rocks_log_check.h"
#include "storage/rocks_options.h"
#include "storage/rocks_salvage.h"

namespace eddy::storage {

namespace {

namespace fs = std::filesystem;

// Where the log was found to have rotted, until all is marked as damaged.
constexpr std::string_view kRottenLogMarker = "ROTTEN-LOG";

// Of a directory that is only looked at: a restore has those of all nodes open at once.
constexpr int kOpenFilesToReadMax = 64;

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

// RocksDB counts, for each thread by itself, every comparison of two keys. Nobody reads that, and
// it is a sixth of the instructions of a write.
void CountNothing() { rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable); }

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

std::unexpected<Error> CannotOpen(const std::string& path, Error error) {
  error.text = fmt::format("cannot open the data directory {}: {}", path, error.text);
  if (error.code == Code::kCorruption) {
    error.text +=
        "; if its files cannot be brought back, start this node with an empty directory and "
        "--replace its own name, and the other replicas fill it";
  }
  return std::unexpected(std::move(error));
}

// Without making the file, or touching it.
bool IsLocked(const std::string& path) {
  const int fd = ::open((path + "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool locked = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  return locked;
}

class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

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

std::optional<Space> SpaceOf(std::string_view family) {
  for (size_t space = 0; space < kSpaces; ++space) {
    if (family == kSpaceNames[space] || family == OtherFamilyName(kSpaceNames[space])) {
      return static_cast<Space>(space);
    }
  }
  return std::nullopt;
}

// Refuses a RocksDB that some other program made.
Status CheckFamilies(const std::string& path, const rocksdb::DBOptions& options,
                     std::vector<std::string>* found) {
  std::vector<std::string>& families = *found;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, path, &families);
  if (!listed.ok()) {
    return CannotOpen(path, ToError(listed));
  }
  for (const std::string& family : families) {
    if (family != rocksdb::kDefaultColumnFamilyName && !SpaceOf(family)) {
      return Fail(
          Code::kInvalidArgument,
          fmt::format("{} holds another program's RocksDB (with a column family '{}'): give "
                      "the data a directory of its own",
                      path, family));
    }
  }
  return {};
}

// Notes, before recovery cuts it off, that the log has rotted.
Status CheckLog(const std::string& path) {
  const Result<bool> rotted = LogsHaveRotted(path);
  if (!rotted.has_value()) return std::unexpected(rotted.error());
  if (!*rotted) return {};
  std::ofstream marker(fs::path(path) / kRottenLogMarker);
  marker.close();
  if (marker) return {};
  return Fail(Code::kIo, fmt::format("cannot write to the data directory {}", path));
}

// Which families are in use; the others were being made by a salvage that was interrupted, and so
// are the younger ones.
std::vector<rocksdb::ColumnFamilyHandle*> Sort(std::vector<rocksdb::ColumnFamilyHandle*> handles,
                                               SpaceHandles* spaces) {
  std::ranges::sort(handles, {}, [](const auto* handle) { return handle->GetID(); });
  std::vector<rocksdb::ColumnFamilyHandle*> leftovers;
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    auto& space = (*spaces)[static_cast<size_t>(*SpaceOf(handle->GetName()))];
    if (space == nullptr) {
      space = handle;
    } else {
      leftovers.push_back(handle);
    }
  }
  return leftovers;
}

Status RunSalvage(const std::string& path, rocksdb::DB* db,
                  const rocksdb::ColumnFamilyOptions& options,
                  const std::vector<rocksdb::ColumnFamilyHandle*>& leftovers, SpaceHandles* spaces,
                  std::string* news) {
  std::vector<TokenRange> damaged;
  Status salvaged = Salvage(db, options, leftovers, spaces, &damaged);
  if (salvaged.has_value()) {
    salvaged = ToStatus(db->EnableAutoCompaction({spaces->begin(), spaces->end()}));
  }
  if (salvaged.has_value() && SalvageIsAskedFor(path)) salvaged = SalvageIsDone(path);
  if (salvaged.has_value()) {
    *news += fmt::format(
        "files with rot in them were written anew without it; {} of {} ranges of tokens lost "
        "something, which comes back from the other replicas",
        damaged.size(), 1 << kTokenRangeBits);
  }
  return salvaged;
}

Status MarkAllDamaged(const std::string& path, rocksdb::DB* db, const SpaceHandles& spaces,
                      std::string* news) {
  std::vector<TokenRange> all(size_t{1} << kTokenRangeBits);
  std::iota(all.begin(), all.end(), TokenRange{0});
  const Status marked = MarkDamaged(db, spaces[static_cast<size_t>(Space::kMeta)], all);
  if (!marked.has_value()) return marked;
  // All that was recovered is flushed, and so the bad log is needed no more and goes: with it
  // there, all would be marked again.
  Status purged = ToStatus(db->Flush(rocksdb::FlushOptions(), {spaces.begin(), spaces.end()}));
  if (purged.has_value()) purged = ToStatus(db->DisableFileDeletions());
  if (purged.has_value()) purged = ToStatus(db->EnableFileDeletions(true));
  if (!purged.has_value()) return purged;
  std::error_code failed;
  fs::remove(fs::path(path) / kRottenLogMarker, failed);
  if (failed) return Fail(Code::kIo, failed.message());
  *news +=
      "the write-ahead log has rotted, and what follows the bad place is lost: this node answers "
      "for nothing until it has compared all with the other replicas";
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
    if (status->IsCorruption()) health_.damaged = ToError(*status);
  }

  // What a read has met.
  void OnReadError(const Error& error) {
    if (error.code != Code::kCorruption) return;
    const std::lock_guard lock(mutex_);
    if (!health_.damaged) health_.damaged = error;
  }

  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override {
    const std::lock_guard lock(mutex_);
    if (info.new_bg_error.ok()) health_.refuses_writes.reset();
  }

  // Threads tell of the beginning and of the end of a stall, and whose word comes last is chance:
  // this only says that it is time to ask.
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    if (info.condition.cur == rocksdb::WriteStallCondition::kNormal) return;
    const std::lock_guard lock(mutex_);
    health_.stalled = true;
    ++stalls_;
  }

  // `*stalls`: how many stalls it has heard of.
  EngineHealth Health(uint64_t* stalls) {
    const std::lock_guard lock(mutex_);
    *stalls = stalls_;
    return health_;
  }
  // Whoever asked found none, when it had heard of so many.
  void NoStall(uint64_t stalls) {
    const std::lock_guard lock(mutex_);
    if (stalls == stalls_) health_.stalled = false;
  }

 private:
  std::mutex mutex_;
  EngineHealth health_;
  uint64_t stalls_ = 0;
};

Result<std::unique_ptr<RocksEngine>> RocksEngine::Open(const RocksEngineOptions& options) {
  if (options.memory_limit_bytes < kMemoryLimitBytesMin) {
    return Fail(Code::kInvalidArgument,
                fmt::format("a memory limit of {} bytes is too small for the store: give it at "
                            "least {}",
                            options.memory_limit_bytes, kMemoryLimitBytesMin));
  }
  RocksOptions rocks = MakeRocksOptions(options.memory_limit_bytes);
  const std::string& path = options.path;
  bool found = false;
  std::vector<std::string> names;
  Status usable = CheckDirectory(options, &found);
  if (usable.has_value()) usable = CheckNotInUse(path);
  if (usable.has_value() && found) usable = CheckFamilies(path, rocks.database, &names);
  if (usable.has_value() && found) usable = CheckLog(path);
  if (!usable.has_value()) return std::unexpected(usable.error());
  const bool salvages = found && SalvageIsAskedFor(path);

  const auto watch = std::make_shared<Watch>();
  rocks.database.listeners.push_back(watch);
  rocks.database.create_if_missing = options.create_if_missing;
  // Made one after the other, so a crash in the first opening can leave some to be made.
  rocks.database.create_missing_column_families = true;
  for (const std::string_view name : kSpaceNames) {
    const bool exists = std::ranges::any_of(
        names, [&](const std::string& known) { return SpaceOf(known) == SpaceOf(name); });
    if (!exists) names.emplace_back(name);
  }
  std::erase(names, rocksdb::kDefaultColumnFamilyName);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) {
    rocksdb::ColumnFamilyOptions& space = rocks.spaces[static_cast<size_t>(*SpaceOf(name))];
    space.disable_auto_compactions = salvages;
    families.emplace_back(name, space);
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(rocks.database, path, families, &handles, &opened);
  if (!status.ok()) return CannotOpen(path, ToError(status));
  std::unique_ptr<rocksdb::DB> db(opened);
  CHECK(db->DestroyColumnFamilyHandle(handles.back()).ok());
  handles.pop_back();
  SpaceHandles spaces{};
  const std::vector<rocksdb::ColumnFamilyHandle*> leftovers = Sort(handles, &spaces);
  std::string news;
  Status mended;
  if (salvages || !leftovers.empty()) {
    mended = RunSalvage(path, db.get(), rocks.spaces[0], leftovers, &spaces, &news);
  }
  if (mended.has_value() && fs::exists(fs::path(path) / kRottenLogMarker)) {
    mended = MarkAllDamaged(path, db.get(), spaces, &news);
  }
  if (!mended.has_value()) {
    for (rocksdb::ColumnFamilyHandle* space : spaces) {
      CHECK(db->DestroyColumnFamilyHandle(space).ok());
    }
    return CannotOpen(path, mended.error());
  }
  return std::unique_ptr<RocksEngine>(
      new RocksEngine(std::move(db), spaces, watch, std::move(news)));
}

Result<std::unique_ptr<RocksEngine>> RocksEngine::OpenToRead(const std::string& path) {
  std::error_code error;
  if (!fs::exists(fs::path(path) / "CURRENT", error)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("there is no node's data directory at {}: check the path", path));
  }
  if (IsLocked(path)) {
    return Fail(Code::kConflict,
                fmt::format("the data directory {} is in use: stop the node first", path));
  }
  RocksOptions rocks = MakeRocksOptions(kMemoryLimitBytesMin);
  rocks.database.max_open_files = kOpenFilesToReadMax;
  // Or RocksDB would begin a log of its own there.
  rocks.database.info_log = std::make_shared<SilentLogger>();
  std::vector<std::string> names;
  if (Status ours = CheckFamilies(path, rocks.database, &names); !ours.has_value()) {
    return std::unexpected(ours.error());
  }
  std::erase(names, rocksdb::kDefaultColumnFamilyName);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) {
    families.emplace_back(name, rocks.spaces[static_cast<size_t>(*SpaceOf(name))]);
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(rocks.database, path, families, &handles, &opened);
  if (!status.ok()) return CannotOpen(path, ToError(status));
  std::unique_ptr<rocksdb::DB> db(opened);
  CHECK(db->DestroyColumnFamilyHandle(handles.back()).ok());
  handles.pop_back();
  SpaceHandles spaces{};
  for (rocksdb::ColumnFamilyHandle* leftover : Sort(handles, &spaces)) {
    CHECK(db->DestroyColumnFamilyHandle(leftover).ok());
  }
  if (std::ranges::find(spaces, nullptr) != spaces.end()) {
    for (rocksdb::ColumnFamilyHandle* space : spaces) {
      if (space != nullptr) CHECK(db->DestroyColumnFamilyHandle(space).ok());
    }
    return Fail(Code::kInvalidArgument,
                fmt::format("no node has written to {}: check the path", path));
  }
  return std::unique_ptr<RocksEngine>(
      new RocksEngine(std::move(db), spaces, std::make_shared<Watch>(), {}));
}

RocksEngine::RocksEngine(std::unique_ptr<rocksdb::DB> db, const SpaceHandles& spaces,
                         std::shared_ptr<Watch> watch, std::string news)
    : db_(std::move(db)), spaces_(spaces), watch_(std::move(watch)), news_(std::move(news)) {}

RocksEngine::~RocksEngine() {
  for (rocksdb::ColumnFamilyHandle* space : spaces_) {
    CHECK(db_->DestroyColumnFamilyHandle(space).ok());
  }
}

Result<Presence> RocksEngine::Get(Space space, std::string_view key, Tier tier,
                                  std::string* value) {
  CountNothing();
  rocksdb::ReadOptions options;
  options.read_tier = tier == Tier::kCache ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  const rocksdb::Status status = db_->Get(options, HandleOf(space), ToSlice(key), value);
  if (status.ok()) return Presence::kFound;
  if (status.IsNotFound()) return Presence::kAbsent;
  if (status.IsIncomplete() && tier == Tier::kCache) return Presence::kNotCached;
  watch_->OnReadError(ToError(status));
  return std::unexpected(ToError(status));
}

Status RocksEngine::Write(const WriteBatch& batch, Logging logging) {
  CountNothing();
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

Status RocksEngine::Checkpoint(const std::string& directory) {
  // What a checkpoint of this release flushes by itself can miss a memtable (fixed in 9.4).
  if (Status flushed = Flush(); !flushed.has_value()) return flushed;
  rocksdb::Checkpoint* made = nullptr;
  if (const rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made); !status.ok()) {
    return ToStatus(status);
  }
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return ToStatus(checkpoint->CreateCheckpoint(directory));
}

Status RocksEngine::Scan(Space space, std::string_view from, std::string_view to,
                         const Visitor& visit) {
  CountNothing();
  const rocksdb::Slice end = ToSlice(to);
  rocksdb::ReadOptions options;
  // A transfer must not push what clients read out of the cache.
  options.fill_cache = false;
  if (!to.empty()) options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options, HandleOf(space)));
  row->Seek(ToSlice(from));
  while (row->Valid() && visit(ToView(row->key()), ToView(row->value()))) row->Next();
  if (!row->status().ok()) watch_->OnReadError(ToError(row->status()));
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

EngineUsage RocksEngine::Usage() {
  using Properties = rocksdb::DB::Properties;
  // Of the database as a whole, or of what all spaces share.
  const auto one = [&](const std::string& name) {
    uint64_t value = 0;
    return db_->GetIntProperty(HandleOf(Space::kData), name, &value) ? value : 0;
  };
  const auto sum = [&](const std::string& name) {
    uint64_t value = 0;
    return db_->GetAggregatedIntProperty(name, &value) ? value : 0;
  };
  return {.cache_bytes = one(Properties::kBlockCacheUsage),
          .cache_bytes_max = one(Properties::kBlockCacheCapacity),
          .memtable_bytes = sum(Properties::kSizeAllMemTables),
          .index_bytes = sum(Properties::kEstimateTableReadersMem),
          .files_bytes = sum(Properties::kTotalSstFilesSize),
          .compaction_bytes = sum(Properties::kEstimatePendingCompactionBytes),
          .compactions = one(Properties::kNumRunningCompactions),
          .flushes = one(Properties::kNumRunningFlushes)};
}

EngineHealth RocksEngine::Health() {
  uint64_t stalls = 0;
  EngineHealth health = watch_->Health(&stalls);
  if (!health.stalled) return health;
  uint64_t stopped = 1;
  uint64_t delayed_rate = 1;
  db_->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped);
  db_->GetIntProperty(rocksdb::DB::Properties::kActualDelayedWriteRate, &delayed_rate);
  if (stopped != 0 || delayed_rate != 0) return health;
  watch_->NoStall(stalls);
  health.stalled = false;
  return health;
}

Status RocksEngine::AskForSalvage() { return storage::AskForSalvage(db_->GetName()); }

}  // namespace eddy::storage
