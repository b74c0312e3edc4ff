// Promises of the budget that background work shares (Dynamo, section 6.5).
#include "node/background_budget.h"

#include <gtest/gtest.h>

namespace eddy::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kItem = 1'000;

MonotonicTime At(Duration since) { return MonotonicTime(since); }

// How many bytes may go in a second, asking every millisecond, each item answered at once.
size_t BytesIn(BackgroundBudget* budget, seconds from) {
  size_t bytes = 0;
  for (milliseconds ms{0}; ms < seconds(1); ++ms) {
    while (budget->Take(At(from + ms), kItem)) {
      budget->Return(kItem);
      bytes += kItem;
    }
  }
  return bytes;
}

TEST(BackgroundBudget, KeepsToItsRate) {
  BackgroundBudget budget({.bytes_per_second = 1'000'000});
  BytesIn(&budget, seconds(1));
  EXPECT_NEAR(static_cast<double>(BytesIn(&budget, seconds(2))), 1e6, 2e4);
}

TEST(BackgroundBudget, GivesBackWhatAnItemDidNotUse) {
  BackgroundBudget budget({.bytes_per_second = 1'000'000});
  ASSERT_TRUE(budget.Take(At(seconds(1)), 500'000));
  EXPECT_FALSE(budget.Take(At(seconds(1)), kItem)) << "the rate of half a second is used";
  budget.Return(500'000, kItem);
  EXPECT_EQ(budget.bytes_in_flight(), 0u);
  EXPECT_TRUE(budget.Take(At(seconds(1)), kItem));
}

TEST(BackgroundBudget, BoundsWhatIsOnItsWay) {
  BackgroundBudget budget(
      {.bytes_per_second = 0, .bytes_in_flight_max = 3 * kItem, .items_in_flight_max = 2});
  EXPECT_TRUE(budget.Take(At(seconds(1)), kItem));
  EXPECT_TRUE(budget.Take(At(seconds(1)), kItem));
  EXPECT_FALSE(budget.Take(At(seconds(1)), kItem)) << "two items are all";
  budget.Return(kItem);
  EXPECT_FALSE(budget.Take(At(seconds(1)), 5 * kItem)) << "too many bytes";
  budget.Return(kItem);
  EXPECT_TRUE(budget.Take(At(seconds(1)), 5 * kItem)) << "alone it may go, or it never could";
}

TEST(BackgroundBudget, GivesWayWhileClientsFeelItAndComesBackAfterwards) {
  BackgroundBudget budget({.bytes_per_second = 1'000'000, .foreground_p99_max = milliseconds(10)});
  for (int s = 1; s <= 10; ++s) {
    for (int i = 0; i < 100; ++i) budget.OnForeground(At(seconds(s)), milliseconds(50));
    budget.Tick(At(seconds(s)));
  }
  const size_t slowed = BytesIn(&budget, seconds(11));
  EXPECT_LT(slowed, 100'000u);
  EXPECT_GT(slowed, 10'000u) << "repair never stands still";
  // A minute later what was slow is forgotten.
  for (int s = 12; s <= 120; ++s) {
    budget.OnForeground(At(seconds(s)), milliseconds(1));
    budget.Tick(At(seconds(s)));
  }
  EXPECT_EQ(budget.share(), BackgroundBudget::kWhole);
}

}  // namespace
}  // namespace eddy::node
