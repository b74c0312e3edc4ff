// Hash trees, and the promise of the store that keeps them: whatever is written, in whatever
// order, while trees are built or not, a known tree is the tree of what is stored.
#include "storage/hash_tree.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"
#include "storage/scan.h"
#include "storage/store.h"

namespace eddy::storage {
namespace {

TEST(HashTree, ANodeIsTheXorOfWhatIsBelowIt) {
  Random random(1);
  HashTree tree;
  for (int i = 0; i < 500; ++i) {
    tree.Toggle(static_cast<uint32_t>(random.Below(HashTree::kLeaves)),
                Digest{random.Next(), random.Next()});
  }
  Digest root;
  for (uint32_t inner = 0; inner < HashTree::kFan; ++inner) {
    Digest sum;
    for (const Digest& leaf : tree.LeavesOf(inner)) sum ^= leaf;
    EXPECT_EQ(sum, tree.inner()[inner]);
    root ^= sum;
  }
  EXPECT_EQ(root, tree.root());
}

TEST(HashTree, WhatIsPutInAndTakenOutLeavesNothing) {
  HashTree tree;
  tree.Toggle(17, Digest{1, 2});
  EXPECT_NE(tree.root(), Digest());
  tree.Toggle(17, Digest{1, 2});
  EXPECT_EQ(tree.root(), Digest());
}

TEST(HashTree, LeavesDivideThePartitionsTokens) {
  Random random(2);
  for (const unsigned bits : {0u, 1u, 6u, 8u, 14u}) {
    for (int i = 0; i < 200; ++i) {
      const uint64_t token = random.Next();
      const auto partition = static_cast<uint32_t>(bits == 0 ? 0 : token >> (64 - bits));
      const LeafTokens leaf = TokensOfLeaf(partition, LeafOf(token, bits), bits);
      EXPECT_LE(leaf.first, token);
      EXPECT_GE(leaf.last, token);
    }
    const uint32_t last = (uint32_t{1} << bits) - 1;
    EXPECT_EQ(TokensOfLeaf(0, 0, bits).first, 0u);
    EXPECT_EQ(TokensOfLeaf(last, HashTree::kLeaves - 1, bits).last, UINT64_MAX);
    for (uint32_t index = 0; index + 1 < HashTree::kLeaves; ++index) {
      EXPECT_EQ(TokensOfLeaf(last, index, bits).last + 1,
                TokensOfLeaf(last, index + 1, bits).first);
    }
  }
}

TEST(HashTree, RecordsThatChangePlacesDoNotCancelOut) {
  const Digest a{1, 2};
  const Digest b{3, 4};
  Digest as_they_are = TreeDigest("x", a);
  as_they_are ^= TreeDigest("y", b);
  Digest exchanged = TreeDigest("x", b);
  exchanged ^= TreeDigest("y", a);
  EXPECT_NE(as_they_are, exchanged);
}

// A store of which one partition's trees are built, step by step, while others write.
class TreesUnderWrites {
 public:
  static constexpr unsigned kBits = 2;

  explicit TreesUnderWrites(uint64_t seed, size_t changed_max = 1024)
      : random_(seed),
        trees_({.partition_bits = kBits,
                .replicas_of = [](std::string_view bucket) { return NOf(bucket); },
                .changed_max = changed_max}),
        store_(&engine_, {}, &trees_) {}

  static uint8_t NOf(std::string_view bucket) { return bucket == "two" ? 2 : 3; }

