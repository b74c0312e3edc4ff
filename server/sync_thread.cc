#include "server/sync_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace eddy::server {

SyncThread::SyncThread(storage::Engine* engine, Done done)
    : engine_(engine), done_(std::move(done)), thread_([this] { Run(); }) {}

SyncThread::~SyncThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void SyncThread::Request(uint64_t commit) {
  {
    const std::lock_guard lock(mutex_);
    if (commit <= requested_) return;
    requested_ = commit;
  }
  wake_.notify_one();
}

std::optional<MonotonicTime> SyncThread::under_way_since() const {
  const int64_t began = began_ns_;
  if (began == 0) return std::nullopt;
  return MonotonicTime(std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(began)));
}

void SyncThread::Run() {
  uint64_t synced = 0;
  for (;;) {
    uint64_t commit = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || requested_ > synced; });
      if (stopping_) return;
      commit = requested_;
    }
    const auto began = std::chrono::steady_clock::now();
    began_ns_ = std::chrono::nanoseconds(began.time_since_epoch()).count();
    Status status = engine_->Sync();
    const auto took = std::chrono::steady_clock::now() - began;
    began_ns_ = 0;
    synced = commit;
    done_(commit, std::move(status), std::chrono::duration_cast<Duration>(took));
  }
}

}  // namespace eddy::server
