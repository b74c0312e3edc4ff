#include "gossip/suspicion.h"

#include <gtest/gtest.h>

#include "gossip/local_health.h"
#include "gossip/logarithm.h"
#include "tests/gossip/members.h"

namespace eddy::gossip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart{seconds(100)};
constexpr SuspicionLimits kLimits{seconds(4), seconds(24), 3};

Duration TimeLeft(const Suspicion& suspicion) { return suspicion.Deadline() - kStart; }

TEST(Logarithm, IsExactForPowersOfTwoAndGrows) {
  for (uint64_t power = 0; power < 64; ++power) {
    EXPECT_EQ(Logarithm(uint64_t{1} << power), power << 16);
  }
  // log2(10) = 3.32192809..., log2(3) = 1.58496250...
  EXPECT_EQ(Logarithm(10), 217705u);
  EXPECT_EQ(Logarithm(3), 103872u);
  EXPECT_EQ(Logarithm(UINT64_MAX), (uint64_t{64} << 16) - 1);
  for (uint64_t n = 1; n < 5000; ++n) EXPECT_LT(Logarithm(n), Logarithm(n + 1));
}

TEST(SuspicionLimits, GrowWithTheLogarithmOfTheCluster) {
  const auto limits = [](size_t members) {
    return SuspicionLimitsFor({}, milliseconds(500), members);
  };
  for (const size_t small : {1, 2, 5, 10}) EXPECT_EQ(limits(small).min, seconds(2)) << small;
  EXPECT_NEAR(static_cast<double>(limits(100).min.count()), 4e6, 100);
  EXPECT_NEAR(static_cast<double>(limits(1000).min.count()), 6e6, 100);
  EXPECT_EQ(limits(100).max, limits(100).min * 6);
  for (size_t members = 2; members < 1000; ++members) {
    EXPECT_LE(limits(members).min, limits(members + 1).min);
  }
}

// The suspected one and the one who suspects do not count.
TEST(SuspicionLimits, AskForNoMoreConfirmationsThanThereAreOthers) {
  const size_t expected[] = {0, 0, 0, 1, 2, 3, 3};
  for (size_t members = 0; members < 7; ++members) {
    EXPECT_EQ(SuspicionLimitsFor({}, seconds(1), members).confirmations, expected[members]);
  }
}

TEST(Suspicion, LastsLongestUnconfirmedAndShortestConfirmed) {
  Suspicion suspicion(kStart, Peer(1), kLimits);
  EXPECT_EQ(TimeLeft(suspicion), seconds(24));
  Duration before = TimeLeft(suspicion);
  for (const uint64_t from : {2, 3, 4}) {
    EXPECT_TRUE(suspicion.Confirm(Peer(from)));
    EXPECT_LT(TimeLeft(suspicion), before);
    before = TimeLeft(suspicion);
  }
  EXPECT_EQ(before, seconds(4));
  EXPECT_FALSE(suspicion.Confirm(Peer(5)));
  EXPECT_EQ(TimeLeft(suspicion), seconds(4));
}

// Half of the logarithmic way for one of three: log 2 / log 4.
TEST(Suspicion, IsShortenedMostByTheFirstConfirmation) {
  Suspicion suspicion(kStart, Peer(1), kLimits);
  suspicion.Confirm(Peer(2));
  EXPECT_EQ(TimeLeft(suspicion), seconds(14));
}

TEST(Suspicion, IsNotConfirmedTwiceByOne) {
  Suspicion suspicion(kStart, Peer(1), kLimits);
  EXPECT_FALSE(suspicion.Confirm(Peer(1)));
  EXPECT_TRUE(suspicion.Confirm(Peer(2)));
  EXPECT_FALSE(suspicion.Confirm(Peer(2)));
  EXPECT_EQ(TimeLeft(suspicion), seconds(14));
}

TEST(Suspicion, LastsTheLeastTimeWhereNobodyCouldConfirm) {
  EXPECT_EQ(TimeLeft(Suspicion(kStart, Peer(1), {seconds(2), seconds(12), 0})), seconds(2));
}

TEST(Suspicion, IsPostponed) {
  Suspicion suspicion(kStart, Peer(1), kLimits);
  suspicion.Postpone(seconds(3));
  EXPECT_EQ(TimeLeft(suspicion), seconds(27));
}

TEST(LocalHealth, ScalesWithinItsBounds) {
  LocalHealth health(8);
  EXPECT_EQ(health.Scale(seconds(1)), seconds(1));
  health.Improve();
  EXPECT_EQ(health.score(), 0u);
  health.Worsen(3);
  EXPECT_EQ(health.Scale(seconds(1)), seconds(4));
  health.Improve();
  EXPECT_EQ(health.Scale(seconds(1)), seconds(3));
  health.Worsen(100);
  EXPECT_EQ(health.Scale(seconds(1)), seconds(8));
}

}  // namespace
}  // namespace eddy::gossip
