// Staged changes: joined as a lattice does it, so that news of them may be lost, repeated and late;
// nothing that was dropped or done comes back; and one node is told one thing.
#include "node/layout_stage.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using ring::LayoutChange;
using Kind = LayoutChange::Kind;

ring::Member Stranger(uint64_t k) {
  ring::Member member;
  member.id = NodeId{1, k};
  member.name = "n" + std::to_string(k);
  member.doors.host = "127.0.0." + std::to_string(k);
  return member;
}

LayoutChange Of(Kind kind, uint64_t k, uint32_t weight = 100) {
  LayoutChange change{.kind = kind, .id = NodeId{1, k}, .member = {}};
  change.member.weight = weight;
  if (kind == Kind::kZone) change.member.zone = "z";
  return change;
}

LayoutChange TakeOver(uint64_t from, uint64_t by) {
  return {.kind = Kind::kTakeOver, .id = NodeId{1, from}, .member = Stranger(by)};
}

LayoutStage StageOf(uint64_t actor) { return LayoutStage(ActorId{7, actor}); }

using Changes = std::vector<LayoutChange>;

TEST(LayoutStage, OneNodeIsToldOneThing) {
  LayoutStage stage = StageOf(1);
  stage.Add(Of(Kind::kLeave, 2), 1);
  stage.Add(Of(Kind::kZone, 2), 1);
  stage.Add(Of(Kind::kLeave, 3), 1);
  EXPECT_EQ(stage.size(), 3u) << "a zone says nothing about leaving";
  stage.Add(Of(Kind::kWeight, 2, 250), 1);
  EXPECT_EQ(stage.changes(),
            (Changes{Of(Kind::kZone, 2), Of(Kind::kLeave, 3), Of(Kind::kWeight, 2, 250)}));
  ASSERT_TRUE(stage.AddAsker(Stranger(9), 1));
  stage.Add(TakeOver(3, 9), 1);
  EXPECT_EQ(stage.size(), 3u) << "it comes in once, and n3 goes once";
}

TEST(LayoutStage, WhoAsksIsStagedOnceAndStaysOutWhenDropped) {
  LayoutStage one = StageOf(1);
  LayoutStage two = StageOf(2);
  EXPECT_TRUE(one.AddAsker(Stranger(9), 1));
  EXPECT_FALSE(one.AddAsker(Stranger(9), 1));
  EXPECT_TRUE(two.AddAsker(Stranger(9), 1));
  one.Join(two);
  EXPECT_EQ(one.size(), 1u) << "both members were asked";
  one.Clear();
  EXPECT_FALSE(one.AddAsker(Stranger(9), 1));
  two.Join(one);
  EXPECT_EQ(two.size(), 0u);
  EXPECT_FALSE(two.AddAsker(Stranger(9), 1));
  two.Add({.kind = Kind::kJoin, .id = NodeId{1, 9}, .member = Stranger(9)}, 1);
  EXPECT_EQ(two.size(), 1u) << "but by order";
}

TEST(LayoutStage, WhoWasWipedAndAsksAgainIsStagedOnce) {
  LayoutStage stage = StageOf(1);
  ASSERT_TRUE(stage.AddAsker(Stranger(9), 1));
  ring::Member reborn = Stranger(10);
  reborn.name = "n9";
  ASSERT_TRUE(stage.AddAsker(reborn, 1));
  ASSERT_EQ(stage.size(), 1u);
  EXPECT_EQ(stage.changes()[0].member.id, reborn.id);
  EXPECT_FALSE(stage.AddAsker(Stranger(9), 1));
  LayoutChange replace = TakeOver(3, 11);
  replace.member.name = "n9";
  stage.Add(replace, 1);
  EXPECT_EQ(stage.changes(), Changes{replace});
}

TEST(LayoutStage, WhatIsDoneOrCannotBeGoesForEver) {
  const ring::Layout layout = LayoutOf(3);  // version 1
  LayoutStage stage = StageOf(1);
  stage.Add(Of(Kind::kWeight, 1, 100), 1);  // it has that
  stage.Add(Of(Kind::kLeave, 8), 1);        // nobody
  stage.Add(Of(Kind::kLeave, 2), 1);
  stage.Add(Of(Kind::kLeave, 9), 2);  // of a layout that we do not know yet
  const LayoutStage before = stage;
  EXPECT_TRUE(stage.Review(layout));
  EXPECT_EQ(stage.changes(), (Changes{Of(Kind::kLeave, 2), Of(Kind::kLeave, 9)}));
  EXPECT_FALSE(stage.Review(layout));
  EXPECT_FALSE(stage.Join(before)) << "old news";
}

// Whatever members do without hearing of each other, and however their news travels.
TEST(LayoutStage, MembersThatHaveHeardOfEachOtherKnowTheSame) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<LayoutStage> members;
    for (uint64_t i = 0; i < 3; ++i) members.push_back(StageOf(i + 1));
    std::vector<std::string> news;
    for (int step = 0; step < 30; ++step) {
      LayoutStage& member = members[random.Below(3)];
      switch (random.Below(5)) {
        case 0:
          member.Add(Of(random.Chance(1, 2) ? Kind::kLeave : Kind::kWeight, random.Between(1, 5)),
                     1);
          break;
        case 1:
          member.AddAsker(Stranger(random.Between(6, 9)), 1);
          break;
        case 2:
          if (random.Chance(1, 4)) member.Clear();
          break;
        case 3:
          news.push_back(member.Encode());
          break;
        default:
          if (news.empty()) break;
          const std::string& one = news[random.Below(news.size())];  // again, perhaps
          if (one.empty()) break;
          const auto theirs = LayoutStage::Decode(one);
          ASSERT_TRUE(theirs.has_value());
          member.Join(*theirs);
      }
    }
    for (int twice = 0; twice < 2; ++twice) {
      for (LayoutStage& to : members) {
        for (const LayoutStage& from : members) to.Join(from);
      }
    }
    EXPECT_EQ(members[0], members[1]);
    EXPECT_EQ(members[1], members[2]);
    EXPECT_EQ(members[0].changes(), members[2].changes());
  }
}

TEST(LayoutStage, DecodesItsOwnBytesAndNoOthers) {
  LayoutStage stage = StageOf(1);
  EXPECT_EQ(stage.Encode(), "");
  stage.Add(TakeOver(3, 9), 4);
  stage.AddAsker(Stranger(8), 4);
  const std::string bytes = stage.Encode();
  const auto again = LayoutStage::Decode(bytes);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, stage);
  EXPECT_EQ(again->changes(), stage.changes());
  Random random(5);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto part = LayoutStage::Decode(bytes.substr(0, cut));
    EXPECT_TRUE(!part || part->size() == 0) << cut;
    std::string damaged = bytes;
    damaged[cut] ^= static_cast<char>(random.Between(1, 255));
    const auto other = LayoutStage::Decode(damaged);
    if (other) {
      EXPECT_EQ(other->Encode(), damaged);
    }
  }
}

}  // namespace
}  // namespace eddy::node
