#include "base/hybrid_clock.h"

#include <gtest/gtest.h>

namespace eddy {
namespace {

WallTime At(int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

constexpr int64_t kNow = 1'700'000'000'000;

TEST(HybridClock, FollowsTheWallClock) {
  HybridClock clock;
  EXPECT_EQ(clock.Tick(At(kNow)).wall(), At(kNow));
  EXPECT_EQ(clock.Tick(At(kNow + 5)).wall(), At(kNow + 5));
}

TEST(HybridClock, NeverGoesBackNorStandsStill) {
  HybridClock clock;
  Timestamp last = clock.Tick(At(kNow));
  for (const int64_t wall : {kNow, kNow, kNow - 3'600'000, int64_t{0}, int64_t{-5}, kNow + 1}) {
    const Timestamp next = clock.Tick(At(wall));
    EXPECT_GT(next, last);
    last = next;
  }
}

TEST(HybridClock, AWallClockThatWentBackIsWaitedFor) {
  HybridClock clock;
  clock.Tick(At(kNow));
  EXPECT_EQ(clock.Tick(At(kNow - 1000)).wall(), At(kNow));
  EXPECT_EQ(clock.Tick(At(kNow + 1)).wall(), At(kNow + 1));
}

TEST(HybridClock, TakesMoreThanItsLogicalPartHolds) {
  HybridClock clock;
  Timestamp last = clock.Tick(At(kNow));
  for (int i = 0; i < 70'000; ++i) {
    const Timestamp next = clock.Tick(At(kNow));
    ASSERT_GT(next, last);
    last = next;
  }
  EXPECT_EQ(last.wall(), At(kNow + 1));
}

TEST(HybridClock, IsPastEveryTimestampItObserved) {
  HybridClock clock, other;
  const Timestamp ahead = other.Tick(At(kNow + 30'000));
  clock.Observe(ahead, At(kNow));
  EXPECT_GT(clock.Tick(At(kNow)), ahead);
  clock.Observe(Timestamp{1}, At(kNow));
  EXPECT_GT(clock.Tick(At(kNow)), ahead) << "an old one takes nothing back";
}

TEST(HybridClock, IsNotCarriedAwayByABrokenClock) {
  HybridClock clock, broken;
  const auto drift = HybridClock::kMaxDrift;
  clock.Observe(broken.Tick(At(kNow) + drift + std::chrono::milliseconds(1)), At(kNow));
  EXPECT_EQ(clock.Tick(At(kNow)).wall(), At(kNow));
  HybridClock near;
  clock.Observe(near.Tick(At(kNow) + drift), At(kNow));
  EXPECT_EQ(clock.Tick(At(kNow)).wall(), At(kNow) + drift);
}

}  // namespace
}  // namespace eddy
