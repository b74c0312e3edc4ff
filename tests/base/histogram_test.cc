#include "base/histogram.h"

#include <rapidcheck.h>

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eddy {
namespace {

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.Quantile(5000), 0u);
}

TEST(Histogram, IsExactForSmallValues) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 32; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Quantile(0), 1u);
  EXPECT_EQ(histogram.Quantile(5000), 16u);
  EXPECT_EQ(histogram.Quantile(10'000), 32u);
  EXPECT_EQ(histogram.sum(), 33u * 16u);
}

TEST(Histogram, EveryQuantileOfOneValueIsThatValue) {
  Histogram histogram;
  histogram.Add(123'456'789);
  for (const uint32_t per_myriad : {0, 1, 5000, 9999, 10'000}) {
    EXPECT_EQ(histogram.Quantile(per_myriad), 123'456'789u);
  }
}

TEST(Histogram, TakesTheLargestValue) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  Histogram histogram;
  histogram.Add(kMax);
  histogram.Add(0);
  EXPECT_EQ(histogram.max(), kMax);
  EXPECT_EQ(histogram.Quantile(10'000), kMax);
  EXPECT_EQ(histogram.Quantile(5000), 0u);
}

RC_GTEST_PROP(Histogram, QuantilesAreWithinThreePerCent, ()) {
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<uint64_t>>(rc::gen::map(
      rc::gen::pair(rc::gen::arbitrary<uint64_t>(), rc::gen::inRange(0, 64)),
      [](const std::pair<uint64_t, int>& wide) { return wide.first >> wide.second; })));
  const auto per_myriad = *rc::gen::inRange<uint32_t>(0, 10'001);
  Histogram histogram;
  for (const uint64_t value : values) histogram.Add(value);
  std::vector<uint64_t> sorted = values;
  std::ranges::sort(sorted);
  const size_t rank = std::max<size_t>(1, (sorted.size() * per_myriad + 9999) / 10'000);
  const uint64_t truth = sorted[rank - 1];
  const uint64_t answer = histogram.Quantile(per_myriad);
  RC_ASSERT(answer >= truth);
  RC_ASSERT(answer - truth <= truth / 32);
}

RC_GTEST_PROP(Histogram, CountsBelowAPowerOfTwoAreExact, (const std::vector<uint64_t>& values)) {
  const auto bits = *rc::gen::inRange(0U, 64U);
  Histogram histogram;
  for (const uint64_t value : values) histogram.Add(value >> (value % 64));
  const auto truth = std::ranges::count_if(
      values, [&](uint64_t value) { return value >> (value % 64) < uint64_t{1} << bits; });
  RC_ASSERT(histogram.CountBelowPowerOfTwo(bits) == static_cast<uint64_t>(truth));
}

RC_GTEST_PROP(Histogram, JoiningIsAddingAll,
              (const std::vector<uint32_t>& a, const std::vector<uint32_t>& b)) {
  Histogram one, other, all;
  for (const uint32_t value : a) one.Add(value), all.Add(value);
  for (const uint32_t value : b) other.Add(value), all.Add(value);
  one.Join(other);
  RC_ASSERT(one.count() == all.count());
  RC_ASSERT(one.sum() == all.sum());
  RC_ASSERT(one.max() == all.max());
  for (const uint32_t per_myriad : {100, 5000, 9900, 10'000}) {
    RC_ASSERT(one.Quantile(per_myriad) == all.Quantile(per_myriad));
  }
}

}  // namespace
}  // namespace eddy
