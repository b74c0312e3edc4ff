// What a node comes to believe by what it hears.
#include "gossip/membership.h"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/gossip/bench.h"

namespace eddy::gossip {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Membership, ANewMemberIsAliveAndPassedOn) {
  Bench bench(2);
  bench.Hear(2, {Alive(3)});
  EXPECT_THAT(bench.TakeEvents(), ElementsAre(Pair(EventKind::kAlive, 3)));
  EXPECT_EQ(bench.swim().broadcasts_queued(), 1u);
  bench.Hear(2, {Alive(3)});
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  EXPECT_EQ(bench.swim().cluster_size(), 3u);
}

TEST(Membership, AnUnknownMemberThatIsGoneStaysUnknown) {
  Bench bench(2);
  bench.Hear(2, {Dead(3, 5, 2), Left(4, 5)});
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  EXPECT_EQ(bench.swim().Find(Peer(3)), nullptr);
  EXPECT_EQ(bench.swim().Find(Peer(4)), nullptr);
}

TEST(Membership, AnUnknownSuspectIsHereAndSuspect) {
  Bench bench(2);
  bench.Hear(2, {Suspected(3, 5, 2)});
  EXPECT_THAT(bench.TakeEvents(),
              ElementsAre(Pair(EventKind::kAlive, 3), Pair(EventKind::kSuspect, 3)));
}

TEST(Membership, ASuspicionThatIsNotRefutedIsADeathInTheEnd) {
  Bench bench(2);
  bench.Hear(2, {Alive(3), Suspected(3, 1, 2)});
  bench.TakeEvents();
  // Of 3 members, nobody but this one could confirm.
  bench.Advance(seconds(60));
  EXPECT_THAT(bench.TakeEvents(), Contains(Pair(EventKind::kDead, 3)));
  EXPECT_EQ(bench.swim().Find(Peer(3))->incarnation, Incarnation{1});
}

TEST(Membership, ARefutedSuspicionIsOver) {
  Bench bench(9);
  bench.Hear(2, {Suspected(3, 1, 2)});
  bench.Hear(4, {Alive(3, 2)});
  EXPECT_THAT(bench.TakeEvents(),
              ElementsAre(Pair(EventKind::kSuspect, 3), Pair(EventKind::kAlive, 3)));
  // Nobody says anything more, and the probes of this node are all answered.
  const MonotonicTime until = bench.now() + minutes(1);
  while (bench.now() < until) {
    const Bench::Sent ping = bench.NextPing();
    bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
  }
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
}

TEST(Membership, OldDoubtsAreNoNews) {
  Bench bench(3);
  bench.Hear(2, {Alive(3, 5)});
  bench.TakeEvents();
  bench.Hear(2, {Suspected(3, 4, 2), Dead(3, 4, 2), Left(3, 4)});
  EXPECT_THAT(bench.TakeEvents(), IsEmpty());
  EXPECT_EQ(bench.LivenessOf(3), Liveness::kAlive);
}

TEST(Membership, OnlyALaterLifeBringsTheDeadBack) {
  Bench bench(3);
  bench.Hear(2, {Dead(3, 1, 2)});
  bench.Hear(2, {Alive(3, 1)});
  EXPECT_EQ(bench.LivenessOf(3), Liveness::kDead);
  bench.Hear(2, {Alive(3, 2)});
  EXPECT_EQ(bench.LivenessOf(3), Liveness::kAlive);
  EXPECT_THAT(bench.TakeEvents(),
              ElementsAre(Pair(EventKind::kDead, 3), Pair(EventKind::kAlive, 3)));
}

TEST(Membership, AMemberThatComesBackElsewhereHasANewAddress) {
  Bench bench(3);
  Update moved = Alive(3, 2);
  moved.member.address = AddressOf(77);
  bench.Hear(2, {moved});
  EXPECT_THAT(bench.TakeEvents(), ElementsAre(Pair(EventKind::kAddressChanged, 3)));
  EXPECT_EQ(bench.swim().Find(Peer(3))->address, AddressOf(77));
  EXPECT_EQ(bench.swim().cluster_size(), 3u);
  moved.member.incarnation = Incarnation{3};
  bench.Hear(2, {Dead(3, 2, 2), moved});
  EXPECT_THAT(bench.TakeEvents(), Contains(Pair(EventKind::kAlive, 3)));
}

TEST(Membership, AGoodbyeIsNoDeath) {
  Bench bench(3);
  bench.Hear(2, {Left(3, 1), Suspected(3, 1, 2), Dead(3, 1, 2)});
  EXPECT_THAT(bench.TakeEvents(), ElementsAre(Pair(EventKind::kLeft, 3)));
  EXPECT_EQ(bench.swim().cluster_size(), 2u);
}

