// What this node's background work may cost (Dynamo, section 6.5): one budget shared by hint
// delivery, synchronisation and whatever else nobody waits for. It bounds what is on its way and
// the bytes per second, and gives way when clients feel it: while the p99 of the last minute's
// requests is above its setting the rate halves each second, down to a floor so that repair never
// stands still, and below it the rate grows back. A plain value; integers only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/histogram.h"
#include "base/time.h"

namespace eddy::node {

class BackgroundBudget {
 public:
  struct Options {
    uint64_t bytes_per_second = uint64_t{64} << 20;  // 0: as fast as it goes
    size_t bytes_in_flight_max = size_t{4} << 20;
    size_t items_in_flight_max = 512;
    Duration foreground_p99_max = std::chrono::milliseconds(50);
  };

  explicit BackgroundBudget(Options options) : options_(options) {}

  // Leave to send one item of so many bytes now: Return it when it was answered or given up.
  // False: not now. An item larger than all there is may go alone.
  [[nodiscard]] bool Take(MonotonicTime now, size_t bytes);
  void Return(size_t bytes) { Return(bytes, bytes); }
  // It turned out to be smaller than was asked for.
  void Return(size_t bytes, size_t used);

  // A client's request was answered after this long.
  void OnForeground(MonotonicTime now, Duration latency);
  void Tick(MonotonicTime now);

  // The part of the rate that is allowed now, of kWhole.
  static constexpr uint64_t kWhole = 256;
  uint64_t share() const { return share_; }
  uint64_t bytes_per_second() const { return options_.bytes_per_second; }
  size_t bytes_in_flight() const { return bytes_in_flight_; }
  size_t items_in_flight() const { return items_in_flight_; }
  Duration foreground_p99() const { return foreground_p99_; }

 private:
  static constexpr uint64_t kShareMin = 8;
  static constexpr uint64_t kShareStep = 16;
  static constexpr Duration kJudgeEvery = std::chrono::seconds(1);
  // The last minute, in slots that are dropped one at a time.
  static constexpr size_t kSlots = 6;
  static constexpr Duration kSlot = std::chrono::seconds(10);
  // What may be saved up while there is nothing to do.
  static constexpr Duration kBurst = std::chrono::milliseconds(100);

  uint64_t Rate() const { return options_.bytes_per_second * share_ / kWhole; }

  const Options options_;
  size_t bytes_in_flight_ = 0;
  size_t items_in_flight_ = 0;
  uint64_t share_ = kWhole;
  // Bytes that may go now; below zero after an item larger than the burst.
  int64_t credit_ = 0;
  MonotonicTime credited_at_;
  MonotonicTime judged_at_;
  MonotonicTime slot_began_at_;
  size_t slot_ = 0;
  std::array<Histogram, kSlots> latencies_{};
  Duration foreground_p99_{};
};

}  // namespace eddy::node
