#include "tools/rates.h"

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

wire::NodeStatus With(uint64_t uptime_seconds, uint64_t gets) {
  wire::NodeStatus status{.uptime_seconds = uptime_seconds};
  status.counters.push_back({.name = "gets", .value = gets});
  return status;
}

TEST(Rates, AreWhatCameInBetweenASecond) {
  EXPECT_EQ(RateOf(With(10, 100), With(12, 150), "gets", 2.0), 25.0);
  EXPECT_EQ(RateOf(With(10, 100), With(12, 100), "gets", 2.0), 0.0);
}

TEST(Rates, OfANodeThatWasStartedAnewOrDoesNotCountAreNotKnown) {
  EXPECT_FALSE(RateOf(With(10, 100), With(1, 200), "gets", 2.0));
  EXPECT_FALSE(RateOf(With(10, 100), With(12, 50), "gets", 2.0));
  EXPECT_FALSE(RateOf(With(10, 100), With(12, 150), "puts", 2.0));
  EXPECT_FALSE(RateOf(With(10, 100), With(12, 150), "gets", 0.0));
}

TEST(Rates, AreReadable) {
  EXPECT_EQ(FormatRate(std::nullopt), "-");
  EXPECT_EQ(FormatRate(0.0), "0");
  EXPECT_EQ(FormatRate(0.25), "0.2");
  EXPECT_EQ(FormatRate(12345.6), "12,346");
}

}  // namespace
}  // namespace eddy::tools