TEST(Membership, ConfirmationsByOthersShortenASuspicion) {
  const auto time_to_death = [](std::vector<uint64_t> confirmed_by) {
    Bench bench(20);
    bench.Hear(2, {Suspected(3, 1, 4)});
    for (const uint64_t from : confirmed_by) bench.Hear(2, {Suspected(3, 1, from)});
    const MonotonicTime since = bench.now();
    while (bench.LivenessOf(3) != Liveness::kDead) {
      const Bench::Sent ping = bench.NextPing();
      // Its own probes of the suspect find nothing out either.
      bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
    }
    return bench.now() - since;
  };
  const Duration alone = time_to_death({});
  EXPECT_GT(alone, seconds(15));
  EXPECT_EQ(time_to_death({4, 4, 4}), alone);
  EXPECT_LT(time_to_death({5}), alone);
  EXPECT_LT(time_to_death({5, 6}), time_to_death({5}));
  EXPECT_LT(time_to_death({5, 6, 7}), seconds(4));
}

TEST(Membership, ConfirmationsArePassedOnAsLongAsTheyMatter) {
  Bench bench(20);
  std::vector<uint64_t> authors;
  for (const uint64_t from : {4, 5, 6, 7, 8, 9}) {
    bench.Hear(2, {Suspected(3, 1, from)});
    bench.Receive(Bench::PingFrom(2));
    for (const Bench::Sent& ack : bench.TakeSent(PacketKind::kAck)) {
      for (const Update& update : ack.packet.updates) authors.push_back(update.from.low);
    }
  }
  const auto last = std::unique(authors.begin(), authors.end());
  authors.erase(last, authors.end());
  EXPECT_THAT(authors, ElementsAre(4, 5, 6, 7));
}

TEST(Membership, ADoubtOfThisNodeIsRefuted) {
  for (const Liveness doubt : {Liveness::kSuspect, Liveness::kDead}) {
    Bench bench(3);
    bench.Hear(2, {Update{Member(1, 7, doubt), Peer(3)}});
    EXPECT_EQ(bench.swim().self().incarnation, Incarnation{8});
    EXPECT_EQ(bench.swim().self().liveness, Liveness::kAlive);
    EXPECT_EQ(bench.swim().health_score(), 1u);
    // The author hears it at once.
    const auto sent = bench.TakeSent(PacketKind::kGossip);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].to, AddressOf(3));
    EXPECT_THAT(sent[0].packet.updates, ElementsAre(Alive(1, 8)));
    // And then everybody.
    bench.Receive(Bench::PingFrom(2));
    EXPECT_THAT(bench.TakeSent()[0].packet.updates, ElementsAre(Alive(1, 8)));
  }
}

// It has restarted with an incarnation that was not greater.
TEST(Membership, ALaterLifeThanItsOwnIsOutdone) {
  Bench bench(3);
  Update earlier = Alive(1, 50);
  earlier.member.address = AddressOf(77);
  bench.Hear(2, {earlier});
  EXPECT_EQ(bench.swim().self().incarnation, Incarnation{51});
  EXPECT_EQ(bench.swim().self().address, AddressOf(1));
  EXPECT_EQ(bench.swim().health_score(), 0u);
}

TEST(Membership, WhatCannotBeRefutedIsCounted) {
  Bench bench(3);
  bench.Hear(2, {Dead(1, kIncarnationMax.value, 2)});
  EXPECT_EQ(bench.Counted(Count::kIrrefutable), 1u);
  EXPECT_EQ(bench.swim().self(), Member(1));
  bench.Hear(2, {Dead(1, kIncarnationMax.value - 1, 2)});
  EXPECT_EQ(bench.swim().self().incarnation, kIncarnationMax);
}

// Nobody gossips to whom all take for dead, so it would go on doubting.
TEST(Membership, WhoWronglyDoubtsAnotherIsToldSo) {
  Bench bench(5);
  bench.Hear(2, {Alive(3, 5)});
  bench.Hear(4, {Suspected(3, 4, 4)});
  const auto sent = bench.TakeSent(PacketKind::kGossip);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].to, AddressOf(4));
  EXPECT_THAT(sent[0].packet.updates, Contains(Alive(3, 5)));
  // Who only passes it on will hear in time.
  bench.Hear(2, {Suspected(3, 4, 4)});
  EXPECT_THAT(bench.TakeSent(PacketKind::kGossip), IsEmpty());
}

