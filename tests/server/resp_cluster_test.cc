// The ring as cluster clients see it.
#include "server/resp_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ring/partition.h"
#include "ring/token.h"
#include "tests/server/resp_fakes.h"

namespace eddy::server {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Ring {
  ring::Layout layout;
  wire::NodeStatus status;
};

Ring DrawRing() {
  const size_t members = *rc::gen::inRange<size_t>(1, 9);
  const unsigned bits = *rc::gen::inRange(0u, 10u);
  ring::LayoutParts parts{.version = 1, .partition_bits = bits, .members = {}, .owners = {}};
  for (size_t number = 1; number <= members; ++number) {
    ring::Member member;
    member.id = NodeId{.high = number, .low = 1};
    member.name = "n" + std::to_string(number);
    member.zone = *rc::gen::elementOf(std::vector<std::string>{"", "a", "b"});
    member.doors.host = "127.0.0." + std::to_string(number);
    parts.members.push_back(member);
  }
  Random random(*rc::gen::arbitrary<uint64_t>());
  for (uint32_t partition = 0; partition < ring::PartitionCount(bits); ++partition) {
    parts.owners.push_back(ring::MemberIndex{static_cast<uint16_t>(random.Below(members))});
  }
  Ring ring{ring::Layout::Make(std::move(parts)).value(), {}};
  ring.status.node = ring.layout.members()[random.Below(members)].id;
  for (const ring::Member& member : ring.layout.members()) {
    ring.status.members.push_back({.id = member.id,
                                   .name = member.name,
                                   .zone = member.zone,
                                   .weight = member.weight,
                                   .doors = member.doors,
                                   .reachable = random.Chance(2, 3)});
  }
  return ring;
}

RC_GTEST_PROP(RespCluster, EverySlotIsInOneRangeAndLedByALiveReplicaIfThereIsOne, ()) {
  const Ring ring = DrawRing();
  const size_t replicas = *rc::gen::inRange<size_t>(1, 6);
  const auto ranges = RespSlotRanges(ring.layout, ring.status, replicas);
  const auto reachable = RespReachable(ring.layout, ring.status);
  uint32_t next = 0;
  const RespSlotRange* before = nullptr;
  for (const RespSlotRange& range : ranges) {
    RC_ASSERT(range.first == next);
    RC_ASSERT(range.last >= range.first);
    next = range.last + 1u;
    if (before != nullptr) RC_ASSERT(before->nodes != range.nodes);
    before = &range;
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      const ring::Token token{uint64_t{slot} << (64 - ring::kSlotBits)};
      const auto list = ring.layout.PreferenceList(ring.layout.PartitionOf(token), replicas);
      std::vector<ring::MemberIndex> live;
      for (const ring::MemberIndex member : list) {
        if (reachable[member.value]) live.push_back(member);
      }
      const bool stands_in =
          live.empty() && range.nodes.size() == 1 && reachable[range.nodes[0].value];
      if (range.nodes != live && !stands_in) RC_FAIL("slot " + std::to_string(slot));
    }
  }
  RC_ASSERT(next == ring::kSlots);
}

class RespClusterTest : public testing::Test {
 protected:
  std::string Ask(const std::vector<std::string>& words) {
    connection_.Receive(RespArray(words));
    connection_.Turn();
    return connection_.TakeSent();
  }

  FakeFront front_{1};
  FakeConnection connection_{&front_};
};

constexpr char kId1[] = "0000000000000001000000000000000700000000";
constexpr char kId2[] = "0000000000000002000000000000000700000000";

TEST_F(RespClusterTest, SlotsNameMasterAndReplicasOfEachRange) {
  const std::string slots = Ask({"CLUSTER", "SLOTS"});
  EXPECT_THAT(slots, StartsWith("*16\r\n*5\r\n:0\r\n:1023\r\n*4\r\n$9\r\n127.0.0.1\r\n:7379\r\n"
                                "$40\r\n" +
                                std::string(kId1) + "\r\n*0\r\n"));
}

TEST_F(RespClusterTest, ADeadNodeIsNotOfferedAndItsSlotsGoToTheNext) {
  front_.set_reachable(1, false);
  EXPECT_THAT(Ask({"CLUSTER", "SLOTS"}), Not(HasSubstr("127.0.0.2")));
  EXPECT_THAT(Ask({"CLUSTER", "SHARDS"}), Not(HasSubstr("127.0.0.2")));
  const std::string nodes = Ask({"CLUSTER", "NODES"});
  EXPECT_THAT(nodes, HasSubstr(std::string(kId2) +
                               " 127.0.0.2:7379@7401 master,fail - 0 0 1 disconnected\n"));
  EXPECT_THAT(nodes, HasSubstr(std::string(kId1) +
                               " 127.0.0.1:7379@7401 myself,master - 0 0 1 connected 0-"));
  EXPECT_THAT(Ask({"CLUSTER", "INFO"}), HasSubstr("cluster_nodes_reachable:2\r\n"));
}

TEST_F(RespClusterTest, NodesOwnEachSlotOnce) {
  const std::string nodes = RespClusterNodesText(front_.layout(), front_.Status(), 3);
  std::vector<int> owned(ring::kSlots, 0);
  size_t at = 0;
  while ((at = nodes.find("connected ", at)) != std::string::npos) {
    at += 10;
    const size_t end = nodes.find('\n', at);
    std::istringstream ranges(nodes.substr(at, end - at));
    std::string range;
    while (ranges >> range) {
      const size_t dash = range.find('-');
      const int first = std::stoi(range);
      const int last = dash == std::string::npos ? first : std::stoi(range.substr(dash + 1));
      for (int slot = first; slot <= last; ++slot) ++owned[static_cast<size_t>(slot)];
    }
  }
  EXPECT_THAT(owned, testing::Each(1));
}

TEST_F(RespClusterTest, ShardsGroupTheRangesOfTheSameReplicas) {
  const std::string shards = Ask({"CLUSTER", "SHARDS"});
  EXPECT_THAT(shards, HasSubstr("$4\r\nrole\r\n$6\r\nmaster\r\n"));
  EXPECT_THAT(shards, HasSubstr("$4\r\nrole\r\n$7\r\nreplica\r\n"));
  EXPECT_THAT(shards, HasSubstr(":0\r\n:1023\r\n"));
}

TEST_F(RespClusterTest, KeySlotIsThatOfRedis) {
  // From the specification of Redis Cluster.
  EXPECT_EQ(Ask({"CLUSTER", "KEYSLOT", "123456789"}), ":12739\r\n");
  EXPECT_EQ(Ask({"CLUSTER", "KEYSLOT", "{user1000}.following"}),
            Ask({"CLUSTER", "KEYSLOT", "{user1000}.followers"}));
}

TEST_F(RespClusterTest, MyIdIsTheOneThatNodesShows) {
  EXPECT_EQ(Ask({"CLUSTER", "MYID"}), "$40\r\n" + std::string(kId1) + "\r\n");
}

TEST_F(RespClusterTest, InfoSaysWhetherThisNodeIsReady) {
  EXPECT_THAT(Ask({"CLUSTER", "INFO"}), HasSubstr("cluster_state:ok\r\n"));
  front_.set_ready(false);
  EXPECT_THAT(Ask({"CLUSTER", "INFO"}), HasSubstr("cluster_state:fail\r\n"));
}

}  // namespace
}  // namespace eddy::server
