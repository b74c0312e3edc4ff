// The layouts that are live at one time (the idea is Garage's): what is known of them joins as a
// lattice does, nothing goes before everybody has left it behind, and nothing foreign comes in.
#include "ring/layout_history.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/random.h"
#include "ring/layout_change.h"
#include "ring/planner.h"

namespace eddy::ring {
namespace {

using ::testing::HasSubstr;

Member MemberOf(uint64_t k) {
  Member member;
  member.id = NodeId{1, k};
  member.name = "n" + std::to_string(k);
  member.doors.host = "127.0.0." + std::to_string(k);
  return member;
}

Layout First(uint64_t members, uint64_t salt = 0) {
  PlanRequest request{.partition_bits = 3};
  for (uint64_t k = 1; k <= members; ++k) request.members.push_back(MemberOf(k));
  request.members.front().id.high += salt;
  return PlanLayout(std::move(request))->layout;
}

Layout After(const Layout& layout, const LayoutChange& change) {
  return PlanLayout({.members = *MembersAfter(layout, {&change, 1}),
                     .partition_bits = layout.partition_bits(),
                     .previous = &layout,
                     .successions = SuccessionsOf({&change, 1})})
      ->layout;
}
LayoutChange Join(uint64_t k) { return {.kind = LayoutChange::Kind::kJoin, .member = MemberOf(k)}; }
LayoutChange Remove(uint64_t k) {
  return {.kind = LayoutChange::Kind::kRemove, .id = NodeId{1, k}, .member = {}};
}

void AdvanceAll(LayoutHistory* history, LayoutProgress progress) {
  for (const Member& member : std::vector(history->newest().members())) {
    history->Advance(member.id, progress);
  }
}

TEST(LayoutHistory, ALayoutGoesOnlyWhenEverybodyReadsByALaterOne) {
  LayoutHistory history(First(3));
  ASSERT_TRUE(history.Add(After(history.newest(), Join(4))).has_value());
  EXPECT_EQ(history.live().size(), 2u);
  EXPECT_EQ(history.AckedByAll(), 1u) << "the new member has said nothing yet";
  AdvanceAll(&history, {.acked = 2});
  EXPECT_EQ(history.AckedByAll(), 2u);
  AdvanceAll(&history, {.synced = 2});
  EXPECT_EQ(history.SyncedByAll(), 2u);
  EXPECT_EQ(history.oldest().version(), 1u) << "reads may go by it still";
  for (uint64_t k = 1; k <= 3; ++k) history.Advance(NodeId{1, k}, {.reading = 2});
  EXPECT_EQ(history.oldest().version(), 1u) << "the fourth may read by it still";
  history.Advance(NodeId{1, 4}, {.reading = 2});
  EXPECT_EQ(history.oldest().version(), 2u);
}

TEST(LayoutHistory, NobodyWaitsForWhoWasRemoved) {
  LayoutHistory history(First(4));
  ASSERT_TRUE(history.Add(After(history.newest(), Remove(4))).has_value());
  for (uint64_t k = 1; k <= 3; ++k) {
    history.Advance(NodeId{1, k}, {.acked = 2, .synced = 2, .reading = 2});
  }
  EXPECT_EQ(history.live().size(), 1u);
  EXPECT_FALSE(history.Advance(NodeId{1, 4}, {.acked = 2})) << "it has no say";
}

TEST(LayoutHistory, RefusesWhatDoesNotFollow) {
  LayoutHistory history(First(3));
  const Layout second = After(history.newest(), Join(4));
  const Layout third = After(second, Join(5));
  EXPECT_EQ(history.Add(third).error().code, Code::kConflict);
  const Layout foreign = After(First(3, 7), Join(4));
  EXPECT_EQ(history.Add(foreign).error().code, Code::kConflict);
  ASSERT_TRUE(history.Add(second).has_value());
  ASSERT_TRUE(history.Add(third).has_value());
  ASSERT_TRUE(history.Add(After(history.newest(), Join(6))).has_value());
  EXPECT_EQ(history.Add(After(history.newest(), Join(7))).error().code, Code::kBusy);
  EXPECT_EQ(history.live().size(), LayoutHistory::kLiveMax);
}

TEST(LayoutHistory, RefusesAnotherClusterAndAnotherTruth) {
  LayoutHistory ours(First(3));
  EXPECT_EQ(ours.Join(LayoutHistory(First(3, 7))).error().code, Code::kWrongCluster);
  LayoutHistory theirs = ours;
  ASSERT_TRUE(ours.Add(After(ours.newest(), Join(4))).has_value());
  ASSERT_TRUE(theirs.Add(After(theirs.newest(), Join(5))).has_value());
  const LayoutHistory before = ours;
  EXPECT_EQ(ours.Join(theirs).error().code, Code::kConflict);
  EXPECT_EQ(ours, before);
}

// What several members know at some moment of one cluster's life.
struct Life {
  std::vector<LayoutHistory> views;