TEST(Membership, ADeathInAStateIsASuspicionWhereTheMemberIsHere) {
  Bench bench(9);
  bench.HearState(2, {Member(3, 1, Liveness::kDead), Member(4, 2, Liveness::kLeft)});
  EXPECT_THAT(bench.TakeEvents(),
              ElementsAre(Pair(EventKind::kSuspect, 3), Pair(EventKind::kLeft, 4)));
  bench.Hear(2, {Dead(3, 1, 2)});
  bench.HearState(2, {Member(3, 7, Liveness::kDead)});
  EXPECT_EQ(bench.swim().Find(Peer(3))->incarnation, Incarnation{7});
  EXPECT_EQ(bench.LivenessOf(3), Liveness::kDead);
}

// A node that is slow had what it said itself come back from syncs as if others had found the same.
TEST(Membership, AStateConfirmsNoSuspicion) {
  Bench bench(20);
  bench.Hear(2, {Suspected(3, 1, 2)});
  for (const uint64_t from : {4, 5, 6}) {
    bench.HearState(from, {Member(3, 1, Liveness::kSuspect)});
    bench.HearState(from + 10, {Member(3, 1, Liveness::kDead)});
  }
  const MonotonicTime until = bench.now() + seconds(12);
  while (bench.now() < until) {
    const Bench::Sent ping = bench.NextPing();
    bench.Answer(ping, PacketKind::kAck, ping.packet.target.low);
  }
  EXPECT_EQ(bench.LivenessOf(3), Liveness::kSuspect);
}

TEST(Membership, AStateOfItsOwnChangesNothing) {
  Bench bench(3);
  bench.HearState(1, {Member(1, 9, Liveness::kDead)});
  EXPECT_EQ(bench.swim().self(), Member(1));
}

TEST(Membership, WhoIsGoneIsForgottenAfterAWhile) {
  Bench bench(4);
  bench.Hear(2, {Dead(3, 1, 2), Left(4, 1)});
  bench.Hear(2, {Left(2, 1)});
  bench.Advance(hours(23));
  EXPECT_EQ(bench.swim().Members().size(), 4u);
  bench.Advance(hours(2));
  EXPECT_EQ(bench.swim().Members().size(), 1u);
  EXPECT_THAT(bench.TakeEvents(), testing::SizeIs(3));
}

TEST(Membership, WhoHasBeenGoneLongestMakesRoomAndNobodyWhoIsHere) {
  SwimOptions options = Bench::Quiet();
  options.members_max = 3;  // others
  Bench bench(4, options);
  bench.Hear(2, {Alive(5)});
  EXPECT_EQ(bench.swim().Find(Peer(5)), nullptr);
  EXPECT_EQ(bench.Counted(Count::kMembersRefused), 1u);
  bench.Hear(2, {Dead(3, 1, 2)});
  bench.Advance(Duration(1));
  bench.Hear(2, {Dead(4, 1, 2)});
  bench.Hear(2, {Alive(5)});
  EXPECT_EQ(bench.swim().Find(Peer(3)), nullptr);
  EXPECT_NE(bench.swim().Find(Peer(4)), nullptr);
  EXPECT_NE(bench.swim().Find(Peer(5)), nullptr);
}

// Whatever is heard in whatever order: beliefs only grow, this node stays alive in its own eyes and
// beyond every doubt, and the table, its count and the state agree.
RC_GTEST_PROP(Membership, BeliefsOnlyGrow, (uint64_t seed)) {
  Random random(seed);
  SwimOptions options = Bench::Quiet();
  options.members_max = 5;
  Bench bench(3, options);
  for (int step = 0; step < 60; ++step) {
    const std::vector<MemberState> before = bench.swim().Members();
    Update update = RandomUpdate(&random);
    update.member = Member(random.Between(1, 9), random.Below(6), update.member.liveness);
    if (IsDoubt(update.member.liveness)) update.from = Peer(random.Between(1, 9));
    if (random.Chance(1, 4)) {
      bench.HearState(random.Between(2, 9), {update.member});
    } else {
      bench.Hear(random.Between(2, 9), {update});
    }
    bench.Advance(Duration(random.Below(2'000'000)));

    for (const MemberState& state : before) {
      const MemberState* after =
          state.id == Peer(1) ? &bench.swim().self() : bench.swim().Find(state.id);
      RC_ASSERT((after == nullptr || *after == state || state.IsBelow(*after)));
    }
    RC_ASSERT(bench.swim().self().liveness == Liveness::kAlive);
    if (update.member.id == Peer(1)) RC_ASSERT(!bench.swim().self().IsBelow(update.member));
    const std::vector<MemberState> members = bench.swim().Members();
    RC_ASSERT(members.size() <= 6u);
    RC_ASSERT(std::ranges::count_if(members, &MemberState::IsHere) ==
              static_cast<int64_t>(bench.swim().cluster_size()));
  }
}

}  // namespace
}  // namespace eddy::gossip
