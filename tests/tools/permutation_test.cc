#include "tools/permutation.h"

#include <vector>

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

TEST(Permutation, EveryNumberHasOnePlace) {
  for (const uint64_t items : {1U, 2U, 3U, 4U, 5U, 16U, 17U, 1000U, 1024U, 1025U, 65'537U}) {
    for (uint64_t seed = 1; seed <= 3; seed++) {
      const Permutation permutation(items, seed);
      std::vector<bool> taken(items);
      for (uint64_t place = 0; place < items; place++) {
        const uint64_t number = permutation.At(place);
        ASSERT_LT(number, items);
        ASSERT_FALSE(taken[number]) << items << " items, seed " << seed << ", place " << place;
        taken[number] = true;
      }
    }
  }
}

TEST(Permutation, NeighboursAreApart) {
  constexpr uint64_t kItems = 100'000;
  const Permutation permutation(kItems, 1);
  uint64_t near = 0;
  for (uint64_t place = 1; place < kItems; place++) {
    const uint64_t one = permutation.At(place - 1);
    const uint64_t other = permutation.At(place);
    near += (one > other ? one - other : other - one) < kItems / 100;
  }
  // By chance a fiftieth of them.
  EXPECT_NEAR(static_cast<double>(near), kItems / 50.0, kItems / 250.0);
}

TEST(Permutation, IsAFunctionOfItsSeed) {
  const Permutation one(10'000, 1);
  const Permutation same(10'000, 1);
  const Permutation other(10'000, 2);
  int differ = 0;
  for (uint64_t place = 0; place < 1000; place++) {
    EXPECT_EQ(one.At(place), same.At(place));
    differ += one.At(place) != other.At(place);
  }
  EXPECT_GT(differ, 900);
}

}  // namespace
}  // namespace eddy::tools
