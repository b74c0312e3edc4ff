#include "server/input_age.h"

#include <gtest/gtest.h>

namespace eddy::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class InputAgeTest : public testing::Test {
 protected:
  // The age after so much time in one gap.
  Duration After(Duration gap) {
    now_ += gap;
    age_.Turn(now_);
    return age_.Most(now_);
  }

  MonotonicTime now_{seconds(1000)};
  InputAge age_;
};

TEST_F(InputAgeTest, IsNothingWhileTheLoopRuns) {
  EXPECT_EQ(After({}), Duration::zero());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(After(milliseconds(5)), Duration::zero());
  EXPECT_EQ(After(InputAge::kStallMin - Duration(1)), Duration::zero());
}

TEST_F(InputAgeTest, IsTheStallUntilTheKernelIsDrained) {
  After({});
  EXPECT_EQ(After(seconds(8)), seconds(8));
  EXPECT_EQ(After(Duration::zero()), seconds(8)) << "more of the same turn";
  EXPECT_EQ(After(milliseconds(5)), seconds(8) + milliseconds(5)) << "what was there is older now";
  Duration since = milliseconds(5);
  for (; since < InputAge::kDrained; since += milliseconds(5)) {
    EXPECT_GT(After(milliseconds(5)), seconds(8));
  }
  EXPECT_EQ(After(milliseconds(5)), Duration::zero());
}

TEST_F(InputAgeTest, TwoStallsInARowAddUp) {
  After({});
  After(seconds(3));
  EXPECT_EQ(After(seconds(1)), seconds(4));
}

TEST_F(InputAgeTest, AnOldStallIsForgotten) {
  After({});
  After(seconds(3));
  for (int i = 0; i < 100; ++i) After(milliseconds(5));
  EXPECT_EQ(After(seconds(1)), seconds(1));
}

TEST_F(InputAgeTest, IsNoMoreThanSinceTheSocketWasEmpty) {
  After({});
  After(seconds(3));
  const MonotonicTime drained_at = age_.turn_at();
  EXPECT_EQ(After(seconds(1)), seconds(4)) << "of a socket that nobody knows of";
  age_.Use(drained_at);
  EXPECT_EQ(age_.Most(now_), seconds(1)) << "it had been read empty after the first stall";
  age_.Use(drained_at - seconds(10));
  EXPECT_EQ(age_.Most(now_), seconds(4)) << "and no older than the stalls either";
}

// A client that sends one large value after the other, each of which takes the loop a while.
TEST_F(InputAgeTest, DoesNotGrowWithEachTurnThatTakesLong) {
  MonotonicTime drained_at = now_;
  for (int i = 0; i < 50; ++i) {
    After(milliseconds(400));
    age_.Use(drained_at);
    EXPECT_LE(age_.Most(now_), milliseconds(800)) << i;
    drained_at = age_.turn_at();
  }
}

}  // namespace
}  // namespace eddy::server
