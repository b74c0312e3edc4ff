#include "tools/progress.h"

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;

TEST(Progress, ShowsShareRateAndTimeLeft) {
  EXPECT_EQ(ProgressLine(250, 1000, 12'000, "lines", milliseconds(2'000), 60),
            "[#####...............]  25%  12,000 lines  6,000/s  7 s left");
}

TEST(Progress, WithoutATotalShowsTheRateAlone) {
  EXPECT_EQ(ProgressLine(250, std::nullopt, 12'000, "lines", milliseconds(2'000), 80),
            "12,000 lines  6,000/s");
}

TEST(Progress, IsCompleteAtTheEnd) {
  EXPECT_EQ(ProgressLine(10, 10, 5, "keys", milliseconds(1'000), 40),
            "[####################] 100%  5 keys  5/s");
}

TEST(Progress, FitsAnyWidth) {
  for (size_t width = 1; width < 200; width++) {
    EXPECT_LE(ProgressLine(5, 10, 1'000'000, "lines", milliseconds(0), width).size(), width);
  }
}

}  // namespace
}  // namespace eddy::tools
