// The probe and what belongs to it, packet by packet.
#include "gossip/swim.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gossip/bench.h"

namespace eddy::gossip {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

TEST(Swim, ProbesEverybodyOnceARoundInChangingOrder) {
  Bench bench(9);
  std::vector<std::vector<NodeId>> rounds;
  for (int round = 0; round < 3; ++round) {
    std::vector<NodeId> targets;
    for (int i = 0; i < 8; ++i) {
      const Bench::Sent ping = bench.NextPing();
      EXPECT_EQ(ping.to, AddressOf(ping.packet.target.low));
      bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
      targets.push_back(ping.packet.target);
    }
    EXPECT_EQ(std::set<NodeId>(targets.begin(), targets.end()).size(), 8u);
    rounds.push_back(targets);
  }
  EXPECT_NE(rounds[0], rounds[1]);
  EXPECT_NE(rounds[1], rounds[2]);
}

// Nodes that were started together begin their rounds together. Was one down at that moment, nobody
// would have probed it for a whole round.
TEST(Swim, ProbesWhoComesInTheRoundThatIsUnderWay) {
  for (const bool back : {false, true}) {
    Bench bench(60);
    if (back) bench.Hear(2, {Dead(9, 1, 2)});
    bench.Answer(bench.NextPing(), PacketKind::kAck, 2);
    bench.Hear(2, {back ? Alive(9, 2) : Alive(77)});
    std::map<NodeId, int> probes;
    for (int i = 0; i < 59 - (back ? 1 : 0); ++i) ++probes[bench.NextPing().packet.target];
    EXPECT_EQ(probes[Peer(back ? 9 : 77)], 1);
  }
}

TEST(Swim, ProbesOnceAPeriodAndNotWhoIsGone) {
  Bench bench(4);
  bench.Hear(2, {Dead(3, 1, 2), Left(4, 1)});
  MonotonicTime before = bench.now();
  for (int i = 0; i < 10; ++i) {
    const Bench::Sent ping = bench.NextPing();
    EXPECT_EQ(ping.packet.target, Peer(2));
    bench.Answer(ping, PacketKind::kAck, 2);
    if (i > 0) {
      EXPECT_EQ(bench.now() - before, milliseconds(500));
    }
    before = bench.now();
  }
}

TEST(Swim, AnswersAPingUnderItsSequenceWhereItCameFrom) {
  Bench bench(2);
  bench.swim().Receive(bench.now(), AddressOf(55), Bench::Encode(Bench::PingFrom(44)));
  bench.Pump();
  const auto acks = bench.TakeSent(PacketKind::kAck);
  ASSERT_THAT(acks, SizeIs(1));
  EXPECT_EQ(acks[0].to, AddressOf(55));
  EXPECT_EQ(acks[0].packet.sequence, 5u);
  EXPECT_EQ(acks[0].packet.sender, Peer(1));
}

TEST(Swim, DoesNotAnswerForWhoHadItsAddressBefore) {
  Bench bench(2);
  Packet ping = Bench::PingFrom(2);
  ping.target = Peer(9);
  bench.Receive(ping);
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
  EXPECT_EQ(bench.Counted(Count::kPacketsMisdirected), 1u);
}

TEST(Swim, AsksThreeHelpersWhenTheTimeoutHasPassed) {
  Bench bench(9);
  const Bench::Sent ping = bench.NextPing();
  bench.Advance(milliseconds(199));
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
  bench.Advance(milliseconds(1));
  const auto requests = bench.TakeSent();
  ASSERT_THAT(requests, SizeIs(3));
  std::set<Address> helpers;
  for (const Bench::Sent& request : requests) {
    EXPECT_EQ(request.packet.kind, PacketKind::kPingRequest);
    EXPECT_EQ(request.packet.target, ping.packet.target);
    EXPECT_EQ(request.packet.address, ping.to);
    EXPECT_EQ(request.packet.sequence, ping.packet.sequence);
    EXPECT_NE(request.to, ping.to);
    helpers.insert(request.to);
  }
  EXPECT_THAT(helpers, SizeIs(3));
}

TEST(Swim, AnAckInTimeEndsTheProbe) {
  Bench bench(9);
  const Bench::Sent ping = bench.NextPing();
  bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
  bench.Advance(milliseconds(499));
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
}

TEST(Swim, AnAckThroughAHelperOrLateAfterAllSavesTheTarget) {
  for (const bool through_helper : {true, false}) {
    Bench bench(9);
    const Bench::Sent ping = bench.NextPing();
    bench.Advance(milliseconds(300));
    const auto requests = bench.TakeSent();
    bench.Answer(ping, PacketKind::kAck,
                 through_helper ? requests[0].to.host.back() - '0' : ping.packet.target.low);
    bench.Advance(milliseconds(300));
    EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  }
}

TEST(Swim, WhereNoDatagramComesThroughTheConnectionSavesTheTarget) {
  Bench bench(9);
  const Bench::Sent ping = bench.NextPing();
  EXPECT_THAT(bench.TakeSentOverConnections(), IsEmpty()) << "the datagram has its time first";
  bench.Advance(milliseconds(200));
  const auto asked = bench.TakeSentOverConnections();
  ASSERT_THAT(asked, SizeIs(1));
  const auto& [to, packet] = asked[0];
  EXPECT_EQ(to, ping.packet.target);
  EXPECT_EQ(packet.kind, PacketKind::kPing);
  EXPECT_EQ(packet.target, ping.packet.target);
  EXPECT_EQ(packet.sequence, ping.packet.sequence);
  bench.swim().ReceiveOverConnection(
      bench.now(), to,
      Bench::Encode({.kind = PacketKind::kAck, .sender = to, .sequence = packet.sequence}));
  bench.Advance(milliseconds(299));
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  EXPECT_EQ(bench.Counted(Count::kAnswersByConnection), 1u);
}

TEST(Swim, APingOverAConnectionIsAnsweredOverIt) {
  Bench bench(3);
  bench.swim().ReceiveOverConnection(bench.now(), Peer(2), Bench::Encode(Bench::PingFrom(2)));
  bench.Pump();
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
  const auto answers = bench.TakeSentOverConnections();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].first, Peer(2));
  EXPECT_EQ(answers[0].second.kind, PacketKind::kAck);
}

