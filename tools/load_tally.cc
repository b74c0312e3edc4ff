#include "tools/load_tally.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace eddy::tools {

namespace {

constexpr Duration kSecond = std::chrono::seconds(1);
constexpr Duration kRestMin = std::chrono::milliseconds(100);

double PerSecond(uint64_t count, Duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

}  // namespace

std::string_view NameOf(LoadErrorClass error_class) {
  switch (error_class) {
    case LoadErrorClass::kTimeout:
      return "timeout";
    case LoadErrorClass::kBusy:
      return "busy";
    case LoadErrorClass::kQuorum:
      return "quorum";
    case LoadErrorClass::kUnknown:
      return "unknown";
    case LoadErrorClass::kConnection:
      return "connection";
    case LoadErrorClass::kStorage:
      return "storage";
    case LoadErrorClass::kRefused:
      return "refused";
  }
  return "";
}

LoadErrorClass LoadErrorClassOf(Code code) {
  switch (code) {
    case Code::kTimeout:
      return LoadErrorClass::kTimeout;
    case Code::kBusy:
      return LoadErrorClass::kBusy;
    case Code::kUnavailable:
      return LoadErrorClass::kQuorum;
    case Code::kUnknownOutcome:
      return LoadErrorClass::kUnknown;
    case Code::kIo:
    case Code::kCorruption:
      return LoadErrorClass::kStorage;
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kWrongCluster:
    case Code::kConflict:
    case Code::kUnsupported:
      return LoadErrorClass::kRefused;
  }
  return LoadErrorClass::kRefused;
}

double LoadSecond::OperationsPerSecond() const { return PerSecond(operations, length); }

uint64_t LoadResult::error_count() const {
  uint64_t count = 0;
  for (const auto& [error_class, of_class] : errors) count += of_class.count;
  return count;
}

double LoadResult::OperationsPerSecond() const { return PerSecond(operations, elapsed); }

void LoadTally::Begin(bool open, MonotonicTime begin) {
  begun_ = true;
  open_ = open;
  begin_ = answered_ = second_ = begin;
}

void LoadTally::Sent(MonotonicTime since, MonotonicTime now) {
  if (open_ && Counts(since, now) && now - since > kLateAfter) result_.late++;
}

void LoadTally::Done(LoadKind kind, bool absent, MonotonicTime since, MonotonicTime now) {
  if (!Counts(since, now)) return;
  PassTo(now);
  EndPause(now);
  const auto latency_us = static_cast<uint64_t>((now - since).count());
  result_.operations++;
  if (absent) result_.absent++;
  result_.latency_us.Add(latency_us);
  result_.latency_us_of[kind].Add(latency_us);
  in_second_.operations++;
  in_second_us_.Add(latency_us);
}

void LoadTally::Failed(LoadErrorClass error_class, std::string_view text, MonotonicTime since,
                       MonotonicTime now) {
  if (!Counts(since, now)) return;
  PassTo(now);
  LoadErrors& errors = result_.errors[error_class];
  if (errors.count++ == 0) errors.example = text;
  in_second_.errors++;
}

std::vector<LoadSecond> LoadTally::TakeSeconds(MonotonicTime now) {
  if (!begun_) return {};
  PassTo(now);
  const size_t from = std::exchange(seconds_given_, result_.seconds.size());
  return {result_.seconds.begin() + static_cast<std::ptrdiff_t>(from), result_.seconds.end()};
}

LoadResult LoadTally::End(MonotonicTime now, MonotonicTime asked_until) {
  PassTo(now);
  if (now - second_ >= kRestMin || result_.seconds.empty()) {
    CloseSecond(now - second_);
  } else {
    // Too little to be a second of its own. Its latencies would not show in the quantiles.
    LoadSecond& last = result_.seconds.back();
    last.length += now - second_;
    last.operations += in_second_.operations;
    last.errors += in_second_.errors;
    last.max_us = std::max(last.max_us, in_second_us_.max());
  }
  EndPause(std::max(answered_, asked_until));
  result_.elapsed = now - begin_;
  return std::move(result_);
}

bool LoadTally::Counts(MonotonicTime since, MonotonicTime now) {
  return begun_ && (open_ ? since : now) >= begin_;
}

void LoadTally::PassTo(MonotonicTime now) {
  while (now - second_ >= kSecond) {
    CloseSecond(kSecond);
    second_ += kSecond;
  }
}

void LoadTally::CloseSecond(Duration length) {
  in_second_.length = length;
  in_second_.p50_us = in_second_us_.Quantile(5'000);
  in_second_.p99_us = in_second_us_.Quantile(9'900);
  in_second_.max_us = in_second_us_.max();
  result_.seconds.push_back(std::exchange(in_second_, {}));
  in_second_us_ = {};
}

void LoadTally::EndPause(MonotonicTime now) {
  if (now - answered_ > result_.longest_pause) {
    result_.longest_pause = now - answered_;
    result_.longest_pause_at = answered_ - begin_;
  }
  answered_ = now;
}

}  // namespace eddy::tools