  void Write() {
    const std::string bucket = random_.Chance(1, 3) ? "two" : "three";
    const uint64_t number = random_.Below(60);
    // Scattered over the ring, so that partitions have leaves and leaves have neighbours.
    const std::string key = EncodeKey(
        {.token = number * 0x0431'5a3c'9d21'7b11, .bucket = bucket, .key = std::to_string(number)});
    StoreVerb verb{.id = 1, .key = key};
    if (random_.Chance(1, 5)) {
      verb.action = RemoveVerb{RecordDigest(Stored(key))};
    } else {
      lattice::Record record;
      record.Put(
          {}, {.dot = {{9, random_.Below(3) + 1}, ++counter_}, .timestamp = {1}, .value = "v"}, {});
      if (random_.Chance(1, 4)) record.Delete(record.context());
      verb.action = JoinVerb{EncodeRecord(record)};
    }
    Do(std::move(verb));
    if (random_.Chance(1, 3)) Commit();
  }

  // One step of a build of partition 1; a page is read at one moment and fed at a later one.
  void BuildStep() {
    using Step = BuildVerb::Step;
    switch (step_) {
      case 0:
        Do({.id = 1, .action = BuildVerb{.step = Step::kBegin, .partition = 1}});
        from_ = FirstKeyOf(TokensOfLeaf(1, 0, kBits).first);
        step_ = 1;
        return;
      case 1: {
        StoreVerb scan{.id = 1,
                       .key = from_,
                       .action = ScanVerb{
                           .end = FirstKeyAfter(TokensOfLeaf(1, HashTree::kLeaves - 1, kBits).last),
                           .rows_max = 1 + static_cast<uint32_t>(random_.Below(6)),
                           .digests_only = true}};
        page_ = ScanPage(&engine_, scan);
        step_ = 2;
        return;
      }
      case 2:
        from_ = page_.next;
        Do({.id = 1,
            .action =
                BuildVerb{.step = Step::kFeed, .partition = 1, .rows = page_.rows, .next = from_}});
        step_ = from_.empty() ? 3 : 1;
        return;
      default:
        finished_ = Do({.id = 1, .action = BuildVerb{.step = Step::kFinish, .partition = 1}});
        step_ = 0;
    }
  }

  // The tree of what is stored, made from nothing.
  HashTree Expected(uint8_t n) {
    Commit();
    HashTree tree;
    StoreVerb scan{.id = 1, .action = ScanVerb{.rows_max = 10'000}};
    for (const ScannedRow& row : ScanPage(&engine_, scan).rows) {
      const auto key = *DecodeKey(row.key);
      if (key.token >> (64 - kBits) != 1 || NOf(key.bucket) != n) continue;
      tree.Toggle(LeafOf(key.token, kBits), TreeDigest(row.key, row.digest));
    }
    return tree;
  }

  void ExpectTrue() {
    for (const uint8_t n : {uint8_t{2}, uint8_t{3}}) {
      const HashTree expected = Expected(n);
      const HashTree* kept = trees_.Find(1, n);
      ASSERT_NE(kept, nullptr);
      EXPECT_EQ(kept->root(), expected.root());
      EXPECT_TRUE(std::ranges::equal(kept->inner(), expected.inner()));
      for (uint32_t inner = 0; inner < HashTree::kFan; ++inner) {
        EXPECT_TRUE(std::ranges::equal(kept->LeavesOf(inner), expected.LeavesOf(inner)));
      }
    }
  }

  // Whether it was done.
  bool Do(StoreVerb verb) {
    results_.clear();
    EXPECT_TRUE(store_.Execute(&verb, Tier::kDisk, &results_));
    return results_.empty() || results_.front().record.has_value();
  }
  void Commit() { store_.Commit(&results_); }

  MemoryEngine& engine() { return engine_; }
  TreeKeeper& trees() { return trees_; }
  Random& random() { return random_; }
  int step() const { return step_; }
  bool finished() const { return finished_; }

 private:
  std::string Stored(const std::string& key) {
    results_.clear();
    StoreVerb read{.id = 1, .key = key, .action = ReadVerb{}};
    Commit();
    store_.Synced(UINT64_MAX, {}, &results_);
    results_.clear();
    EXPECT_TRUE(store_.Execute(&read, Tier::kDisk, &results_));
    return *results_.front().record;
  }

  Random random_;
  MemoryEngine engine_;
  TreeKeeper trees_;
  Store store_;
  uint64_t counter_ = 0;
  int step_ = 0;
  bool finished_ = false;
  std::string from_;
  StoreResult page_;
  std::vector<StoreResult> results_;
};

TEST(TreeKeeper, AKnownTreeIsTheTreeOfWhatIsStored) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    TreesUnderWrites world(seed);
    for (int i = 0; i < 40; ++i) world.Write();
    // Built once while writes go on, then kept, then built anew.
    for (int round = 0; round < 2; ++round) {
      do {
        if (world.random().Chance(1, 2)) world.Write();
        world.BuildStep();
      } while (world.step() != 0);
      ASSERT_TRUE(world.finished());
      world.ExpectTrue();
      for (int i = 0; i < 20; ++i) world.Write();
      world.ExpectTrue();
    }
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(TreeKeeper, IsUnknownUntilBuiltAndAfterAWriteThatFailed) {
  TreesUnderWrites world(1);
  EXPECT_EQ(world.trees().Find(1, 3), nullptr);
  do world.BuildStep();
  while (world.step() != 0);
  EXPECT_TRUE(world.trees().IsKnown(1));
  EXPECT_FALSE(world.trees().IsKnown(0));
  EXPECT_EQ(world.trees().known(), 1u);
  world.engine().FailCall(MemoryEngine::Call::kWrite, 1, Error{Code::kIo, "no"});
  while (world.trees().IsKnown(1)) world.Write();
  EXPECT_EQ(world.trees().known(), 0u);
}

TEST(TreeKeeper, GivesABuildUpInWhichTooMuchChanged) {
  TreesUnderWrites world(3, 4);
  for (int i = 0; i < 100; ++i) world.Write();
  world.BuildStep();
  for (int i = 0; i < 200; ++i) world.Write();
  do world.BuildStep();
  while (world.step() != 0);
  EXPECT_FALSE(world.finished());
  EXPECT_FALSE(world.trees().IsKnown(1));
  do world.BuildStep();
  while (world.step() != 0);
  EXPECT_TRUE(world.finished());
  world.ExpectTrue();
}

}  // namespace
}  // namespace eddy::storage
