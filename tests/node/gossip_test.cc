// What gossip says of the others and what the node makes of it, message by message (Dynamo, section
// 4.8.3); tests/gossip has gossip itself, and the simulator whole clusters.
#include <algorithm>
#include <string>

#include <gmock/gmock.h>

#include "gossip/packet.h"
#include "gossip/state_sync.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using gossip::Liveness;
using gossip::MemberState;
using gossip::Packet;
using gossip::PacketKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint16_t kPort = 7401;

const gossip::ClusterDigest kCluster = gossip::ClusterDigest::Of("test");

NodeOptions Options() {
  NodeOptions options;
  options.membership.cluster = "test";
  return options;
}

gossip::Address AddressOf(uint64_t k) { return {"127.0.0." + std::to_string(k), kPort}; }

MemberState StateOf(uint64_t k, Liveness liveness = Liveness::kAlive, uint64_t incarnation = 1) {
  return {Bench::Peer(k), {incarnation}, liveness, AddressOf(k)};
}

class GossipTest : public ::testing::Test {
 protected:
  GossipTest() : bench_(3, Options(), {}, kPort) {
    bench_.GrantLeases();
    Tell({StateOf(2), StateOf(3)});
    bench_.TakeSightings();
    bench_.TakePackets();
    bench_.Sent<wire::GossipState>(Bench::Peer(2));
  }

  // A whole state of peer 2's.
  void Tell(std::vector<MemberState> members) {
    bench_.Receive(Bench::Peer(2),
                   wire::GossipState{.answers = true,
                                     .bytes = gossip::EncodeStateSync(
                                         kCluster, {Bench::Peer(2), std::move(members)})});
  }
  // News by datagram.
  void Hear(uint64_t from, std::vector<gossip::Update> news) {
    bench_.ReceivePacket(AddressOf(from),
                         EncodePacket(kCluster, Packet{.kind = PacketKind::kGossip,
                                                       .sender = Bench::Peer(from),
                                                       .updates = std::move(news)}));
  }
  bool Reachable(uint64_t k) { return bench_.node().Reachable(Bench::Peer(k)); }
  // A write for which all three are owners: how many of the others were sent it.
  size_t Written(uint64_t k) {
    bench_.Sent<wire::WriteRequest>(Bench::Peer(k));
    bench_.Submit(PutOf("k", "v"));
    return bench_.Sent<wire::WriteRequest>(Bench::Peer(k)).size();
  }

  Bench bench_;
};

TEST_F(GossipTest, ProbesTheOthersByDatagram) {
  bench_.Advance(seconds(1));
  const auto packets = bench_.TakePackets();
  ASSERT_FALSE(packets.empty());
  const auto packet = gossip::DecodePacket(kCluster, packets.front().bytes);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->kind, PacketKind::kPing);
  EXPECT_EQ(packets.front().to, AddressOf(packet->target.low));
}

TEST_F(GossipTest, WhoIsUnansweredByDatagramIsAskedOverTheConnection) {
  size_t asked = 0;
  for (int i = 0; i < 100 && asked == 0; ++i) {
    bench_.Advance(milliseconds(10));
    asked = bench_.Sent<wire::GossipPacket>(Bench::Peer(2)).size() +
            bench_.Sent<wire::GossipPacket>(Bench::Peer(3)).size();
  }
  EXPECT_EQ(asked, 1u);
}

TEST_F(GossipTest, TheDeadAreDoneWithoutUntilTheySpeak) {
  Hear(2, {{StateOf(3, Liveness::kSuspect), Bench::Peer(2)}});
  EXPECT_TRUE(Reachable(3)) << "suspected only: asked last";
  Hear(2, {{StateOf(3, Liveness::kDead), Bench::Peer(2)}});
  EXPECT_FALSE(Reachable(3));
  const auto sightings = bench_.TakeSightings();
  ASSERT_THAT(sightings, SizeIs(2));
  EXPECT_EQ(sightings[1].kind, gossip::EventKind::kDead);
  EXPECT_EQ(Written(3), 0u);

  // The connection has more weight than what others say.
  bench_.Receive(Bench::Peer(3), wire::WriteReply{.op = 0});
  EXPECT_TRUE(Reachable(3));
  EXPECT_EQ(Written(3), 1u);
}

TEST_F(GossipTest, TheDeadAreBackWhenTheyRefute) {
  Hear(2, {{StateOf(3, Liveness::kDead), Bench::Peer(2)}});
  EXPECT_FALSE(Reachable(3));
  Hear(2, {{StateOf(3, Liveness::kAlive, 2), {}}});
  EXPECT_TRUE(Reachable(3));
}

