// Promises of the planner (Dynamo, sections 4.2, 4.3 and 6.2): whoever plans gets the same layout,
// and nobody holds much more than a fair share.
#include "ring/planner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "ring/quota.h"

namespace eddy::ring {
namespace {

std::vector<Member> MembersOf(size_t count, size_t zones) {
  std::vector<Member> members;
  for (size_t i = 0; i < count; ++i) {
    Member member;
    member.id = NodeId{7, i + 1};
    member.name = "n" + std::to_string(i + 1);
    member.zone = "z" + std::to_string(i % zones + 1);
    member.doors.host = "127.0.0.1";
    members.push_back(member);
  }
  return members;
}

std::vector<uint32_t> OwnedBy(const Layout& layout) {
  std::vector<uint32_t> owned(layout.members().size());
  for (uint32_t p = 0; p < layout.partition_count(); ++p) {
    ++owned[layout.OwnerOf(PartitionId{p}).value];
  }
  return owned;
}

TEST(Planner, GivesTheSameLayoutWhateverTheOrderOfTheMembers) {
  Random random(1);
  std::vector<Member> members = MembersOf(9, 3);
  const auto first = PlanLayout({.members = members});
  ASSERT_TRUE(first.has_value());
  for (int round = 0; round < 5; ++round) {
    for (size_t i = members.size() - 1; i > 0; --i) {
      std::swap(members[i], members[random.Below(i + 1)]);
    }
    const auto again = PlanLayout({.members = members});
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->layout, first->layout);
  }
}

TEST(Planner, GivesEqualMembersEqualShares) {
  for (const size_t count : {1, 2, 3, 5, 7, 12, 30}) {
    const auto plan = PlanLayout({.members = MembersOf(count, 1)});
    ASSERT_TRUE(plan.has_value());
    const auto owned = OwnedBy(plan->layout);
    EXPECT_LE(std::ranges::max(owned) - std::ranges::min(owned), 1u) << count << " members";
  }
}

TEST(Planner, PutsReplicasInDistinctMembersAndZones) {
  for (const size_t count : {3, 6, 9, 20}) {
    const auto plan = PlanLayout({.members = MembersOf(count, 3)});
    ASSERT_TRUE(plan.has_value());
    const Layout& layout = plan->layout;
    for (uint32_t p = 0; p < layout.partition_count(); ++p) {
      std::set<uint16_t> members;
      std::set<std::string> zones;
      for (const MemberIndex index : layout.PreferenceList(PartitionId{p}, 3)) {
        members.insert(index.value);
        zones.insert(layout.member(index).zone);
      }
      EXPECT_EQ(members.size(), 3u);
      EXPECT_EQ(zones.size(), 3u);
    }
  }
}

TEST(Planner, GivesAMemberOfTwiceTheWeightTwiceAsMuchAndOneOfNoneNothing) {
  std::vector<Member> members = MembersOf(6, 1);
  members[0].weight = 200;
  members[1].weight = 0;
  const auto plan = PlanLayout({.members = members, .partition_bits = 9});
  ASSERT_TRUE(plan.has_value());
  const auto owned = OwnedBy(plan->layout);  // 512 partitions for a weight of 600
  EXPECT_NEAR(owned[0], 171, 1);
  EXPECT_EQ(owned[1], 0u);
  EXPECT_NEAR(owned[2], 85, 1);
}

TEST(Planner, MovesNothingWhenNothingHasChanged) {
  const auto before = PlanLayout({.members = MembersOf(7, 3)});
  ASSERT_TRUE(before.has_value());
  const auto after = PlanLayout({.members = MembersOf(7, 3), .previous = &before->layout});
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->layout.version(), before->layout.version() + 1);
  for (uint32_t p = 0; p < before->layout.partition_count(); ++p) {
    EXPECT_EQ(after->layout.OwnerOf(PartitionId{p}), before->layout.OwnerOf(PartitionId{p}));
  }
}

// Replicas of the preference lists that the layout before gave to somebody else, where `from` and
// `to` count as one.
size_t Moved(const Layout& before, const Layout& after, NodeId from, NodeId to) {
  size_t moved = 0;
  for (uint32_t p = 0; p < before.partition_count(); ++p) {
    std::set<NodeId> had;
    for (const MemberIndex index : before.PreferenceList(PartitionId{p}, 3)) {
      const NodeId id = before.member(index).id;
      had.insert(id == from ? to : id);
    }
    for (const MemberIndex index : after.PreferenceList(PartitionId{p}, 3)) {
      moved += had.contains(after.member(index).id) ? 0 : 1;
    }
  }
  return moved;
}

