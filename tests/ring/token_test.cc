#include "ring/token.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "ring/partition.h"

namespace eddy::ring {
namespace {

// What `CLUSTER KEYSLOT` of a Redis server answers.
TEST(Slot, IsThatOfRedisCluster) {
  EXPECT_EQ(SlotOf("123456789"), 0x31C3);  // the check value of CRC16/XMODEM, below 16384 already
  EXPECT_EQ(SlotOf("foo"), 12182);
  EXPECT_EQ(SlotOf("bar"), 5061);
  EXPECT_EQ(SlotOf("hello"), 866);
  EXPECT_EQ(SlotOf("somekey"), 11058);
  EXPECT_EQ(SlotOf(""), 0);
}

TEST(Slot, OfATaggedKeyIsThatOfItsTag) {
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("{user1000}.followers"));
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("user1000"));
  EXPECT_EQ(SlotOf("foo{hash_tag}"), 2515);
  EXPECT_EQ(SlotOf("foo{bar}{zap}"), SlotOf("bar"));
  EXPECT_EQ(SlotOf("foo{{bar}}zap"), SlotOf("{bar"));
  EXPECT_EQ(SlotOf("}{bar}"), SlotOf("bar"));
}

TEST(Slot, OfAKeyWithoutAWholeTagIsThatOfAllItsBytes) {
  // An empty tag is none, and what follows it is not looked at; CRC16 of the whole key.
  EXPECT_EQ(SlotOf("foo{}{bar}"), 8363);
  EXPECT_NE(SlotOf("foo{}{bar}"), SlotOf("bar"));
  EXPECT_NE(SlotOf("foo{bar"), SlotOf("bar"));
  EXPECT_NE(SlotOf("foo}bar{"), SlotOf("bar"));
}

RC_GTEST_PROP(Token, StartsWithTheSlotOfTheKey,
              (const std::string& bucket, const std::string& key)) {
  RC_ASSERT(SlotOf(TokenOf(bucket, key)) == SlotOf(key));
}

TEST(Token, HashesTheLengthPrefixedPairWhateverItsLength) {
  for (const size_t size : {0, 1, 100, 127, 128, 480, 487, 488, 500, 512, 1000, 65536}) {
    const std::string key(size, 'k');
    std::string pair;
    AppendBytes(&pair, "bucket");
    AppendBytes(&pair, key);
    const uint64_t low = TokenOf("bucket", key).value << kSlotBits >> kSlotBits;
    EXPECT_EQ(low, Hash64(pair) >> kSlotBits) << size;
  }
}

TEST(Token, TellsWhereTheBucketEnds) { EXPECT_NE(TokenOf("a", "b{t}"), TokenOf("ab", "{t}")); }

TEST(Partition, OfATokenIsTheOneWhoseRangeHoldsIt) {
  for (unsigned bits = 0; bits <= kPartitionBitsMax; ++bits) {
    uint64_t next = 0;
    for (uint32_t number = 0; number < PartitionCount(bits); ++number) {
      const TokenRange range = TokensOf(PartitionId{number}, bits);
      ASSERT_EQ(range.first.value, next);
      ASSERT_EQ(PartitionOf(range.first, bits), PartitionId{number});
      ASSERT_EQ(PartitionOf(range.last, bits), PartitionId{number});
      next = range.last.value + 1;
    }
    EXPECT_EQ(next, 0u) << "the ranges cover all tokens, to the last";
  }
}

TEST(Partition, IsMadeOfWholeSlots) {
  EXPECT_EQ(SlotsOf(PartitionId{0}, 0), (SlotRange{0, 16383}));
  EXPECT_EQ(SlotsOf(PartitionId{0}, 8), (SlotRange{0, 63}));
  EXPECT_EQ(SlotsOf(PartitionId{255}, 8), (SlotRange{16320, 16383}));
  EXPECT_EQ(SlotsOf(PartitionId{77}, 14), (SlotRange{77, 77}));
}

TEST(Partition, StandsOnTheRingOnceAndNotBesideItsNeighbourInTokenOrder) {
  const std::vector<PartitionId> order = RingOrder(8);
  std::vector<bool> seen(order.size());
  size_t neighbours = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_FALSE(seen[order[i].value]);
    seen[order[i].value] = true;
    neighbours += order[(i + 1) % order.size()].value == order[i].value + 1;
  }
  EXPECT_EQ(order.size(), 256u);
  EXPECT_LT(neighbours, 8u);
}

}  // namespace
}  // namespace eddy::ring
