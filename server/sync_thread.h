// Group commit, pipelined: while one sync of the write-ahead log runs, the loop thread applies the
// next commits, and the next sync covers all of them. One sync at a time, as soon as the last one
// is done; none while nothing waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/status.h"
#include "base/time.h"
#include "storage/engine.h"

namespace eddy::server {

class SyncThread {
 public:
  // Called on the sync thread, once a sync: it began after commit `commit`, and took so long.
  using Done = std::function<void(uint64_t commit, Status status, Duration took)>;

  SyncThread(storage::Engine* engine, Done done);
  // Ends after the sync under way; what was requested beyond it is not done.
  ~SyncThread();

  // Commits up to this one want to be durable. Any thread.
  void Request(uint64_t commit);
  // When the sync under way began; nullopt: there is none. Any thread.
  std::optional<MonotonicTime> under_way_since() const;

 private:
  void Run();

  storage::Engine* const engine_;
  const Done done_;

  std::atomic<int64_t> began_ns_{0};  // 0: none is under way

  std::mutex mutex_;
  std::condition_variable wake_;
  uint64_t requested_ = 0;  // guarded by mutex_, as is what follows
  bool stopping_ = false;

  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace eddy::server
