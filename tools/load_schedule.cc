#include "tools/load_schedule.h"

#include <algorithm>

#include "base/check.h"

namespace eddy::tools {

namespace {

constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;

}  // namespace

LoadSchedule::LoadSchedule(uint64_t per_second, MonotonicTime start, MonotonicTime end)
    : per_second_(per_second), start_(start), end_(end) {
  CHECK(per_second > 0 && per_second <= kLoadRateMax);
}

std::optional<MonotonicTime> LoadSchedule::Take(MonotonicTime now) {
  if (!open()) return now;
  const std::optional<MonotonicTime> due = next_due();
  if (!due || *due > now) return std::nullopt;
  taken_++;
  return due;
}

std::optional<MonotonicTime> LoadSchedule::next_due() const {
  if (!open()) return std::nullopt;
  const MonotonicTime due = DueOf(taken_);
  if (due >= end_) return std::nullopt;
  return due;
}

uint64_t LoadSchedule::Waiting(MonotonicTime now) const {
  const MonotonicTime until = std::min(now, end_);
  if (!open() || until <= start_) return 0;
  // The number of requests that are due before `until`, which is the first that is not.
  const auto elapsed_us = static_cast<uint64_t>((until - start_).count());
  const uint64_t due =
      (elapsed_us * per_second_ + kMicrosecondsPerSecond - 1) / kMicrosecondsPerSecond;
  return due - std::min(due, taken_);
}

MonotonicTime LoadSchedule::DueOf(uint64_t request) const {
  // From the start and not from the one before, so that nothing adds up.
  return start_ + Duration(request * kMicrosecondsPerSecond / per_second_);
}

}  // namespace eddy::tools