TEST(Swim, OverAConnectionNobodySpeaksForAnotherOrAsksForHelp) {
  Bench bench(3);
  bench.swim().ReceiveOverConnection(bench.now(), Peer(3), Bench::Encode(Bench::PingFrom(2)));
  Packet request = Bench::PingFrom(2);
  request.kind = PacketKind::kPingRequest;
  request.target = Peer(3);
  request.address = AddressOf(3);
  bench.swim().ReceiveOverConnection(bench.now(), Peer(2), Bench::Encode(request));
  bench.Pump();
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
  EXPECT_THAT(bench.TakeSentOverConnections(), IsEmpty());
  EXPECT_EQ(bench.Counted(Count::kPacketsMisdirected), 2u);
}

TEST(Swim, WithoutAnAckTheTargetIsSuspected) {
  Bench bench(9);
  const uint64_t target = bench.NextPing().packet.target.low;
  bench.Advance(milliseconds(499));
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  bench.Advance(milliseconds(1));
  EXPECT_THAT(bench.TakeEvents(), ElementsAre(Pair(EventKind::kSuspect, target)));
}

TEST(Swim, AnswersThatBelongToNothingAreCounted) {
  Bench bench(9);
  const Bench::Sent ping = bench.NextPingTo(2);
  bench.Answer(ping, PacketKind::kAck, 3);  // nobody asked it
  Bench::Sent other = ping;
  other.packet.sequence += 1000;
  bench.Answer(other, PacketKind::kAck, 2);
  bench.Answer(ping, PacketKind::kNack, 3);
  EXPECT_EQ(bench.Counted(Count::kAnswersLate), 3u);
  bench.Advance(milliseconds(500));
  EXPECT_THAT(bench.TakeEvents(), ElementsAre(Pair(EventKind::kSuspect, 2)));
}

TEST(Swim, ThePingOfASuspectTellsItSo) {
  Bench bench(9);
  bench.Hear(2, {Suspected(3, 1, 2)});
  const Bench::Sent ping = bench.NextPingTo(3);
  ASSERT_THAT(ping.packet.updates, Not(IsEmpty()));
  EXPECT_EQ(ping.packet.updates[0], Suspected(3, 1, 1));
}

