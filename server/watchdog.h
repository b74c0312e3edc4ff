// Notices what does not come to its end: the event loop when it does not go round, and a sync that
// a disk does not finish. From a thread of its own, since whoever hangs cannot say so.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/time.h"

namespace eddy::server {

// One thing that is watched: what to say of it, and when.
class HangJudge {
 public:
  // `what`: "the event loop has stood still"; `advice`: what to do.
  HangJudge(std::string what, std::string advice, Duration limit)
      : what_(std::move(what)), advice_(std::move(advice)), limit_(limit) {}

  // `since`: when it began what it is at, or last gave a sign of life; nullopt: it has nothing to
  // do. The line to log: once where the limit is passed, once a minute while it is, and once when
  // it goes on again.
  std::optional<std::string> Look(MonotonicTime now, std::optional<MonotonicTime> since);

  // How many times the limit was passed.
  uint64_t hangs() const { return hangs_; }

 private:
  static constexpr Duration kAgainAfter = std::chrono::minutes(1);

  const std::string what_;
  const std::string advice_;
  const Duration limit_;
  uint64_t hangs_ = 0;
  std::optional<MonotonicTime> hung_since_;
  MonotonicTime said_at_;
};

class Watchdog {
 public:
  struct Watched {
    HangJudge judge;
    // Called on the watchdog's thread.
    std::function<std::optional<MonotonicTime>()> since;
  };
  struct Options {
    Duration period = std::chrono::milliseconds(500);
    // The machine's clock; another one in tests.
    std::function<MonotonicTime()> now;
  };

  // `log` is used from the watchdog's thread.
  Watchdog(std::vector<Watched> watched, LogSink* log, Options options);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Of the one with this place in `watched`. Any thread.
  uint64_t Hangs(size_t place) const { return hangs_[place]; }

  static constexpr size_t kWatchedMax = 4;

 private:
  void Run();

  std::vector<Watched> watched_;
  LogSink* const log_;
  const Options options_;
  std::array<std::atomic<uint64_t>, kWatchedMax> hangs_{};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last, so that it starts when all else is there
};

}  // namespace eddy::server
