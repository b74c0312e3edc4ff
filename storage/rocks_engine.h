// The engine on disk: RocksDB, one instance a shard, one column family a space. How it is tuned is
// in storage/rocks_options.h.
//
// Threads: one writes; Get, Scan, Sync, Health and Checkpoint may be called from others at the same
// time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "base/status.h"
#include "storage/engine.h"
#include "storage/rocks_salvage.h"

namespace eddy::storage {

struct RocksEngineOptions {
  std::string path;                               // of the data directory
  size_t memory_limit_bytes = size_t{256} << 20;  // at least RocksEngine::kMemoryLimitBytesMin
  bool create_if_missing = true;
};

class RocksEngine final : public Engine {
 public:
  static constexpr size_t kMemoryLimitBytesMin = size_t{32} << 20;

  // Recovers what the log holds. The error's text names the directory and says what to do:
  // kConflict when another process has it open; kInvalidArgument when it is no directory, holds
  // something else, is missing and must not be made, or the memory limit is too small; kIo when it
  // cannot be used; kCorruption when RocksDB cannot make sense of it.
  //
  // Salvages first where that was asked for (storage/rocks_salvage.h). Where the log has lost more
  // than its end, everything is marked as damaged (storage/damage.h), since what was in it could be
  // anywhere.
  [[nodiscard]] static Result<std::unique_ptr<RocksEngine>> Open(const RocksEngineOptions& options);

  // Changes nothing, on disk or otherwise: what the log holds is read, and not recovered; writes
  // fail. Fails as Open does; kConflict where a process has the directory open.
  [[nodiscard]] static Result<std::unique_ptr<RocksEngine>> OpenToRead(const std::string& path);

  ~RocksEngine() override;
  RocksEngine(const RocksEngine&) = delete;
  RocksEngine& operator=(const RocksEngine&) = delete;

  Result<Presence> Get(Space space, std::string_view key, Tier tier, std::string* value) override;
  Status Write(const WriteBatch& batch, Logging logging) override;
  Status Sync() override;
  Status Flush() override;
  Status Scan(Space space, std::string_view from, std::string_view to,
              const Visitor& visit) override;
  EngineEstimate Estimate() override;
  EngineUsage Usage() override;
  EngineHealth Health() override;
  Status AskForSalvage() override;

  // Makes `directory`, which must not exist and must be on the same file system, a copy of all that
  // was written when the call began, for OpenToRead. Its tables are hard links, which take no room
  // until the engine has done without them. Not durable. Slow: it flushes first. Any thread; one
  // call at a time.
  [[nodiscard]] Status Checkpoint(const std::string& directory);

  // What its opening has found or done, for people; empty: nothing.
  const std::string& news() const { return news_; }

 private:
  class Watch;

  RocksEngine(std::unique_ptr<rocksdb::DB> db, const SpaceHandles& spaces,
              std::shared_ptr<Watch> watch, std::string news);

  rocksdb::ColumnFamilyHandle* HandleOf(Space space) const {
    return spaces_[static_cast<size_t>(space)];
  }

  const std::unique_ptr<rocksdb::DB> db_;
  const SpaceHandles spaces_;           // destroyed through db_
  const std::shared_ptr<Watch> watch_;  // RocksDB keeps listeners as shared pointers
  const std::string news_;

  rocksdb::WriteBatch batch_;  // scratch
};

}  // namespace eddy::storage
