#include "sim/clock.h"

#include <gtest/gtest.h>

namespace eddy::sim {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

TEST(Clock, RunsAsMuchTooFastOrSlowAsItIsTold) {
  Clock clock;
  EXPECT_EQ(clock.Read(VirtualTime(seconds(10))), seconds(10));
  clock.SetDrift(VirtualTime(seconds(10)), 100'000);
  EXPECT_EQ(clock.Read(VirtualTime(seconds(20))), seconds(21));
  clock.SetDrift(VirtualTime(seconds(20)), -500'000);
  EXPECT_EQ(clock.Read(VirtualTime(seconds(22))), seconds(22));
  clock.Leap(hours(1));
  EXPECT_EQ(clock.Read(VirtualTime(seconds(22))), hours(1) + seconds(22));
}

TEST(Clock, SaysWhenItsReadingsWereTaken) {
  Clock clock;
  for (const int64_t ppm : {-499'999, -3, 0, 1, 50'000}) {
    clock.SetDrift(VirtualTime(hours(1)), ppm);
    for (const Duration at : {Duration(hours(1)), Duration(hours(200)) + microseconds(7)}) {
      const VirtualTime when = clock.When(clock.Read(VirtualTime(at)));
      EXPECT_LE(when, VirtualTime(at)) << ppm;
      EXPECT_GE(when, VirtualTime(at) - microseconds(2)) << ppm;
    }
  }
}

}  // namespace
}  // namespace eddy::sim
