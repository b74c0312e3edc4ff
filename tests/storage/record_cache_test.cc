#include "storage/record_cache.h"

#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/key.h"

namespace eddy::storage {
namespace {

std::string KeyOf(uint64_t number, uint64_t token) {
  return EncodeKey({.token = token, .bucket = "b", .key = std::to_string(number)});
}

std::string FoundIn(RecordCache* cache, const std::string& key) {
  RecordCache::Found found;
  return cache->Find(key, &found)
             ? std::string(found.record) + "@" + std::to_string(found.remembered_since)
             : "";
}

TEST(RecordCache, FindsWhatWasPutLastUntilItIsErased) {
  RecordCache cache(64 * 1024);
  const std::string key = KeyOf(1, 77);
  EXPECT_EQ(FoundIn(&cache, key), "");
  cache.Put(key, "first", 3);
  EXPECT_EQ(FoundIn(&cache, key), "first@3");
  cache.Put(key, "second, which is longer than there is room for", 4);
  EXPECT_EQ(FoundIn(&cache, key), "second, which is longer than there is room for@4");
  cache.Put(key, "3", 5);
  EXPECT_EQ(FoundIn(&cache, key), "3@5");
  EXPECT_EQ(cache.records(), 1u);
  cache.Erase(key);
  EXPECT_EQ(FoundIn(&cache, key), "");
  EXPECT_EQ(cache.records(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

// Many keys of few tokens, so that searches meet each other, gaps close, and the table goes round.
TEST(RecordCache, HoldsWhatWasPutLastOrNothingAndNeverMoreThanItMay) {
  constexpr size_t kBytesMax = 16 * 1024;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    RecordCache cache(kBytesMax);
    std::map<std::string, std::string> last;
    size_t hits = 0;
    for (int step = 0; step < 20'000; ++step) {
      const uint64_t number = random.Below(200);
      const std::string key = KeyOf(number, random.Chance(1, 2) ? number % 5 : number * 7919);
      switch (random.Below(4)) {
        case 0: {
          const std::string record(random.Below(300) + 1,
                                   static_cast<char>('a' + random.Below(26)));
          const uint64_t since = random.Below(100);
          cache.Put(key, record, since);
          last[key] = record + "@" + std::to_string(since);
          break;
        }
        case 1:
          if (!random.Chance(1, 4)) break;
          cache.Erase(key);
          last.erase(key);
          break;
        default:
          const std::string found = FoundIn(&cache, key);
          if (found.empty()) break;
          ASSERT_TRUE(last.contains(key)) << "seed " << seed << ", step " << step;
          ASSERT_EQ(found, last[key]) << "seed " << seed << ", step " << step;
          ++hits;
      }
      ASSERT_LE(cache.bytes(), kBytesMax);
      ASSERT_LE(cache.records(), last.size());
    }
    EXPECT_GT(hits, 500u) << "seed " << seed;
    cache.Clear();
    EXPECT_EQ(cache.records() + cache.bytes(), 0u);
  }
}

TEST(RecordCache, HoldsAllOfWhatFits) {
  RecordCache cache(64 * 1024);
  for (uint64_t number = 0; number < 200; ++number) {
    cache.Put(KeyOf(number, number << 40 | number), std::string(100, 'x'), number);
  }
  EXPECT_EQ(cache.records(), 200u);
  for (uint64_t number = 0; number < 200; ++number) {
    EXPECT_EQ(FoundIn(&cache, KeyOf(number, number << 40 | number)),
              std::string(100, 'x') + "@" + std::to_string(number));
  }
}

TEST(RecordCache, ForgetsWhatNobodyAsksForFirst) {
  RecordCache cache(16 * 1024);
  const auto key_of = [](uint64_t number) { return KeyOf(number, number * 0x9e3779b97f4a7c15); };
  for (uint64_t number = 0; number < 10'000; ++number) {
    cache.Put(key_of(number), std::string(50, 'x'), 0);
    // Ten that are read all the time.
    for (uint64_t hot = 0; hot < 10 && hot <= number; ++hot) {
      ASSERT_NE(FoundIn(&cache, key_of(hot)), "") << number;
    }
  }
  EXPECT_LT(cache.records(), 200u);
}

// Records that come one after the other and are never asked for again: the hand must not leave all
// free slots behind it.
TEST(RecordCache, SearchesStayShortHoweverLongItHasBeenFull) {
  for (const size_t bytes : {1, 20, 100, 1000}) {
    RecordCache cache(size_t{1} << 20);
    Random random(bytes);
    for (uint64_t number = 0; number < 50'000; ++number) {
      cache.Put(KeyOf(number, random.Next()), std::string(bytes, 'x'), 0);
      if (number % 10'000 != 9'999) continue;
      EXPECT_LT(cache.LongestRun(), 250u) << bytes << " " << number;
    }
    EXPECT_GT(cache.records(), 500u);
  }
}

TEST(RecordCache, WhatIsTooLargeIsNotKeptAndTakesTheOldRecordWithIt) {
  RecordCache cache(1024 * 1024);
  const std::string key = KeyOf(1, 1);
  cache.Put(key, "small", 1);
  cache.Put(key, std::string(RecordCache::kEntryBytesMax, 'x'), 2);
  EXPECT_EQ(FoundIn(&cache, key), "");
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(RecordCache, WithoutMemoryItKeepsNothing) {
  RecordCache cache(0);
  cache.Put(KeyOf(1, 1), "record", 1);
  cache.Erase(KeyOf(1, 1));
  EXPECT_EQ(FoundIn(&cache, KeyOf(1, 1)), "");
}

}  // namespace
}  // namespace eddy::storage
