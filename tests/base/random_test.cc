#include "base/random.h"

#include <array>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy {
namespace {

using testing::ElementsAre;

std::vector<uint64_t> FirstFour(uint64_t seed) {
  Random random(seed);
  return {random.Next(), random.Next(), random.Next(), random.Next()};
}

// A seed names a run of the simulator for ever: these numbers must never change. They are what
// other implementations of xoshiro256** seeded by SplitMix64 give.
TEST(Random, GivesTheSameNumbersForTheSameSeedForEver) {
  EXPECT_THAT(FirstFour(0), ElementsAre(0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0,
                                        0x6aa594f1262d2d2c));
  EXPECT_THAT(FirstFour(42), ElementsAre(0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1,
                                         0xecb8ad4703b360a1));
}

TEST(Random, BelowIsInRangeAndReachesAllOfIt) {
  Random random(1);
  for (const uint64_t bound : {1, 2, 3, 7}) {
    std::set<uint64_t> seen;
    for (int i = 0; i < 200; ++i) seen.insert(random.Below(bound));
    EXPECT_EQ(seen.size(), bound);
    EXPECT_LT(*seen.rbegin(), bound);
  }
}

TEST(Random, BelowPrefersNoValue) {
  Random random(2);
  // Three quarters of all numbers: without rejection, the lower third would come twice as often.
  constexpr uint64_t kBound = uint64_t{3} << 62;
  std::array<int, 3> thirds{};
  for (int i = 0; i < 30'000; ++i) ++thirds[random.Below(kBound) >> 62];
  for (const int third : thirds) EXPECT_NEAR(third, 10'000, 500);
}

TEST(Random, BetweenReachesBothEnds) {
  Random random(3);
  std::set<uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random.Between(5, 7));
  EXPECT_THAT(seen, ElementsAre(5, 6, 7));
}

TEST(Random, ChanceHasTheOddsThatWereAskedFor) {
  Random random(4);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    hits += random.Chance(1, 4);
    EXPECT_FALSE(random.Chance(0, 4));
    EXPECT_TRUE(random.Chance(4, 4));
  }
  EXPECT_NEAR(hits, 2500, 250);
}

TEST(Random, AForkGoesItsOwnWay) {
  Random random(5), same(5);
  Random fork = random.Fork();
  const uint64_t next = random.Next();
  EXPECT_NE(fork.Next(), next);
  Random fork_again = same.Fork();
  fork_again.Next();
  fork_again.Next();
  EXPECT_EQ(same.Next(), next) << "what the fork draws shifts nobody else's draws";
}

TEST(RandomDeathTest, NothingIsBelowZero) { EXPECT_DEATH(Random(1).Below(0), "CHECK failed"); }

}  // namespace
}  // namespace eddy