TEST_F(GossipTest, WhoSaysGoodbyeIsWrittenToNoMoreThoughItStillAnswers) {
  Hear(3, {{StateOf(3, Liveness::kLeft), {}}});
  EXPECT_FALSE(Reachable(3));
  bench_.Receive(Bench::Peer(3), wire::WriteReply{.op = 0});
  EXPECT_FALSE(Reachable(3)) << "it answers what it was asked before";
  EXPECT_EQ(Written(3), 0u);
  EXPECT_EQ(Written(2), 1u);
  // Its next process is another matter.
  bench_.PeerDown(Bench::Peer(3));
  bench_.PeerUp(Bench::Peer(3));
  EXPECT_TRUE(Reachable(3));
}

TEST_F(GossipTest, SaysGoodbyeItself) {
  bench_.node().BeginStop(bench_.now());
  bench_.Pump();
  const auto packets = bench_.TakePackets();
  ASSERT_THAT(packets, SizeIs(2)) << "both others are told at once";
  const auto packet = gossip::DecodePacket(kCluster, packets[0].bytes);
  ASSERT_TRUE(packet.has_value());
  ASSERT_FALSE(packet->updates.empty());
  EXPECT_EQ(packet->updates[0].member.id, Bench::Self());
  EXPECT_EQ(packet->updates[0].member.liveness, Liveness::kLeft);
}

TEST_F(GossipTest, TellsAllToWhomItMeetsAndAnswersWhoTells) {
  // Of two the one with the lesser id begins, which this one is.
  bench_.PeerUp(Bench::Peer(3));
  const auto told = bench_.Sent<wire::GossipState>(Bench::Peer(3));
  ASSERT_FALSE(told.empty());
  EXPECT_FALSE(told.back().answers);
  bench_.Receive(Bench::Peer(2), wire::GossipState{.bytes = told.back().bytes});
  const auto answers = bench_.Sent<wire::GossipState>(Bench::Peer(2));
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_TRUE(answers[0].answers);
}

TEST_F(GossipTest, WhoIsConnectedAndUnknownIsToldAgain) {
  const NodeId stranger{0, 9};  // a lesser id: it was to begin, and what it said was lost
  bench_.PeerUp(stranger);
  EXPECT_THAT(bench_.Sent<wire::GossipState>(stranger), IsEmpty());
  bench_.Advance(seconds(1));
  bench_.Advance(seconds(1));
  EXPECT_FALSE(bench_.Sent<wire::GossipState>(stranger).empty());
}

TEST_F(GossipTest, MalformedGossipIsCountedAndChangesNothing) {
  const auto before = bench_.node().swim()->Members();
  bench_.ReceivePacket(AddressOf(2), "nonsense");
  bench_.Receive(Bench::Peer(2), wire::GossipPacket{.bytes = "nonsense"});
  bench_.Receive(Bench::Peer(2), wire::GossipState{.bytes = "nonsense"});
  // Another cluster's, and one that speaks for another node.
  const Packet ping{
      .kind = PacketKind::kPing, .sender = Bench::Peer(2), .sequence = 1, .target = Bench::Self()};
  bench_.ReceivePacket(AddressOf(2), EncodePacket(gossip::ClusterDigest::Of("other"), ping));
  bench_.Receive(Bench::Peer(3), wire::GossipPacket{.bytes = EncodePacket(kCluster, ping)});
  EXPECT_THAT(bench_.TakePackets(), IsEmpty());
  EXPECT_THAT(bench_.Sent<wire::GossipPacket>(Bench::Peer(3)), IsEmpty());
  EXPECT_EQ(bench_.node().swim()->Members(), before);
  const auto counted = [&](gossip::Count count) {
    return bench_.node().swim()->counters().Get(count);
  };
  EXPECT_EQ(counted(gossip::Count::kPacketsMalformed), 2u);
  EXPECT_EQ(counted(gossip::Count::kPacketsOfAnotherCluster), 1u);
  EXPECT_EQ(counted(gossip::Count::kPacketsMisdirected), 1u);
  EXPECT_EQ(counted(gossip::Count::kSyncsRefused), 1u);
}

TEST(GossipWithoutADoor, TakesNoPart) {
  Bench bench;
  bench.Advance(seconds(5));
  EXPECT_EQ(bench.node().swim(), nullptr);
  EXPECT_THAT(bench.TakePackets(), IsEmpty());
}

}  // namespace
}  // namespace eddy::node