  explicit Life(uint64_t seed) : views(3, LayoutHistory(First(3))) {
    Random random(seed);
    LayoutHistory truth = views.front();
    uint64_t next = 4;
    for (uint64_t step = 0; step < 40; ++step) {
      LayoutHistory& view = views[random.Below(views.size())];
      switch (random.Below(5)) {
        case 0:
          // Decided by who knows the newest, as a majority makes sure.
          EXPECT_TRUE(truth.Join(view).has_value());
          if (truth.live().size() < LayoutHistory::kLiveMax) {
            const bool removes = truth.newest().members().size() > 2 && random.Chance(1, 2);
            const LayoutChange change =
                removes ? LayoutChange{.kind = LayoutChange::Kind::kRemove,
                                       .id = truth.newest().members().front().id,
                                       .member = {}}
                        : Join(next++);
            EXPECT_TRUE(truth.Add(After(truth.newest(), change)).has_value());
          }
          view = truth;
          break;
        case 1:
          EXPECT_TRUE(view.Join(views[random.Below(views.size())]).has_value());
          break;
        default: {
          // A member comes as far as it can by what is known here.
          const auto& members = view.newest().members();
          const NodeId member = members[random.Below(members.size())].id;
          const uint64_t newest = view.newest().version();
          LayoutProgress progress{.acked = newest};
          if (view.AckedByAll() == newest) progress.synced = newest;
          if (view.SyncedByAll() == newest) progress.reading = newest;
          view.Advance(member, progress);
        }
      }
    }
  }
};

LayoutHistory Joined(LayoutHistory a, const LayoutHistory& b) {
  RC_ASSERT(a.Join(b).has_value());
  return a;
}

RC_GTEST_PROP(LayoutHistory, JoinsAsALatticeDoes, (uint64_t seed)) {
  const Life life(seed);
  const auto& [a, b, c] = std::tie(life.views[0], life.views[1], life.views[2]);
  RC_ASSERT(Joined(a, a) == a);
  RC_ASSERT(Joined(a, b) == Joined(b, a));
  RC_ASSERT(Joined(Joined(a, b), c) == Joined(a, Joined(b, c)));
  LayoutHistory joined = Joined(a, b);
  RC_ASSERT(*joined.Join(a) == false);
}

RC_GTEST_PROP(LayoutHistory, IsDecodedFromItsEncodingAndFromNothingElse, (uint64_t seed)) {
  const Life life(seed);
  const std::string bytes = life.views[0].Encode();
  RC_ASSERT((LayoutHistory::Decode(bytes) == life.views[0]));
  Random random(seed);
  for (int i = 0; i < 50; ++i) {
    std::string damaged = bytes.substr(0, random.Below(bytes.size()));
    RC_ASSERT(!LayoutHistory::Decode(damaged).has_value());
    damaged = bytes;
    damaged[random.Below(damaged.size())] ^= static_cast<char>(random.Between(1, 255));
    // It may be another history then, but it is one.
    const auto decoded = LayoutHistory::Decode(damaged);
    if (decoded) RC_ASSERT(decoded->Encode() == damaged);
  }
}

// --- Changes

TEST(LayoutChange, AReplacedMemberLeavesItsWeightAndZone) {
  Layout layout = First(3);
  LayoutChange heavy{.kind = LayoutChange::Kind::kWeight, .id = NodeId{1, 2}, .member = {}};
  heavy.member.weight = 250;
  LayoutChange zone{.kind = LayoutChange::Kind::kZone, .id = NodeId{1, 2}, .member = {}};
  zone.member.zone = "z2";
  layout = After(After(layout, heavy), zone);
  LayoutChange replace{
      .kind = LayoutChange::Kind::kReplace, .id = NodeId{1, 2}, .member = MemberOf(9)};
  replace.member.name = "n2";
  EXPECT_FALSE(IsDone(layout, replace));
  const Layout after = After(layout, replace);
  EXPECT_TRUE(IsDone(after, replace));
  EXPECT_EQ(after.Find(NodeId{1, 2}), nullptr);
  EXPECT_EQ(after.Find(NodeId{1, 9})->weight, 250u);
  EXPECT_EQ(after.Find(NodeId{1, 9})->zone, "z2");
}

TEST(LayoutChange, WhoIsTakenOverFromHandsOverFirst) {
  Layout layout = First(3);
  LayoutChange heavy{.kind = LayoutChange::Kind::kWeight, .id = NodeId{1, 2}, .member = {}};
  heavy.member.weight = 250;
  layout = After(layout, heavy);
  const LayoutChange take{
      .kind = LayoutChange::Kind::kTakeOver, .id = NodeId{1, 2}, .member = MemberOf(9)};
  EXPECT_FALSE(IsDone(layout, take));
  EXPECT_EQ(Describe(layout, take), "n9 takes over from n2");
  const Layout after = After(layout, take);
  EXPECT_TRUE(IsDone(after, take));
  ASSERT_NE(after.Find(NodeId{1, 2}), nullptr) << "a member until it has handed over";
  EXPECT_TRUE(after.Find(NodeId{1, 2})->leaving);
  EXPECT_EQ(after.Find(NodeId{1, 9})->weight, 250u);
  EXPECT_TRUE(IsDone(After(after, Remove(2)), take));
}

TEST(LayoutChange, RefusesWhoCannotTakeOver) {
  const Layout layout = First(3);
  const auto refusal = [](const Layout& of, LayoutChange::Kind kind, uint64_t from, Member by) {
    const LayoutChange change{.kind = kind, .id = NodeId{1, from}, .member = std::move(by)};
    const auto members = MembersAfter(of, {&change, 1});
    return members ? std::string() : members.error().text;
  };
  using enum LayoutChange::Kind;
  for (const auto kind : {kTakeOver, kReplace}) {
    EXPECT_THAT(refusal(layout, kind, 2, MemberOf(3)), HasSubstr("n3 is a member already"));
    EXPECT_THAT(refusal(layout, kind, 2, MemberOf(2)), HasSubstr("n2 is a member already"));
    EXPECT_THAT(refusal(layout, kind, 7, MemberOf(9)), HasSubstr("is no member"));
  }
  Member namesake = MemberOf(9);
  namesake.name = "n2";
  EXPECT_THAT(refusal(layout, kTakeOver, 2, namesake), HasSubstr("--force"));
  EXPECT_EQ(refusal(layout, kReplace, 2, namesake), "");
  const LayoutChange leave{.kind = kLeave, .id = NodeId{1, 2}, .member = {}};
  const Layout leaving = After(layout, leave);
  EXPECT_THAT(refusal(leaving, kTakeOver, 2, MemberOf(9)), HasSubstr("leaving already"));
  EXPECT_EQ(refusal(leaving, kReplace, 2, MemberOf(9)), "");
}

TEST(LayoutChange, WhoLeavesHoldsNothingAndIsAMemberStill) {
  const Layout layout = First(4);
  const LayoutChange leave{.kind = LayoutChange::Kind::kLeave, .id = NodeId{1, 2}, .member = {}};
  const Layout after = After(layout, leave);
  ASSERT_NE(after.Find(NodeId{1, 2}), nullptr);
  EXPECT_TRUE(after.Find(NodeId{1, 2})->leaving);
  for (uint32_t i = 0; i < after.partition_count(); ++i) {
    for (const MemberIndex index : after.PreferenceList(PartitionId{i}, 3)) {
      EXPECT_NE(after.member(index).id, (NodeId{1, 2}));
    }
  }
}

TEST(LayoutChange, RefusesWhatMakesNoSense) {
  const Layout layout = First(2);
  const LayoutChange stranger = Remove(7);
  EXPECT_EQ(MembersAfter(layout, {&stranger, 1}).error().code, Code::kInvalidArgument);
  LayoutChange namesake = Join(7);
  namesake.member.name = "n1";
  const auto taken = MembersAfter(layout, {&namesake, 1});
  ASSERT_FALSE(taken.has_value());
  EXPECT_THAT(taken.error().text, HasSubstr("--replace n1"));
  const LayoutChange both[] = {Remove(1), Remove(2)};
  EXPECT_FALSE(MembersAfter(layout, both).has_value());
  const LayoutChange leave[] = {
      {.kind = LayoutChange::Kind::kLeave, .id = NodeId{1, 1}, .member = {}},
      {.kind = LayoutChange::Kind::kLeave, .id = NodeId{1, 2}, .member = {}}};
  EXPECT_FALSE(MembersAfter(layout, leave).has_value()) << "nobody would hold the data";
}

TEST(LayoutChange, KnowsAMemberAgainThatHasMoved) {
  const Layout layout = First(3);
  LayoutChange moved = Join(2);
  EXPECT_TRUE(IsDone(layout, moved));
  moved.member.doors.host = "10.0.0.2";
  EXPECT_FALSE(IsDone(layout, moved));
  const Layout after = After(layout, moved);
  EXPECT_EQ(after.members().size(), 3u);
  EXPECT_EQ(after.Find(NodeId{1, 2})->doors.host, "10.0.0.2");
  for (uint32_t i = 0; i < layout.partition_count(); ++i) {
    EXPECT_EQ(layout.OwnerOf(PartitionId{i}), after.OwnerOf(PartitionId{i}));
  }
}

}  // namespace
}  // namespace eddy::ring
