// What came of a load: how many operations were answered and how fast, in all and in each second,
// what went wrong, and for how long nothing was answered at all. Pure: times come in as values, in
// the order in which things happened.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "base/time.h"
#include "tools/load_mix.h"

namespace eddy::tools {

enum class LoadErrorClass {
  kTimeout,     // a read found too few answers in time, or no reply came at all
  kBusy,        // not done: a queue was full
  kQuorum,      // not done: too few replicas, or a node that is not ready
  kUnknown,     // a write that may or may not be stored
  kConnection,  // the connection was lost before the reply
  kStorage,     // the node's disk
  kRefused,     // the request itself
};

// "timeout", "busy", ..: what --json shows.
std::string_view NameOf(LoadErrorClass error_class);
LoadErrorClass LoadErrorClassOf(Code code);

struct LoadErrors {
  uint64_t count = 0;
  std::string example;  // the text of the first
};

struct LoadSecond {
  Duration length{};  // one second; the last has 0.1 to 1.1, or what there was
  uint64_t operations = 0;
  uint64_t errors = 0;
  uint64_t p50_us = 0;
  uint64_t p99_us = 0;
  uint64_t max_us = 0;

  double OperationsPerSecond() const;
};

struct LoadResult {
  uint64_t operations = 0;  // answered without an error
  uint64_t absent = 0;      // of them, reads that found nothing
  Duration elapsed{};
  Histogram latency_us;
  std::map<LoadKind, Histogram> latency_us_of;
  std::map<LoadErrorClass, LoadErrors> errors;
  std::vector<LoadSecond> seconds;
  // The longest time in which no operation was answered without an error, and when it began.
  Duration longest_pause{};
  Duration longest_pause_at{};
  // Of an open loop: requests that left more than kLateAfter after they were due, and those that
  // never did.
  uint64_t late = 0;
  uint64_t unsent = 0;

  uint64_t error_count() const;
  double OperationsPerSecond() const;
};

class LoadTally {
 public:
  static constexpr Duration kLateAfter = std::chrono::milliseconds(1);

  // What the measurement begins with: in a closed loop what is answered from `begin` on counts, in
  // an open one what is due from then on. Nothing counts before.
  void Begin(bool open, MonotonicTime begin);

  // `since` is what LoadSchedule::Take gave.
  void Sent(MonotonicTime since, MonotonicTime now);
  void Done(LoadKind kind, bool absent, MonotonicTime since, MonotonicTime now);
  void Failed(LoadErrorClass error_class, std::string_view text, MonotonicTime since,
              MonotonicTime now);
  void Unsent(uint64_t requests) { result_.unsent += requests; }

  // The seconds that are over by `now`, those alone that no call gave before.
  std::vector<LoadSecond> TakeSeconds(MonotonicTime now);

  // `asked_until`, at most `now`: since then nothing was asked, so that silence is no pause.
  LoadResult End(MonotonicTime now, MonotonicTime asked_until);

 private:
  bool Counts(MonotonicTime since, MonotonicTime now);
  // Closes the seconds that are over.
  void PassTo(MonotonicTime now);
  void CloseSecond(Duration length);
  void EndPause(MonotonicTime now);

  bool begun_ = false;
  bool open_ = false;
  MonotonicTime begin_;
  MonotonicTime answered_;  // the last, or begin_
  MonotonicTime second_;    // when the one that is not over began
  LoadSecond in_second_;
  Histogram in_second_us_;
  size_t seconds_given_ = 0;
  LoadResult result_;
};

}  // namespace eddy::tools
