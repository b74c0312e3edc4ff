#include "tools/key_chooser.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

std::vector<uint64_t> Counts(KeyChooser* chooser, uint64_t keys, int draws) {
  std::vector<uint64_t> counts(keys);
  for (int i = 0; i < draws; i++) counts.at(chooser->Choose())++;
  return counts;
}

TEST(KeyChooser, UniformTakesEachKeyAsOften) {
  KeyChooser chooser(KeyDistribution::kUniform, 100, 1);
  for (const uint64_t count : Counts(&chooser, 100, 100'000)) {
    EXPECT_NEAR(static_cast<double>(count), 1000, 160);
  }
}

TEST(KeyChooser, ZipfianHasPopularKeysThatLieApart) {
  KeyChooser chooser(KeyDistribution::kZipfian, 1000, 1);
  const std::vector<uint64_t> counts = Counts(&chooser, 1000, 100'000);
  std::vector<uint64_t> keys(1000);
  std::iota(keys.begin(), keys.end(), 0);
  std::ranges::sort(keys,
                    [&](uint64_t one, uint64_t other) { return counts[one] > counts[other]; });
  // 1 / H(1000) of all for the first, half of it for the second.
  EXPECT_NEAR(static_cast<double>(counts[keys[0]]), 12'900, 500);
  EXPECT_NEAR(static_cast<double>(counts[keys[1]]), 6'500, 400);
  std::set<uint64_t> tenths;
  for (size_t i = 0; i < 10; i++) tenths.insert(keys[i] / 100);
  EXPECT_GE(tenths.size(), 5u);
}

TEST(KeyChooser, LatestPrefersTheNewestInOrder) {
  KeyChooser chooser(KeyDistribution::kLatest, 1000, 1);
  const std::vector<uint64_t> counts = Counts(&chooser, 1000, 200'000);
  EXPECT_NEAR(static_cast<double>(counts[999]), 25'800, 800);
  EXPECT_NEAR(static_cast<double>(counts[998]), 13'000, 600);
  uint64_t newest_tenth = 0;
  uint64_t oldest_tenth = 0;
  for (size_t i = 0; i < 100; i++) {
    newest_tenth += counts[900 + i];
    oldest_tenth += counts[i];
  }
  EXPECT_GT(newest_tenth, 25 * oldest_tenth);
}

TEST(KeyChooser, LatestFollowsWhatIsInserted) {
  KeyChooser chooser(KeyDistribution::kLatest, 10, 1);
  for (uint64_t expected = 10; expected < 1000; expected++) {
    const uint64_t key = chooser.Insert();
    ASSERT_EQ(key, expected);
    for (int i = 0; i < 5; i++) EXPECT_LT(chooser.Choose(), expected) << "is not there yet";
    chooser.Inserted(key);
  }
  const std::vector<uint64_t> counts = Counts(&chooser, 1000, 10'000);
  EXPECT_EQ(std::ranges::max_element(counts) - counts.begin(), 999);
}

TEST(KeyChooser, AKeyIsThereWhenThoseBeforeItAre) {
  KeyChooser chooser(KeyDistribution::kLatest, 1, 1);
  const uint64_t first = chooser.Insert();
  const uint64_t second = chooser.Insert();
  const uint64_t third = chooser.Insert();
  chooser.Inserted(third);
  EXPECT_EQ(chooser.present(), 1u);
  chooser.InsertFailed(first);
  chooser.Inserted(second);
  EXPECT_EQ(chooser.present(), 1u);
  EXPECT_EQ(chooser.Insert(), first) << "what failed is tried again";
  chooser.Inserted(first);
  EXPECT_EQ(chooser.present(), 4u);
  EXPECT_EQ(chooser.Insert(), 4u);
}

TEST(KeyChooser, TheSameSeedChoosesTheSame) {
  for (const auto distribution :
       {KeyDistribution::kUniform, KeyDistribution::kZipfian, KeyDistribution::kLatest}) {
    KeyChooser one(distribution, 1000, 3);
    KeyChooser same(distribution, 1000, 3);
    KeyChooser other(distribution, 1000, 4);
    int differ = 0;
    for (int i = 0; i < 1000; i++) {
      const uint64_t key = one.Choose();
      EXPECT_EQ(key, same.Choose());
      differ += key != other.Choose();
    }
    EXPECT_GT(differ, 500);
  }
}

TEST(KeyChooser, DistributionsHaveNames) {
  for (const auto distribution :
       {KeyDistribution::kUniform, KeyDistribution::kZipfian, KeyDistribution::kLatest}) {
    EXPECT_EQ(KeyDistributionOf(NameOf(distribution)), distribution);
  }
  EXPECT_FALSE(KeyDistributionOf("zipf"));
}

}  // namespace
}  // namespace eddy::tools
