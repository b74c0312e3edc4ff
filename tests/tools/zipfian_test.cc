#include "tools/zipfian.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

// The sum of 1 / k^theta for k up to `items`: term by term at first, then by Euler and Maclaurin.
double Zeta(uint64_t items, double theta) {
  const uint64_t summed = std::min<uint64_t>(items, 100'000);
  double sum = 0;
  for (uint64_t k = 1; k <= summed; k++) sum += std::pow(static_cast<double>(k), -theta);
  const auto from = static_cast<double>(summed);
  const auto to = static_cast<double>(items);
  sum += (std::pow(to, 1 - theta) - std::pow(from, 1 - theta)) / (1 - theta);
  return sum + (std::pow(to, -theta) - std::pow(from, -theta)) / 2;
}

// How far the counts are from the law, as Pearson's sum of squares over its degrees of freedom:
// about one if they follow it.
double Misfit(uint64_t items, double theta, uint64_t seed) {
  constexpr uint64_t kDraws = 400'000;
  const Zipfian ranks(items, theta);
  Random random(seed);
  std::vector<uint64_t> counts(items);
  for (uint64_t i = 0; i < kDraws; i++) counts.at(ranks.Next(&random))++;
  const double whole = Zeta(items, theta);
  double squares = 0;
  for (uint64_t k = 0; k < items; k++) {
    const double expected = kDraws * std::pow(static_cast<double>(k + 1), -theta) / whole;
    squares += std::pow(static_cast<double>(counts[k]) - expected, 2) / expected;
  }
  return squares / static_cast<double>(items - 1);
}

TEST(Zipfian, EachRankIsDrawnAsOftenAsTheLawSays) {
  for (const double theta : {0.5, kZipfianTheta, 1.2}) {
    for (const uint64_t items : {2U, 3U, 10U, 100U, 1000U}) {
      for (uint64_t seed = 1; seed <= 3; seed++) {
        // The spread of the sum is sqrt(2 / degrees of freedom): five of them are allowed.
        const double allowed = 1 + 5 * std::sqrt(2.0 / static_cast<double>(items - 1));
        EXPECT_LT(Misfit(items, theta, seed), allowed)
            << "theta " << theta << ", items " << items << ", seed " << seed;
      }
    }
  }
}

TEST(Zipfian, TheTestWouldSeeAnotherLaw) {
  // What is drawn with one theta does not fit another.
  constexpr uint64_t kItems = 100;
  const Zipfian ranks(kItems, 0.9);
  Random random(1);
  uint64_t first = 0;
  for (int i = 0; i < 400'000; i++) first += ranks.Next(&random) == 0;
  EXPECT_GT(std::abs(static_cast<double>(first) - 400'000 / Zeta(kItems, 0.99)), 5'000);
}

TEST(Zipfian, ABillionItemsNeedNoSum) {
  constexpr uint64_t kItems = 1'000'000'000;
  constexpr uint64_t kDraws = 400'000;
  const Zipfian ranks(kItems);
  Random random(7);
  uint64_t first = 0;
  uint64_t first_thousand = 0;
  uint64_t highest = 0;
  for (uint64_t i = 0; i < kDraws; i++) {
    const uint64_t rank = ranks.Next(&random);
    first += rank == 0;
    first_thousand += rank < 1000;
    highest = std::max(highest, rank);
  }
  const double whole = Zeta(kItems, kZipfianTheta);
  EXPECT_NEAR(static_cast<double>(first), kDraws / whole, 5 * std::sqrt(kDraws / whole));
  const double thousand = kDraws * Zeta(1000, kZipfianTheta) / whole;
  EXPECT_NEAR(static_cast<double>(first_thousand), thousand, 5 * std::sqrt(thousand));
  EXPECT_LT(highest, kItems);
  EXPECT_GT(highest, kItems / 10);
}

TEST(Zipfian, TheSameSeedGivesTheSameRanks) {
  const Zipfian ranks(12'345);
  Random one(5);
  Random same(5);
  Random other(6);
  int differ = 0;
  for (int i = 0; i < 1000; i++) {
    const uint64_t rank = ranks.Next(&one);
    EXPECT_EQ(rank, ranks.Next(&same));
    differ += rank != ranks.Next(&other);
  }
  EXPECT_GT(differ, 500);
}

TEST(Zipfian, GrowsAsIfItHadBeenMadeSoLarge) {
  Zipfian grown(1);
  Random one(5);
  EXPECT_EQ(grown.Next(&one), 0u);
  for (const uint64_t items : {2U, 50U, 4000U}) {
    grown.SetItems(items);
    const Zipfian made(items);
    Random left(items);
    Random right(items);
    for (int i = 0; i < 1000; i++) EXPECT_EQ(grown.Next(&left), made.Next(&right));
  }
}

}  // namespace
}  // namespace eddy::tools