TEST(Swim, TheAckToOneWhoIsTakenForGoneTellsItSo) {
  Bench bench(9);
  bench.Hear(2, {Dead(3, 1, 2), Left(4, 1)});
  bench.TakeSent();
  bench.Receive(Bench::PingFrom(3));
  bench.Receive(Bench::PingFrom(4));
  const auto acks = bench.TakeSent(PacketKind::kAck);
  EXPECT_EQ(acks[0].packet.updates[0], Dead(3, 1, 1));
  EXPECT_EQ(acks[1].packet.updates[0], Left(4, 1));
}

TEST(Swim, TheAckToOneWhoDoubtsThisNodeSaysBetter) {
  Bench bench(9);
  bench.Hear(3, {Suspected(1, 1, 3)});
  EXPECT_EQ(bench.swim().self().incarnation, Incarnation{2});
  while (bench.swim().broadcasts_queued() > 0) bench.Receive(Bench::PingFrom(2));
  bench.TakeSent();
  // It has missed all that.
  bench.Receive(Bench::PingFrom(4, {Suspected(1, 1, 4)}));
  EXPECT_THAT(bench.TakeSent(PacketKind::kAck)[0].packet.updates, ElementsAre(Alive(1, 2)));
}

Packet RequestFrom(uint64_t sender, uint64_t target, uint64_t sequence) {
  return {.kind = PacketKind::kPingRequest,
          .sender = Peer(sender),
          .sequence = sequence,
          .target = Peer(target),
          .address = AddressOf(target)};
}

TEST(Swim, AHelperPassesTheAckOn) {
  Bench bench(9);
  bench.Receive(RequestFrom(2, 3, 77));
  const auto pings = bench.TakeSent(PacketKind::kPing);
  ASSERT_THAT(pings, SizeIs(1));
  EXPECT_EQ(pings[0].to, AddressOf(3));
  EXPECT_EQ(pings[0].packet.target, Peer(3));
  bench.Answer(pings[0], PacketKind::kAck, 3);
  const auto acks = bench.TakeSent(PacketKind::kAck);
  ASSERT_THAT(acks, SizeIs(1));
  EXPECT_EQ(acks[0].to, AddressOf(2));
  EXPECT_EQ(acks[0].packet.sequence, 77u);
  // Once.
  bench.Answer(pings[0], PacketKind::kAck, 3);
  EXPECT_THAT(bench.TakeSent(PacketKind::kAck), IsEmpty());
}

TEST(Swim, AHelperWithoutAnAckSaysSoBeforeTheRequestersTimeEnds) {
  Bench bench(9);
  bench.Receive(RequestFrom(2, 3, 77));
  const auto pings = bench.TakeSent(PacketKind::kPing);
  bench.Advance(milliseconds(159));
  EXPECT_THAT(bench.TakeSent(PacketKind::kNack), IsEmpty());
  bench.Advance(milliseconds(1));
  const auto nacks = bench.TakeSent(PacketKind::kNack);
  ASSERT_THAT(nacks, SizeIs(1));
  EXPECT_EQ(nacks[0].to, AddressOf(2));
  EXPECT_EQ(nacks[0].packet.sequence, 77u);
  // A late ack is still worth passing on.
  bench.Advance(milliseconds(100));
  bench.TakeSent();
  bench.Answer(pings[0], PacketKind::kAck, 3);
  EXPECT_THAT(bench.TakeSent(PacketKind::kAck), SizeIs(1));
}

TEST(Swim, AHelperWithTooMuchToDoSaysSoAtOnce) {
  SwimOptions options = Bench::Quiet();
  options.relays_max = 2;
  Bench bench(9, options);
  for (const uint64_t sequence : {1, 2, 3}) bench.Receive(RequestFrom(2, 3, sequence));
  const auto nacks = bench.TakeSent(PacketKind::kNack);
  ASSERT_THAT(nacks, SizeIs(1));
  EXPECT_EQ(nacks[0].packet.sequence, 3u);
  EXPECT_EQ(bench.Counted(Count::kRelaysRefused), 1u);
  bench.Advance(seconds(5));
  bench.TakeSent();
  bench.Receive(RequestFrom(2, 3, 4));
  EXPECT_THAT(bench.TakeSent(PacketKind::kPing), SizeIs(1));
}

