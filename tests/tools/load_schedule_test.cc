#include "tools/load_schedule.h"

#include <deque>
#include <vector>

#include <gtest/gtest.h>

#include "tools/load_tally.h"

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

MonotonicTime At(Duration since_start) { return MonotonicTime(seconds(1000)) + since_start; }

TEST(LoadSchedule, AClosedLoopSendsAtAnyTime) {
  LoadSchedule schedule;
  EXPECT_FALSE(schedule.open());
  for (int i = 0; i < 3; i++) EXPECT_EQ(schedule.Take(At(seconds(2))), At(seconds(2)));
  EXPECT_FALSE(schedule.next_due());
  EXPECT_EQ(schedule.Waiting(At(seconds(9))), 0u);
}

TEST(LoadSchedule, AnOpenLoopSendsAtFixedTimes) {
  LoadSchedule schedule(3, At(seconds(0)), At(seconds(2)));
  EXPECT_TRUE(schedule.open());
  std::vector<Duration> due;
  for (Duration now{}; now < seconds(3); now += milliseconds(1)) {
    while (const auto since = schedule.Take(At(now))) {
      due.push_back(*since - At({}));
      EXPECT_LE(*since, At(now));
    }
  }
  EXPECT_EQ(due,
            (std::vector<Duration>{Duration(0), Duration(333'333), Duration(666'666),
                                   Duration(1'000'000), Duration(1'333'333), Duration(1'666'666)}));
  EXPECT_FALSE(schedule.next_due());
}

TEST(LoadSchedule, WhatCouldNotLeaveStaysDueWhenItWas) {
  LoadSchedule schedule(1000, At(seconds(0)), At(seconds(1)));
  EXPECT_EQ(schedule.next_due(), At({}));
  EXPECT_EQ(schedule.Waiting(At(milliseconds(500))), 500u);
  // Nothing was taken until now; the first still counts from the start.
  EXPECT_EQ(schedule.Take(At(milliseconds(500))), At({}));
  EXPECT_EQ(schedule.Take(At(milliseconds(500))), At(milliseconds(1)));
  EXPECT_EQ(schedule.Waiting(At(milliseconds(500))), 498u);
  EXPECT_EQ(schedule.Waiting(At(seconds(7))), 998u);
}

TEST(LoadSchedule, WaitingIsWhatTakeWouldGive) {
  for (const uint64_t rate : {1U, 3U, 7U, 999U, 12'345U}) {
    for (const Duration now : {Duration(0), Duration(1), Duration(333'333), Duration(333'334),
                               Duration(1'000'000), Duration(1'234'567)}) {
      LoadSchedule schedule(rate, At({}), At(seconds(5)));
      const uint64_t waiting = schedule.Waiting(At(now) + Duration(1));
      uint64_t taken = 0;
      while (schedule.Take(At(now))) taken++;
      EXPECT_EQ(waiting, taken) << rate << " a second, after " << now.count() << " us";
    }
  }
}

TEST(LoadSchedule, TheHighestRateForALongTimeFits) {
  const Duration week = std::chrono::hours(7 * 24);
  const LoadSchedule schedule(kLoadRateMax, At({}), At(week));
  EXPECT_EQ(schedule.Waiting(At(week)), 7ull * 24 * 3600 * kLoadRateMax);
}

// A server that works on one request after the other, 1 ms each, and stands still from second 1 to
// second 2; a client with four connections; and the clock a number.
LoadResult RunAgainstAStall(LoadSchedule schedule) {
  constexpr size_t kConnections = 4;
  constexpr Duration kTick = std::chrono::microseconds(100);
  const Duration end = seconds(3);
  struct Request {
    MonotonicTime since;
    Duration work_left = milliseconds(1);
  };
  std::deque<Request> at_server;
  LoadTally tally;
  tally.Begin(schedule.open(), At({}));
  for (Duration now{}; now < end; now += kTick) {
    const bool stalled = now >= seconds(1) && now < seconds(2);
    if (!stalled && !at_server.empty()) {
      at_server.front().work_left -= kTick;
      if (at_server.front().work_left <= Duration{}) {
        tally.Done(LoadKind::kRead, false, at_server.front().since, At(now));
        at_server.pop_front();
      }
    }
    while (at_server.size() < kConnections) {
      const auto since = schedule.Take(At(now));
      if (!since) break;
      tally.Sent(*since, At(now));
      at_server.push_back({.since = *since});
    }
  }
  tally.Unsent(schedule.Waiting(At(end)));
  return tally.End(At(end), At(end));
}

TEST(LoadSchedule, AStallCountsInTheLatenciesOfAnOpenLoop) {
  const LoadResult open = RunAgainstAStall(LoadSchedule(100, At({}), At(seconds(3))));
  EXPECT_EQ(open.operations + open.unsent, 300u);
  EXPECT_EQ(open.unsent, 0u);
  // A third of the requests were due in the stall and waited for its end, half of them for more
  // than half a second.
  EXPECT_LT(open.latency_us.Quantile(6'000), 2'000u);
  EXPECT_GT(open.latency_us.Quantile(8'500), 450'000u);
  EXPECT_GT(open.latency_us.Quantile(9'900), 900'000u);
  EXPECT_GE(open.late, 95u) << "four were under way, the others could not leave";
  EXPECT_NEAR(static_cast<double>(open.longest_pause.count()), 1e6, 20e3);
  EXPECT_NEAR(static_cast<double>(open.longest_pause_at.count()), 1e6, 20e3);
}

TEST(LoadSchedule, AClosedLoopLeavesTheStallOut) {
  const LoadResult closed = RunAgainstAStall(LoadSchedule());
  EXPECT_GT(closed.operations, 1'900u);
  // Only the four requests that were under way know of it.
  EXPECT_GT(closed.latency_us.max(), 1'000'000u);
  EXPECT_LT(closed.latency_us.Quantile(9'900), 5'000u);
  EXPECT_EQ(closed.late, 0u);
  EXPECT_NEAR(static_cast<double>(closed.longest_pause.count()), 1e6, 20e3);
}

}  // namespace
}  // namespace eddy::tools
