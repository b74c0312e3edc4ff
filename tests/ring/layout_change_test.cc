#include "ring/layout_change.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ring/planner.h"

namespace eddy::ring {
namespace {

using Kind = LayoutChange::Kind;
using ::testing::HasSubstr;

NodeId IdOf(uint64_t k) { return NodeId{1, k}; }

Member MemberOf(uint64_t k) {
  Member member;
  member.id = IdOf(k);
  member.name = "n" + std::to_string(k);
  member.zone = "z" + std::to_string(k % 3);
  member.doors.host = "127.0.0." + std::to_string(k);
  return member;
}

Layout LayoutOf(std::vector<Member> members) {
  return PlanLayout({.members = std::move(members), .partition_bits = 3})->layout;
}

Layout Three() { return LayoutOf({MemberOf(1), MemberOf(2), MemberOf(3)}); }

LayoutChange WeightOf(uint64_t k, uint32_t weight) {
  LayoutChange change{.kind = Kind::kWeight, .id = IdOf(k), .member = {}};
  change.member.weight = weight;
  return change;
}

LayoutChange ZoneOf(uint64_t k, std::string zone) {
  LayoutChange change{.kind = Kind::kZone, .id = IdOf(k), .member = {}};
  change.member.zone = std::move(zone);
  return change;
}

struct Said {
  LayoutChange change;
  std::string text;
};

// One of each kind.
std::vector<Said> AllKinds() {
  return {
      {{.kind = Kind::kJoin, .id = {}, .member = MemberOf(4)}, "n4 joins"},
      {{.kind = Kind::kReplace, .id = IdOf(2), .member = MemberOf(4)},
       "n4 comes in the place of n2, which is lost"},
      {{.kind = Kind::kTakeOver, .id = IdOf(2), .member = MemberOf(4)}, "n4 takes over from n2"},
      {{.kind = Kind::kLeave, .id = IdOf(3), .member = {}}, "n3 leaves"},
      {{.kind = Kind::kRemove, .id = IdOf(3), .member = {}}, "n3 is removed"},
      {WeightOf(1, 7), "n1 gets weight 7"},
      {ZoneOf(1, "attic"), "n1 gets zone 'attic'"},
  };
}

TEST(LayoutChange, SaysWhatItIs) {
  const Layout layout = Three();
  for (const Said& said : AllKinds()) EXPECT_EQ(Describe(layout, said.change), said.text);
  const LayoutChange unknown{.kind = Kind::kLeave, .id = IdOf(9), .member = {}};
  EXPECT_THAT(Describe(layout, unknown), HasSubstr(IdOf(9).ToHex()));
}

TEST(LayoutChange, IsDoneOnceItWasMadeAndNotBefore) {
  const Layout layout = Three();
  for (const Said& said : AllKinds()) {
    EXPECT_FALSE(IsDone(layout, said.change)) << said.text;
    const auto members = MembersAfter(layout, {&said.change, 1});
    ASSERT_TRUE(members.has_value()) << said.text;
    EXPECT_TRUE(IsDone(LayoutOf(*members), said.change)) << said.text;
  }
}

TEST(LayoutChange, WhoWasToLeaveStaysWhenGivenAWeight) {
  const std::vector<LayoutChange> changes = {{.kind = Kind::kLeave, .id = IdOf(3), .member = {}},
                                             WeightOf(3, 2)};
  const auto members = MembersAfter(Three(), changes);
  ASSERT_TRUE(members.has_value());
  for (const Member& member : *members) {
    EXPECT_FALSE(member.leaving);
    EXPECT_EQ(member.weight, member.id == IdOf(3) ? 2u : 100u);
  }
}

TEST(LayoutChange, WhatCannotBeSaysWhyAndWhatToDo) {
  const auto refusal = [](LayoutChange change) {
    const auto members = MembersAfter(Three(), {&change, 1});
    return members ? std::string() : members.error().text;
  };
  EXPECT_THAT(refusal({.kind = Kind::kLeave, .id = IdOf(9), .member = {}}),
              HasSubstr("is no member of the cluster"));
  EXPECT_THAT(refusal({.kind = Kind::kTakeOver, .id = IdOf(2), .member = MemberOf(3)}),
              HasSubstr("a node that waits to join"));
  Member namesake = MemberOf(4);
  namesake.name = "n2";
  EXPECT_THAT(refusal({.kind = Kind::kTakeOver, .id = IdOf(2), .member = namesake}),
              HasSubstr("say so with --force"));
  EXPECT_THAT(refusal({.kind = Kind::kJoin, .id = {}, .member = namesake}),
              HasSubstr("start this one with --replace n2"));
  EXPECT_EQ(refusal({.kind = Kind::kReplace, .id = IdOf(2), .member = namesake}), "");
}

}  // namespace
}  // namespace eddy::ring