// Lets one probe fail, with nacks from so many helpers.
void FailProbe(Bench* bench, size_t nacks) {
  const Bench::Sent ping = bench->NextPing();
  bench->Advance(bench->swim().health_score() * milliseconds(200) + milliseconds(200));
  const auto requests = bench->TakeSent(PacketKind::kPingRequest);
  ASSERT_THAT(requests, SizeIs(3));
  for (size_t i = 0; i < nacks; ++i) {
    bench->Answer(ping, PacketKind::kNack, std::stoull(requests[i].to.host.substr(7)));
  }
  while (bench->Counted(Count::kProbesFailed) == 0) bench->Advance(milliseconds(1));
}

TEST(Swim, HelpersThatSayNothingAreASignOfBadHealthAndNacksAreNone) {
  for (const size_t nacks : {0, 1, 2, 3}) {
    Bench bench(9);
    FailProbe(&bench, nacks);
    EXPECT_EQ(bench.swim().health_score(), 3 - nacks);
  }
}

TEST(Swim, InBadHealthItGivesOthersMoreTimeAndAsksLessOften) {
  Bench bench(9);
  FailProbe(&bench, 1);
  ASSERT_EQ(bench.swim().health_score(), 2u);
  // The probe that began when the last one failed.
  bench.Advance(milliseconds(598));
  EXPECT_THAT(bench.TakeSent(PacketKind::kPingRequest), IsEmpty());
  bench.Advance(milliseconds(2));
  EXPECT_THAT(bench.TakeSent(PacketKind::kPingRequest), SizeIs(3));
  bench.Advance(milliseconds(898));
  EXPECT_EQ(bench.Counted(Count::kProbesFailed), 1u);
  bench.Advance(milliseconds(2));
  EXPECT_EQ(bench.Counted(Count::kProbesFailed), 2u);
}

TEST(Swim, GetsWellByAnswers) {
  Bench bench(9);
  FailProbe(&bench, 0);
  ASSERT_EQ(bench.swim().health_score(), 3u);
  for (int left = 3; left > 0; --left) {
    EXPECT_EQ(bench.swim().health_score(), static_cast<unsigned>(left));
    const Bench::Sent ping = bench.NextPing();
    bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
    bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
  }
  EXPECT_EQ(bench.swim().health_score(), 0u);
}

// Packets that came meanwhile are still to be read; who was suspected had no way to say anything.
TEST(Swim, ATickThatIsTooLateIsNobodyElsesFault) {
  Bench bench(9);
  bench.Hear(2, {Suspected(3, 1, 2), Suspected(3, 1, 4), Suspected(3, 1, 5), Suspected(3, 1, 6)});
  bench.NextPing();
  bench.TakeEvents();
  bench.Stall(seconds(30));
  EXPECT_EQ(bench.Counted(Count::kStalls), 1u);
  EXPECT_EQ(bench.swim().health_score(), 1u);
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  bench.Advance(milliseconds(100));
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  bench.Advance(seconds(3));
  EXPECT_THAT(bench.TakeEvents(), Contains(Pair(EventKind::kDead, 3)));
}

TEST(Swim, NewsGoesOutInRoundsOfItsOwn) {
  Bench bench(9);
  bench.Hear(2, {Alive(50)});
  EXPECT_LE(bench.swim().NextWake(), bench.now());
  bench.Advance(milliseconds(1));
  const auto sent = bench.TakeSent(PacketKind::kGossip);
  ASSERT_THAT(sent, SizeIs(3));
  EXPECT_THAT(sent[0].packet.updates, ElementsAre(Alive(50)));
  bench.Advance(seconds(10));
  EXPECT_EQ(bench.swim().broadcasts_queued(), 0u);
}

TEST(Swim, APacketIsFilledAsFarAsItGoes) {
  Bench bench(2);
  std::vector<MemberState> many;
  for (uint64_t number = 10; number < 200; ++number) many.push_back(Member(number));
  bench.HearState(2, many);
  bench.Receive(Bench::PingFrom(2));
  const auto ack = bench.TakeSent(PacketKind::kAck)[0].packet;
  EXPECT_LE(PacketBytes(ack), kPacketBytesMax);
  EXPECT_GT(PacketBytes(ack) + UpdateBytes(Alive(199)), kPacketBytesMax);
}

