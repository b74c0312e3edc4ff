#include "server/watchdog.h"

#include <utility>

#include <fmt/core.h>

#include "base/check.h"

namespace eddy::server {

namespace {

int64_t SecondsOf(Duration length) {
  return std::chrono::duration_cast<std::chrono::seconds>(length).count();
}

}  // namespace

std::optional<std::string> HangJudge::Look(MonotonicTime now, std::optional<MonotonicTime> since) {
  if (hung_since_ && since != hung_since_) {
    const Duration length = now - *std::exchange(hung_since_, std::nullopt);
    return fmt::format("{} for some {} s, and goes on", what_, SecondsOf(length));
  }
  if (!since || now - *since < limit_) return std::nullopt;
  const bool again = hung_since_.has_value();
  if (again && now - said_at_ < kAgainAfter) return std::nullopt;
  if (!again) ++hangs_;
  hung_since_ = since;
  said_at_ = now;
  return fmt::format("{} for {} s: {}", what_, SecondsOf(now - *since), advice_);
}

Watchdog::Watchdog(std::vector<Watched> watched, LogSink* log, Options options)
    : watched_(std::move(watched)), log_(log), options_(std::move(options)) {
  CHECK(watched_.size() <= kWatchedMax);
  thread_ = std::thread([this] { Run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::Run() {
  MonotonicTime looked_at = options_.now();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, options_.period, [&] { return stopping_; })) return;
    }
    const MonotonicTime now = options_.now();
    // Where this thread was late itself the whole process was: paused, or without a processor.
    const bool late = now - std::exchange(looked_at, now) > 3 * options_.period;
    if (late) continue;
    for (size_t place = 0; place < watched_.size(); ++place) {
      Watched& each = watched_[place];
      if (const auto line = each.judge.Look(now, each.since())) {
        log_->Log(LogLevel::kWarning, *line);
      }
      hangs_[place] = each.judge.hangs();
    }
  }
}

}  // namespace eddy::server
