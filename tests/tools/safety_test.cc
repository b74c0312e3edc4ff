#include "tools/safety.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/routing.h"

namespace eddy::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As many members in as many zones, each zone's one after the other; zones == 0: none is named.
wire::NodeStatus StatusOf(uint32_t count, uint32_t zones) {
  wire::NodeStatus status{.name = "n1", .ready = true, .layout_version = 1, .partitions = 16};
  for (uint32_t i = 0; i < count; i++) {
    wire::MemberStatus member{.id = NodeId{.high = 0, .low = i + 1},
                              .name = fmt::format("n{}", i + 1),
                              .weight = 100,
                              .reachable = true};
    if (zones > 0) member.zone = fmt::format("z{}", i % zones + 1);
    member.doors.host = fmt::format("127.0.0.{}", i + 1);
    status.members.push_back(member);
  }
  for (uint32_t partition = 0; partition < 16; partition++) {
    status.owners.push_back(partition % count);
  }
  status.equal_seconds_ago = 12;
  return status;
}

Safety JudgeWithDown(uint32_t count, uint32_t zones, std::vector<uint32_t> down) {
  const wire::NodeStatus status = StatusOf(count, zones);
  std::vector<NodeView> views;
  for (uint32_t i = 0; i < count; i++) {
    if (std::ranges::find(down, i) != down.end()) {
      views.push_back({status.members[i], Fail(Code::kUnavailable, "connection refused")});
    } else {
      views.push_back({status.members[i], status});
    }
  }
  return JudgeSafety(*client::LayoutOf(status), views);
}

TEST(Safety, OfThreeInThreeZonesOneMayGoAndTwoOfWhatIsProven) {
  const Safety safety = JudgeWithDown(3, 3, {});
  EXPECT_EQ(safety.zones, 3u);
  EXPECT_EQ(safety.serving, (Tolerance{1, 1}));
  EXPECT_EQ(safety.kept, (Tolerance{1, 1}));
  EXPECT_EQ(safety.kept_proven, (Tolerance{2, 2}));
  EXPECT_EQ(safety.equal_seconds_ago, 12u);
}

TEST(Safety, AWholeZoneIsTooMuchWhereItHoldsTwoCopies) {
  const Safety safety = JudgeWithDown(4, 2, {});
  EXPECT_EQ(safety.serving, (Tolerance{1, 0}));
  EXPECT_EQ(safety.kept_proven.nodes, 2u);
  EXPECT_EQ(safety.kept_proven.zones, 1u);
  EXPECT_THAT(SayServing(safety), HasSubstr("any 1 node, but no whole zone"));
}

TEST(Safety, WithOneDownNoOtherMayBeLostSinceItAloneMayHoldAnAcknowledgedWrite) {
  const Safety safety = JudgeWithDown(3, 3, {2});
  EXPECT_EQ(safety.serving, (Tolerance{0, 0}));
  EXPECT_EQ(safety.kept, (Tolerance{0, 0}));
  EXPECT_EQ(safety.kept_proven, (Tolerance{1, 1}));
  EXPECT_FALSE(safety.equal_seconds_ago);
  EXPECT_THAT(safety.unproven, ElementsAre("n3"));
  EXPECT_THAT(SayServing(safety), HasSubstr("no node more"));
  EXPECT_THAT(SayProven(safety), HasSubstr("n3"));
}

TEST(Safety, TwoMembersBothHoldWhatIsAcknowledgedAndServeOnlyTogether) {
  const Safety safety = JudgeWithDown(2, 0, {});
  EXPECT_EQ(safety.serving.nodes, 0u);
  EXPECT_EQ(safety.kept.nodes, 1u);
}

TEST(Safety, OneMemberHasNothingToSpareAndNothingToProve) {
  const Safety safety = JudgeWithDown(1, 0, {});
  EXPECT_EQ(safety.serving.nodes, 0u);
  EXPECT_EQ(safety.kept.nodes, 0u);
  EXPECT_EQ(safety.kept_proven.nodes, 0u);
  EXPECT_TRUE(safety.unproven.empty());
}

TEST(Safety, MembersWithoutAZoneFailEachForItself) {
  EXPECT_EQ(JudgeWithDown(3, 0, {}).serving, (Tolerance{1, 1}));
  EXPECT_EQ(JudgeWithDown(3, 0, {}).zones, 0u);
}

TEST(Safety, HintsAreNamedByWhomTheyWaitFor) {
  EXPECT_EQ(SayHints({{"n1", {}}, {"n2", {}}}), "none");
  EXPECT_THAT(SayHints({{"n1", {"n3"}}, {"n2", {"n3", "n4"}}}),
              HasSubstr("for n3 at n1 and n2, for n4 at n2"));
}

}  // namespace
}  // namespace eddy::tools