// Riak, which plans a replacement as a leave and a join, may move most of the ring for one.
TEST(Planner, WhoTakesOverOwnsWhatTheOtherDidAndNothingElseMoves) {
  Random random(11);
  for (int round = 0; round < 60; ++round) {
    const auto bits = static_cast<unsigned>(random.Between(3, 9));
    std::vector<Member> members = MembersOf(random.Between(1, 60), random.Between(1, 6));
    for (Member& member : members) {
      if (random.Chance(1, 6)) member.weight = static_cast<uint32_t>(random.Between(1, 400));
    }
    // Not a layout as planned from nothing only, but one that has grown.
    auto before = PlanLayout({.members = members, .partition_bits = bits});
    ASSERT_TRUE(before.has_value());
    for (uint64_t k = 0; k < random.Below(3); ++k) {
      members.push_back(MembersOf(members.size() + 1, 3).back());
      before =
          PlanLayout({.members = members, .partition_bits = bits, .previous = &before->layout});
      ASSERT_TRUE(before.has_value());
    }
    Member& old = members[random.Below(members.size())];
    Member fresh = old;
    fresh.id = NodeId{random.Below(2) * 100, 500};  // before all others, or behind
    fresh.name = "fresh";
    const NodeId from = old.id;
    if (random.Chance(1, 2)) {
      old = fresh;
    } else {
      old.weight = 0;
      old.leaving = true;
      members.push_back(fresh);
    }
    const auto after = PlanLayout({.members = members,
                                   .partition_bits = bits,
                                   .previous = &before->layout,
                                   .successions = {{.from = from, .to = fresh.id}}});
    ASSERT_TRUE(after.has_value()) << after.error().text;
    for (uint32_t p = 0; p < before->layout.partition_count(); ++p) {
      const NodeId owned = before->layout.member(before->layout.OwnerOf(PartitionId{p})).id;
      const NodeId owns = after->layout.member(after->layout.OwnerOf(PartitionId{p})).id;
      ASSERT_EQ(owns, owned == from ? fresh.id : owned) << "round " << round;
    }
    ASSERT_EQ(Moved(before->layout, after->layout, from, fresh.id), 0u) << "round " << round;
  }
}

TEST(Planner, ATakeOverAmongOtherChangesKeepsItsPartitions) {
  const auto before = PlanLayout({.members = MembersOf(9, 3)});
  ASSERT_TRUE(before.has_value());
  std::vector<Member> members = MembersOf(10, 3);  // one joins as well
  const NodeId from = members[4].id;
  members[4].id = NodeId{9, 1};
  members[4].name = "fresh";
  const auto after = PlanLayout({.members = members,
                                 .previous = &before->layout,
                                 .successions = {{.from = from, .to = members[4].id}}});
  ASSERT_TRUE(after.has_value());
  uint32_t kept = 0;
  uint32_t owned = 0;
  for (uint32_t p = 0; p < before->layout.partition_count(); ++p) {
    if (before->layout.member(before->layout.OwnerOf(PartitionId{p})).id != from) continue;
    ++owned;
    kept += after->layout.member(after->layout.OwnerOf(PartitionId{p})).id == members[4].id;
  }
  EXPECT_GE(kept, owned * 8 / 10) << "but for what the tenth member takes from each";
}

struct Measured {
  size_t moved = 0;   // replicas that somebody has to copy
  size_t gained = 0;  // what members hold more than before: the least that the same shares can take
  double off = 0;     // partitions that a member owns beyond its weighted share, or below it
};

Measured Measure(const Layout& before, const Layout& after) {
  Measured measured;
  std::map<NodeId, int64_t> more;
  for (uint32_t p = 0; p < before.partition_count(); ++p) {
    std::set<NodeId> had;
    for (const MemberIndex index : before.PreferenceList(PartitionId{p}, 3)) {
      had.insert(before.member(index).id);
      --more[before.member(index).id];
    }
    for (const MemberIndex index : after.PreferenceList(PartitionId{p}, 3)) {
      ++more[after.member(index).id];
      measured.moved += had.contains(after.member(index).id) ? 0 : 1;
    }
  }
  for (const auto& [id, count] : more) {
    if (count > 0) measured.gained += static_cast<size_t>(count);
  }
  const auto& members = after.members();
  const auto quotas = QuotasFor(members, ShapeOfLists(members, 3), after.partition_count(), {});
  const auto owned = OwnedBy(after);
  for (size_t i = 0; i < members.size(); ++i) {
    const double ideal = static_cast<double>(quotas[i].ideal) / static_cast<double>(kWholeShare);
    if (members[i].weight > 0) measured.off = std::max(measured.off, std::abs(owned[i] - ideal));
  }
  return measured;
}