TEST(Swim, WhoDoubtsTooManyIsToldWhatFits) {
  Bench bench(2);
  std::vector<MemberState> many;
  std::vector<Update> doubts;
  for (uint64_t number = 10; number < 30; ++number) {
    many.push_back(Member(number, 5));
    many.back().address.host = std::string(255, 'h');
    doubts.push_back(Suspected(number, 4, 2));
  }
  bench.HearState(2, many);
  bench.TakeSent();
  bench.Hear(2, doubts);
  const auto sent = bench.TakeSent(PacketKind::kGossip);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].to, AddressOf(2));
  EXPECT_THAT(sent[0].packet.updates, SizeIs(4));
}

TEST(Swim, ExchangesStatesNowAndThenWithSomebodyAlive) {
  SwimOptions options = Bench::Quiet();
  options.sync_period = seconds(30);
  Bench bench(3, options);
  bench.Hear(2, {Left(3, 1)});
  bench.Advance(minutes(5) + seconds(1));
  const auto syncs = bench.TakeSyncs();
  // Until its pings, which nobody answers, find the other one dead.
  EXPECT_LE(syncs.size(), 10u);
  for (const Address& to : syncs) EXPECT_EQ(to, AddressOf(2));
}

TEST(Swim, ASyncBringsBothSidesToTheSame) {
  Bench one(3);
  one.Hear(2, {Alive(4), Alive(3, 6)});
  Bench other(2);
  other.Hear(2, {Alive(5)});
  const Result<std::string> answer = other.swim().AnswerSync(other.now(), one.swim().SyncBytes());
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(one.swim().FinishSync(one.now(), *answer).has_value());
  // Both are member 1 here, and nobody learns from itself.
  EXPECT_NE(one.swim().Members(), other.swim().Members());

  SwimOptions options = Bench::Quiet();
  Swim third(options, kBenchCluster, Member(3, 6), Random(1), one.now());
  const Result<std::string> better = third.AnswerSync(one.now(), one.swim().SyncBytes());
  ASSERT_TRUE(better.has_value());
  ASSERT_TRUE(one.swim().FinishSync(one.now(), *better).has_value());
  EXPECT_EQ(one.swim().Members(), third.Members());
}

TEST(Swim, AStateThatIsRefusedChangesNothing) {
  Bench bench(3);
  const std::vector<MemberState> before = bench.swim().Members();
  EXPECT_EQ(bench.swim().AnswerSync(bench.now(), "noise").error().code, Code::kCorruption);
  std::string state = Bench::Encode(StateSync{Peer(2), {Member(3, 9)}});
  state.back() = static_cast<char>(state.back() ^ 1);
  EXPECT_EQ(bench.swim().FinishSync(bench.now(), state).error().code, Code::kCorruption);
  EXPECT_EQ(bench.Counted(Count::kSyncsRefused), 2u);
  EXPECT_EQ(bench.swim().Members(), before);
}

TEST(Swim, ContactsTheGoneAndSyncsWithWhoAnswers) {
  SwimOptions options = Bench::Quiet();
  options.gone_contact_period = seconds(5);
  for (const bool left : {false, true}) {
    Bench bench(1, options);
    bench.Hear(2, {Alive(2), left ? Left(2, 1) : Dead(2, 1, 3)});
    const Bench::Sent ping = bench.NextPingTo(2);
    EXPECT_EQ(ping.packet.updates[0], left ? Left(2, 1) : Dead(2, 1, 1));
    Packet ack{.kind = PacketKind::kAck, .sender = Peer(2), .sequence = ping.packet.sequence};
    bench.Receive(ack);
    EXPECT_THAT(bench.TakeSyncs(), IsEmpty());  // it has not refuted
    ack.sequence = bench.NextPingTo(2).packet.sequence;
    ack.updates = {Alive(2, 2)};
    bench.Receive(ack);
    EXPECT_EQ(bench.LivenessOf(2), Liveness::kAlive);
    EXPECT_THAT(bench.TakeSyncs(), ElementsAre(AddressOf(2)));
  }
}

