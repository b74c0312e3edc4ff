#include "tools/health.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/routing.h"

namespace eddy::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A cluster of `count` members that own the partitions in turn.
wire::NodeStatus StatusOf(uint32_t count) {
  wire::NodeStatus status;
  status.name = "n1";
  status.ready = true;
  status.layout_version = 1;
  for (uint32_t i = 0; i < count; i++) {
    wire::MemberStatus member;
    member.id = NodeId{.high = 0, .low = i + 1};
    member.name = fmt::format("n{}", i + 1);
    member.weight = 100;
    member.doors.host = fmt::format("127.0.0.{}", i + 1);
    member.reachable = true;
    status.members.push_back(member);
  }
  for (uint32_t partition = 0; partition < 16; partition++) {
    status.owners.push_back(partition % count);
  }
  status.partitions = 16;
  return status;
}

Health JudgeWithDown(uint32_t count, uint32_t down) {
  const wire::NodeStatus status = StatusOf(count);
  std::vector<NodeView> views;
  for (uint32_t i = 0; i < count; i++) {
    if (i < down) {
      views.push_back({status.members[i], Fail(Code::kUnavailable, "connection refused")});
    } else {
      views.push_back({status.members[i], status});
    }
  }
  return Judge(*client::LayoutOf(status), views);
}

TEST(Health, ThreeReadyNodesAreSafeAndOneMayFail) {
  const Health health = JudgeWithDown(3, 0);
  EXPECT_EQ(health.verdict, Verdict::kSafe);
  EXPECT_EQ(health.failures_tolerated, 1U);
  EXPECT_TRUE(health.advice.empty());
  EXPECT_THAT(health.headline, HasSubstr("SAFE"));
}

TEST(Health, OneOfThreeDownIsDegradedAndNamed) {
  const Health health = JudgeWithDown(3, 1);
  EXPECT_EQ(health.verdict, Verdict::kDegraded);
  EXPECT_EQ(health.failures_tolerated, 0U);
  EXPECT_THAT(health.headline, HasSubstr("(n1)"));
  EXPECT_THAT(health.advice, ElementsAre(HasSubstr("connection refused")));
}

TEST(Health, TwoOfThreeDownIsNotSafe) {
  const Health health = JudgeWithDown(3, 2);
  EXPECT_EQ(health.verdict, Verdict::kImpaired);
  EXPECT_EQ(health.partitions_impaired, 16U);
  EXPECT_THAT(health.headline, HasSubstr("NOT SAFE"));
}

TEST(Health, FourOfNineDownImpairsOnlyThePartitionsThatLostTwo) {
  const Health health = JudgeWithDown(9, 4);
  EXPECT_EQ(health.verdict, Verdict::kImpaired);
  EXPECT_LT(health.partitions_impaired, 16U);
}

TEST(Health, OneOrTwoNodesWorkWithNothingToSpare) {
  for (const uint32_t count : {1U, 2U}) {
    const Health health = JudgeWithDown(count, 0);
    EXPECT_EQ(health.verdict, Verdict::kDegraded) << count;
    EXPECT_THAT(health.headline, HasSubstr("nothing to spare"));
  }
}

TEST(Health, ANodeThatIsNotReadyCountsAsDown) {
  wire::NodeStatus status = StatusOf(3);
  std::vector<NodeView> views;
  for (const wire::MemberStatus& member : status.members) views.push_back({member, status});
  views[1].status->ready = false;
  views[1].status->reason = "waits for its lease";
  const Health health = Judge(*client::LayoutOf(status), views);
  EXPECT_EQ(health.verdict, Verdict::kDegraded);
  EXPECT_THAT(health.advice, ElementsAre(HasSubstr("n2 is not ready: waits for its lease")));
}

// As each of `count` members sees the others where those of a side reach no other side.
std::vector<NodeView> ViewsOfSides(uint32_t count, uint32_t first_side) {
  const wire::NodeStatus status = StatusOf(count);
  std::vector<NodeView> views;
  for (uint32_t i = 0; i < count; i++) {
    views.push_back({status.members[i], status});
    for (uint32_t other = 0; other < count; other++) {
      views[i].status->members[other].reachable = (i < first_side) == (other < first_side);
    }
  }
  return views;
}

TEST(Health, NodesThatAreReadyAndDoNotReachEachOtherAreNotSafe) {
  // With three owners each, every key has one or two of them on the side of two.
  const wire::NodeStatus status = StatusOf(5);
  const Health health = Judge(*client::LayoutOf(status), ViewsOfSides(5, 2));
  EXPECT_EQ(health.verdict, Verdict::kImpaired);
  EXPECT_THAT(health.headline, HasSubstr("all 5 nodes are ready, but not all reach each other"));
  EXPECT_GT(health.partitions_impaired, 0u);
  EXPECT_EQ(health.failures_tolerated, 0u);
  EXPECT_THAT(health.advice, ElementsAre(HasSubstr("n1, n2 | n3, n4, n5")));
}

TEST(Health, OneThatReachesNobodyIsNotTakenForWellEvenIfOthersDoWithoutIt) {
  std::vector<NodeView> views = ViewsOfSides(3, 3);
  EXPECT_EQ(WithinReach(views).size(), 1u);
  // Only one of the two says so.
  views[2].status->members[0].reachable = false;
  const Health health = Judge(*client::LayoutOf(StatusOf(3)), views);
  EXPECT_EQ(health.verdict, Verdict::kDegraded);
  EXPECT_EQ(health.partitions_impaired, 0u);
  EXPECT_EQ(health.failures_tolerated, 0u);
  EXPECT_THAT(health.headline, HasSubstr("not all reach each other"));
  EXPECT_THAT(health.advice, ElementsAre(HasSubstr("n1, n2 | n1, n2, n3 | n2, n3")));
}

TEST(Health, DifferentLayoutsAreSaid) {
  wire::NodeStatus status = StatusOf(3);
  std::vector<NodeView> views;
  for (const wire::MemberStatus& member : status.members) views.push_back({member, status});
  views[2].status->layout_version = 2;
  EXPECT_THAT(Judge(*client::LayoutOf(status), views).advice, ElementsAre(HasSubstr("1, 2")));
}

TEST(Health, ANodeThatHasLostRecordsToItsDiskIsNamedAndNothingIsSafeMeanwhile) {
  wire::NodeStatus status = StatusOf(3);
  std::vector<NodeView> views;
  for (uint32_t i = 0; i < 3; i++) {
    status.counters = {{"now_damaged_partitions", i == 1 ? 2u : 0u}};
    views.push_back({status.members[i], status});
  }
  const Health health = Judge(*client::LayoutOf(status), views);
  EXPECT_EQ(health.verdict, Verdict::kDegraded);
  EXPECT_THAT(health.headline, HasSubstr("n2 has lost records"));
  EXPECT_THAT(health.advice, ElementsAre(HasSubstr("n2 has lost records of 2 partitions")));
}

}  // namespace
}  // namespace eddy::tools
