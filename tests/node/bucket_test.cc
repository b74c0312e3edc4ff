// Promises about N, R and W (Dynamo, section 4.5).
#include "node/bucket.h"

#include <gtest/gtest.h>

namespace eddy::node {
namespace {

TEST(Quorum, IsAMajorityUnlessSaidOtherwise) {
  for (uint8_t n = 1; n <= 16; ++n) {
    BucketProperties properties;
    properties.n = n;
    const auto quorum = ResolveQuorum(properties, {}, 100);
    ASSERT_TRUE(quorum.has_value());
    EXPECT_EQ(quorum->r, n / 2 + 1);
    EXPECT_EQ(quorum->w, n / 2 + 1);
    EXPECT_GT(quorum->r + quorum->w, n) << "a read meets every acknowledged write";
  }
}

TEST(Quorum, OfASmallClusterIsOfTheReplicasThereAre) {
  const auto quorum = ResolveQuorum({}, {}, 1);
  ASSERT_TRUE(quorum.has_value());
  EXPECT_EQ(quorum->n, 1);
  EXPECT_EQ(quorum->w, 1);
}

TEST(Quorum, AskedForIsNotLowered) {
  const auto quorum = ResolveQuorum({}, {.w = 3}, 1);
  ASSERT_TRUE(quorum.has_value());
  EXPECT_EQ(quorum->w, 3);
}

TEST(Quorum, RequestGoesBeforeTheBucket) {
  BucketProperties properties;
  properties.r = 1;
  properties.w = 3;
  const auto quorum = ResolveQuorum(properties, {.r = 2, .w = 1}, 3);
  ASSERT_TRUE(quorum.has_value());
  EXPECT_EQ(quorum->r, 2);
  EXPECT_EQ(quorum->w, 1);
}

TEST(Quorum, ThatCanNeverBeMetIsRefusedByName) {
  EXPECT_EQ(ResolveQuorum({}, {.r = 4}, 9).error().text,
            "r = 4 can never be met with n = 3: lower r or raise n");
  EXPECT_EQ(ResolveQuorum({}, {.pw = 4}, 9).error().code, Code::kInvalidArgument);
  EXPECT_EQ(ResolveQuorum({}, {.w = 0}, 9).error().text, "w must be at least 1");
  EXPECT_EQ(ResolveQuorum({}, {.n = 0}, 9).error().code, Code::kInvalidArgument);
  EXPECT_EQ(ResolveQuorum({}, {.n = 17}, 20).error().code, Code::kInvalidArgument);
}

TEST(Quorum, CountsPrimariesWithinTheReplies) {
  const auto quorum = ResolveQuorum({}, {.w = 1, .pw = 3}, 3);
  ASSERT_TRUE(quorum.has_value());
  EXPECT_EQ(quorum->w, 3);
}

TEST(Buckets, ImpossiblePropertiesAreRefusedWhenSet) {
  BucketTable buckets;
  BucketProperties properties;
  properties.r = 4;
  EXPECT_EQ(buckets.Set("b", properties).error().code, Code::kInvalidArgument);
  EXPECT_EQ(buckets.Find("b").r, std::nullopt) << "nothing changed";
  EXPECT_EQ(buckets.Set("", {}).error().code, Code::kInvalidArgument);
}

TEST(Buckets, RedisKeysGoToTheLastWriterAndOthersShowSiblings) {
  const BucketTable buckets;
  EXPECT_EQ(buckets.Find("redis").conflict, Conflict::kLastWriter);
  EXPECT_EQ(buckets.Find("other").conflict, Conflict::kSiblings);
}

}  // namespace
}  // namespace eddy::node