TEST(Swim, WhoLeavesSaysSoAndDoesNothingElse) {
  Bench bench(9);
  bench.swim().Leave(bench.now());
  bench.Pump();
  const auto sent = bench.TakeSent();
  ASSERT_THAT(sent, SizeIs(3));
  EXPECT_THAT(sent[0].packet.updates, ElementsAre(Left(1, 1)));
  EXPECT_FALSE(bench.swim().GoodbyeSpread());
  bench.Advance(seconds(2));
  EXPECT_TRUE(bench.swim().GoodbyeSpread());
  for (const Bench::Sent& packet : bench.TakeSent()) {
    EXPECT_EQ(packet.packet.kind, PacketKind::kGossip);
  }
  bench.Advance(minutes(5));
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
  EXPECT_EQ(bench.swim().NextWake(), MonotonicTime::max());
  // Doubts that still go round do not bring it back.
  bench.Hear(2, {Suspected(1, 1, 2), Dead(1, 1, 2)});
  EXPECT_EQ(bench.swim().self(), Member(1, 1, Liveness::kLeft));
  bench.Receive(Bench::PingFrom(2));
  EXPECT_THAT(bench.TakeSent(PacketKind::kAck)[0].packet.updates, Contains(Left(1, 1)));
}

TEST(Swim, WhoLeavesAloneHasNobodyToTell) {
  Bench bench(1);
  bench.swim().Leave(bench.now());
  EXPECT_TRUE(bench.swim().GoodbyeSpread());
}

TEST(Swim, WhatIsNotForItIsCountedAndChangesNothing) {
  Bench bench(3);
  const std::vector<MemberState> before = bench.swim().Members();
  const auto receive = [&](std::string_view bytes) {
    bench.swim().Receive(bench.now(), AddressOf(2), bytes);
    bench.Pump();
  };
  receive("noise");
  receive(std::string(2000, 'x'));
  receive("");
  receive(EncodePacket(ClusterDigest{7}, {.sender = Peer(2), .updates = {Dead(3, 1, 2)}}));
  receive(Bench::Encode({.sender = Peer(1), .updates = {Dead(3, 1, 2)}}));
  EXPECT_EQ(bench.Counted(Count::kPacketsMalformed), 3u);
  EXPECT_EQ(bench.Counted(Count::kPacketsOfAnotherCluster), 1u);
  EXPECT_EQ(bench.Counted(Count::kPacketsMisdirected), 1u);
  EXPECT_EQ(bench.swim().Members(), before);
  EXPECT_THAT(bench.TakeSent(), IsEmpty());
}

// Hostile packets that are sound in themselves: nothing crashes, everything stays bounded.
TEST(Swim, BearsAnySoundPackets) {
  Random random(11);
  SwimOptions options;
  options.members_max = 20;
  options.relays_max = 5;
  Bench bench(5, options);
  for (int i = 0; i < 20'000; ++i) {
    Packet packet = RandomPacket(&random);
    for (Update& update : packet.updates) {
      if (random.Chance(1, 2)) update.member.id = Peer(random.Between(1, 30));
      if (random.Chance(1, 8)) update.member.incarnation = kIncarnationMax;
    }
    while (PacketBytes(packet) > kPacketBytesMax) packet.updates.pop_back();
    if (random.Chance(1, 2)) packet.sender = Peer(random.Between(1, 30));
    if (packet.kind == PacketKind::kPing && random.Chance(1, 2)) packet.target = Peer(1);
    bench.Receive(packet);
    if (random.Chance(1, 4)) bench.Advance(Duration(random.Below(1'000'000)));
    ASSERT_LE(bench.swim().Members().size(), 21u);
    ASSERT_LE(bench.swim().broadcasts_queued(), 20u);
  }
  EXPECT_GT(bench.Counted(Count::kMembersRefused), 0u);
  EXPECT_GT(bench.Counted(Count::kRelaysRefused), 0u);
  EXPECT_EQ(bench.swim().self().liveness, Liveness::kAlive);
}

TEST(Swim, EveryCounterHasAName) {
  std::set<std::string_view> names(kCountNames.begin(), kCountNames.end());
  EXPECT_THAT(names, SizeIs(static_cast<size_t>(Count::kSyncsRefused) + 1));
}

}  // namespace
}  // namespace eddy::gossip
