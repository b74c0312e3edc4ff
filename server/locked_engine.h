// Makes an engine that only one thread may call fit for the threads of the daemon, by one lock
// around every call: for the engine in memory.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "storage/engine.h"

namespace eddy::server {

class LockedEngine final : public storage::Engine {
 public:
  explicit LockedEngine(std::unique_ptr<storage::Engine> engine) : engine_(std::move(engine)) {}

  Result<storage::Presence> Get(storage::Space space, std::string_view key, storage::Tier tier,
                                std::string* value) override {
    const std::lock_guard lock(mutex_);
    return engine_->Get(space, key, tier, value);
  }
  Status Write(const storage::WriteBatch& batch, storage::Logging logging) override {
    const std::lock_guard lock(mutex_);
    return engine_->Write(batch, logging);
  }
  Status Sync() override {
    const std::lock_guard lock(mutex_);
    return engine_->Sync();
  }
  Status Flush() override {
    const std::lock_guard lock(mutex_);
    return engine_->Flush();
  }
  Status Scan(storage::Space space, std::string_view from, std::string_view to,
              const Visitor& visit) override {
    const std::lock_guard lock(mutex_);
    return engine_->Scan(space, from, to, visit);
  }
  storage::EngineEstimate Estimate() override {
    const std::lock_guard lock(mutex_);
    return engine_->Estimate();
  }
  storage::EngineHealth Health() override {
    const std::lock_guard lock(mutex_);
    return engine_->Health();
  }

 private:
  std::mutex mutex_;
  const std::unique_ptr<storage::Engine> engine_;
};

}  // namespace eddy::server
