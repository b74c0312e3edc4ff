#include "server/key_lister.h"

#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ring/token.h"
#include "server/locked_engine.h"
#include "storage/key.h"
#include "storage/memory_engine.h"

namespace eddy::server {
namespace {

class KeyListerTest : public testing::Test {
 protected:
  KeyListerTest() : engine_(std::make_unique<storage::MemoryEngine>()) {}

  void Store(const std::string& bucket, const std::string& key, size_t value_bytes = 1) {
    const uint64_t token = ring::TokenOf(bucket, key).value;
    const storage::WriteBatch batch = {
        {.space = storage::Space::kData,
         .key = storage::EncodeKey({.token = token, .bucket = bucket, .key = key}),
         .value = std::string(value_bytes, 'v')}};
    ASSERT_TRUE(engine_.Write(batch, storage::Logging::kLogged));
  }

  // All pages, with the number of them in *pages.
  std::vector<wire::ListedKey> All(const std::string& bucket, size_t* pages) {
    std::vector<wire::ListedKey> all;
    wire::KeyListRequest request{.id = {1, 2}, .bucket = bucket, .cursor = {}};
    for (*pages = 1;; ++*pages) {
      wire::KeyListReply reply = ListKeys(&engine_, request);
      EXPECT_FALSE(reply.error);
      EXPECT_EQ(reply.id, request.id);
      EXPECT_LE(reply.keys.size(), wire::kKeyListKeysMax);
      all.insert(all.end(), reply.keys.begin(), reply.keys.end());
      if (reply.cursor.empty()) return all;
      request.cursor = reply.cursor;
    }
  }

  LockedEngine engine_;
};

TEST_F(KeyListerTest, PagesHoldEveryKeyOnceInTheOrderOfTheRing) {
  constexpr size_t kKeys = 2 * wire::kKeyListKeysMax + 1;
  for (size_t i = 0; i < kKeys; ++i) Store("b", fmt::format("{}", i));
  size_t pages = 0;
  const auto all = All("b", &pages);
  EXPECT_EQ(pages, 3U);
  ASSERT_EQ(all.size(), kKeys);
  for (size_t i = 1; i < kKeys; ++i) {
    EXPECT_LT(ring::TokenOf("b", all[i - 1].key), ring::TokenOf("b", all[i].key));
  }
}

TEST_F(KeyListerTest, OtherBucketsAreLeftOut) {
  Store("a", "1");
  Store("b", "2");
  size_t pages = 0;
  EXPECT_EQ(All("b", &pages), (std::vector<wire::ListedKey>{{"b", "2"}}));
  EXPECT_EQ(All("", &pages).size(), 2U);
  EXPECT_EQ(All("c", &pages).size(), 0U);
}

TEST_F(KeyListerTest, APageEndsWhenItHasReadEnoughThoughItFoundNothing) {
  for (size_t i = 0; i < 3; ++i) Store("large", fmt::format("{}", i), kKeyListScanBytesMax);
  for (size_t i = 0; i < kKeyListRecordsMax; ++i) Store("small", fmt::format("{}", i));
  size_t pages = 0;
  EXPECT_EQ(All("none", &pages).size(), 0U);
  EXPECT_GE(pages, 4U);
}

}  // namespace
}  // namespace eddy::server
