#include "tools/chaos_plan.h"

#include <algorithm>
#include <utility>

namespace eddy::tools {

namespace {

using enum ChaosFaultKind;

constexpr std::array<std::string_view, 14> kNames = {
    "kill",      "pause",     "restart", "wipe",    "join",  "leave", "clock",
    "disk full", "partition", "one way", "isolate", "delay", "loss",  "unplug"};

constexpr Duration kPauseMin = std::chrono::milliseconds(500);
constexpr Duration kPauseMax = std::chrono::milliseconds(3000);
constexpr Duration kLastsMin = std::chrono::milliseconds(300);
constexpr Duration kLastsMax = std::chrono::milliseconds(8000);

Duration Between(Random* random, Duration low, Duration high) {
  return Duration(static_cast<int64_t>(
      random->Between(static_cast<uint64_t>(low.count()), static_cast<uint64_t>(high.count()))));
}

}  // namespace

std::string_view ChaosFaultName(ChaosFaultKind kind) { return kNames[static_cast<size_t>(kind)]; }

bool NeedsQuiet(ChaosFaultKind kind) { return kind == kWipe || kind == kJoin || kind == kLeave; }

ChaosPlan ChaosPlan::OfNodes(uint64_t seed) {
  return ChaosPlan({kKill, kKill, kPause, kRestart, kWipe, kJoin, kLeave, kClock, kDiskFull},
                   2 * seed);
}

ChaosPlan ChaosPlan::OfNetwork(uint64_t seed, bool cables) {
  std::vector<ChaosFaultKind> kinds = {kPartition, kOneWay, kIsolate, kDelay, kLoss};
  if (cables) kinds.insert(kinds.end(), {kUnplug, kUnplug});
  return ChaosPlan(std::move(kinds), 2 * seed + 1);
}

ChaosPlan::ChaosPlan(std::vector<ChaosFaultKind> kinds, uint64_t seed)
    : kinds_(std::move(kinds)), random_(seed) {}

ChaosFault ChaosPlan::Next() {
  if (left_.empty()) {
    left_ = kinds_;
    for (size_t i = left_.size(); i > 1; --i) std::swap(left_[i - 1], left_[random_.Below(i)]);
  }
  ChaosFault fault{.kind = left_.back()};
  left_.pop_back();
  fault.pause = Between(&random_, kPauseMin, kPauseMax);
  fault.lasts = Between(&random_, kLastsMin, kLastsMax);
  fault.draw = random_.Next();
  return fault;
}

}  // namespace eddy::tools