// With one zone, or as many as replicas, a plan moves little. Where a zone must stand in each list
// twice, or lists leave zones out, the worst that was seen was 1.67 times the least; nearly all
// plans are within 1.1 all the same (docs/decisions/what-a-plan-moves.md).
TEST(Planner, KeepsSharesEvenAndMovesLittleWhenOneJoinsOrLeaves) {
  Random random(5);
  size_t moved = 0;
  size_t gained = 0;
  for (int round = 0; round < 150; ++round) {
    const auto bits = static_cast<unsigned>(random.Between(3, round % 15 == 0 ? 12 : 9));
    const size_t zones = random.Between(1, 6);
    const size_t count = random.Chance(1, 2) ? random.Between(1, 14) : random.Between(1, 199);
    std::vector<Member> members = MembersOf(count, zones);
    for (Member& member : members) {
      if (random.Chance(1, 40)) member.weight = static_cast<uint32_t>(random.Between(50, 300));
    }
    const auto before = PlanLayout({.members = members, .partition_bits = bits});
    ASSERT_TRUE(before.has_value());
    if (count == 1 || random.Chance(1, 2)) {
      members.push_back(MembersOf(count + 1, zones).back());
    } else {
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(random.Below(count)));
    }
    const auto after =
        PlanLayout({.members = members, .partition_bits = bits, .previous = &before->layout});
    ASSERT_TRUE(after.has_value());
    const Measured measured = Measure(before->layout, after->layout);
    const std::string world = "round " + std::to_string(round) + ": " + std::to_string(count) +
                              " members, " + std::to_string(zones) + " zones, 2^" +
                              std::to_string(bits) + " partitions";
    EXPECT_LT(measured.off, 1.0) << world;
    EXPECT_LE(static_cast<double>(measured.moved),
              static_cast<double>(measured.gained) * (zones == 1 || zones == 3 ? 1.1 : 1.8) + 1)
        << world;
    moved += measured.moved;
    gained += measured.gained;
  }
  EXPECT_LE(moved * 100, gained * 110) << "all together";
}

// However few they were before, and however many come or go at once.
TEST(Planner, KeepsReplicasApartWhateverTheMembersAre) {
  Random random(7);
  for (int round = 0; round < 60; ++round) {
    const uint64_t zones = random.Between(1, 6);
    const auto bits = static_cast<unsigned>(random.Between(3, round % 20 == 0 ? 12 : 8));
    std::optional<Layout> layout;
    size_t count = random.Chance(1, 3) ? random.Between(1, 3) : random.Between(1, 200);
    for (int step = 0; step < 3; ++step) {
      std::vector<Member> members = MembersOf(count, zones);
      for (size_t i = 1; i < members.size(); ++i) {
        if (random.Chance(1, 10)) members[i].weight = random.Chance(1, 2) ? 0 : 250;
      }
      std::set<std::string> zones_with_weight;
      size_t holders = 0;
      for (const Member& member : members) {
        if (member.weight == 0) continue;
        ++holders;
        zones_with_weight.insert(member.zone);
      }
      auto plan = PlanLayout({.members = std::move(members),
                              .partition_bits = bits,
                              .previous = layout ? &*layout : nullptr});
      ASSERT_TRUE(plan.has_value()) << plan.error().text;
      layout.emplace(std::move(plan->layout));
      for (uint32_t p = 0; p < layout->partition_count(); ++p) {
        std::set<uint16_t> distinct;
        std::set<std::string> distinct_zones;
        for (const MemberIndex index : layout->PreferenceList(PartitionId{p}, 3)) {
          distinct.insert(index.value);
          distinct_zones.insert(layout->member(index).zone);
        }
        ASSERT_EQ(distinct.size(), std::min<size_t>(3, holders)) << "round " << round;
        ASSERT_EQ(distinct_zones.size(), std::min<size_t>(3, zones_with_weight.size()));
      }
      count = random.Chance(1, 2) ? count + random.Between(1, 3)
                                  : std::max<size_t>(1, count - random.Below(count));
    }
  }
}

// Until the first member of a zone owns something, every list is looked for all round the ring.
TEST(Planner, GrowsOntoManyMembersInNewZonesAtOnce) {
  for (const size_t zones : {2, 6}) {
    const auto before = PlanLayout({.members = MembersOf(1, 1), .partition_bits = 11});
    ASSERT_TRUE(before.has_value());
    const auto after = PlanLayout(
        {.members = MembersOf(12, zones), .partition_bits = 11, .previous = &before->layout});
    ASSERT_TRUE(after.has_value());
    const Measured measured = Measure(before->layout, after->layout);
    EXPECT_LT(measured.off, 1.0);
    EXPECT_EQ(measured.moved, measured.gained) << "the one that held everything keeps its share";
  }
}

TEST(Planner, SaysWhatTheMembersCannotGive) {
  const auto plan = PlanLayout({.members = MembersOf(2, 1)});
  ASSERT_TRUE(plan.has_value());
  EXPECT_FALSE(plan->warnings.empty());
}

TEST(Planner, RefusesWhatIsNoCluster) {
  EXPECT_FALSE(PlanLayout({}).has_value());
  EXPECT_FALSE(PlanLayout({.members = MembersOf(3, 1), .partition_bits = 15}).has_value());
  EXPECT_FALSE(PlanLayout({.members = MembersOf(3, 1), .n = 0}).has_value());
  std::vector<Member> twice = MembersOf(3, 1);
  twice[1].id = twice[0].id;
  EXPECT_EQ(PlanLayout({.members = twice}).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace eddy::ring
