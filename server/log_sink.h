// The daemon's log: one line an event on a file descriptor, as text for people or as JSON for
// machines; and a limiter, so that a cause which recurs (a refused peer that dials again and again)
// cannot flood it. The limiter is for the loop thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

namespace eddy::server {

class LineLog final : public LogSink {
 public:
  enum class Form { kText, kJson };
  struct Options {
    int fd = 2;  // borrowed
    Form form = Form::kText;
    LogLevel least = LogLevel::kInfo;
    std::string node;  // on every line; empty: not shown
  };

  explicit LineLog(Options options) : options_(std::move(options)), least_(options_.least) {}

  // Any thread.
  void Log(LogLevel level, std::string_view text) override;
  LogLevel least() const { return least_; }
  void SetLeast(LogLevel least) { least_ = least; }

 private:
  const Options options_;
  std::atomic<LogLevel> least_;
  std::mutex mutex_;
  std::string line_;  // scratch; guarded by mutex_
};

std::string_view LogLevelName(LogLevel level);
std::optional<LogLevel> LogLevelFromName(std::string_view name);

// One line without its newline; bytes that are not printable are escaped in both forms.
std::string FormatLogLine(LineLog::Form form, WallTime at, LogLevel level, std::string_view node,
                          std::string_view text);

// The first event of a cause is logged at once, those that follow within kPeriod are counted, and
// the next one after that says how many there were.
class LimitedLog {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(10);
  static constexpr size_t kCausesMax = 256;  // beyond: all others share one

  explicit LimitedLog(LogSink* sink) : sink_(sink) {}

  void Log(MonotonicTime now, std::string_view cause, LogLevel level, std::string_view text);

 private:
  struct Cause {
    MonotonicTime logged_at;
    uint64_t held_back = 0;
  };

  LogSink* const sink_;
  std::map<std::string, Cause, std::less<>> causes_;
};

}  // namespace eddy::server
