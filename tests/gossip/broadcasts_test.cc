#include "gossip/broadcasts.h"

#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/gossip/members.h"

namespace eddy::gossip {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Update> Take(Broadcasts* broadcasts, size_t bytes, unsigned transmits_max = 100) {
  std::vector<Update> packet;
  broadcasts->Take(bytes, transmits_max, &packet);
  return packet;
}

TEST(Broadcasts, SendEachSoOftenAndThenNoMore) {
  Broadcasts broadcasts(10);
  broadcasts.Push(Alive(1));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Take(&broadcasts, 1000, 3), ElementsAre(Alive(1)));
  EXPECT_TRUE(broadcasts.empty());
  EXPECT_THAT(Take(&broadcasts, 1000, 3), IsEmpty());
}

TEST(Broadcasts, SendTheLeastSentFirstAndOfTheseTheNewest) {
  Broadcasts broadcasts(10);
  broadcasts.Push(Alive(1));
  const size_t bytes = UpdateBytes(Alive(1));
  EXPECT_THAT(Take(&broadcasts, bytes), ElementsAre(Alive(1)));
  broadcasts.Push(Alive(2));
  broadcasts.Push(Alive(3));
  EXPECT_THAT(Take(&broadcasts, 2 * bytes), ElementsAre(Alive(3), Alive(2)));
  EXPECT_THAT(Take(&broadcasts, 1000), ElementsAre(Alive(3), Alive(2), Alive(1)));
  EXPECT_THAT(Take(&broadcasts, bytes), ElementsAre(Alive(3)));
  EXPECT_THAT(Take(&broadcasts, bytes), ElementsAre(Alive(2)));
}

TEST(Broadcasts, TheNewerUpdateOfAMemberTakesTheOldersPlace) {
  Broadcasts broadcasts(10);
  broadcasts.Push(Suspected(1, 1, 2));
  Take(&broadcasts, 1000, 3);
  Take(&broadcasts, 1000, 3);
  broadcasts.Push(Alive(1, 2));
  EXPECT_EQ(broadcasts.size(), 1u);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Take(&broadcasts, 1000, 3), ElementsAre(Alive(1, 2)));
  EXPECT_TRUE(broadcasts.empty());
  EXPECT_FALSE(broadcasts.Holds(Peer(1)));
}

TEST(Broadcasts, WhatDoesNotFitLetsWhatIsSmallerGo) {
  Broadcasts broadcasts(10);
  broadcasts.Push(Alive(1));
  Update large = Alive(2);
  large.member.address.host = std::string(255, 'h');
  broadcasts.Push(large);
  EXPECT_THAT(Take(&broadcasts, UpdateBytes(Alive(1))), ElementsAre(Alive(1)));
  EXPECT_THAT(Take(&broadcasts, UpdateBytes(large)), ElementsAre(large));
  EXPECT_THAT(Take(&broadcasts, 0), IsEmpty());
}

TEST(Broadcasts, LeaveOutWhomThePacketAlreadySpeaksOf) {
  Broadcasts broadcasts(10);
  broadcasts.Push(Alive(1));
  broadcasts.Push(Alive(2));
  std::vector<Update> packet = {Alive(1, 7)};
  broadcasts.Take(1000, 100, &packet);
  EXPECT_THAT(packet, ElementsAre(Alive(1, 7), Alive(2)));
}

TEST(Broadcasts, WhenFullWhatWasSentMostMakesRoom) {
  Broadcasts broadcasts(2);
  broadcasts.Push(Alive(1));
  Take(&broadcasts, 1000);
  broadcasts.Push(Alive(2));
  broadcasts.Push(Alive(3));
  EXPECT_THAT(Take(&broadcasts, 1000), ElementsAre(Alive(3), Alive(2)));
  broadcasts.Push(Alive(3, 2));
  EXPECT_EQ(broadcasts.size(), 2u);
}

// Nothing is sent more often than it may, nothing that was replaced is sent, every packet keeps
// within its bytes, and all that is not replaced is sent as often as it should be.
RC_GTEST_PROP(Broadcasts, SendAllThatIsNewestExactlySoOften, (uint64_t seed)) {
  Random random(seed);
  constexpr unsigned kTransmits = 4;
  Broadcasts broadcasts(100);
  std::map<NodeId, Update> newest;
  std::map<NodeId, unsigned> sent;
  const auto take = [&](size_t bytes) {
    const std::vector<Update> packet = Take(&broadcasts, bytes, kTransmits);
    size_t sum = 0;
    for (const Update& update : packet) {
      RC_ASSERT(update == newest[update.member.id]);
      RC_ASSERT(++sent[update.member.id] <= kTransmits);
      sum += UpdateBytes(update);
    }
    RC_ASSERT(sum <= bytes);
  };
  for (uint64_t step = random.Below(60); step > 0; --step) {
    const uint64_t number = random.Between(1, 9);
    newest[Peer(number)] = Alive(number, step);
    sent[Peer(number)] = 0;
    broadcasts.Push(newest[Peer(number)]);
    take(random.Below(200));
  }
  for (int i = 0; i < 100; ++i) take(100);
  RC_ASSERT(broadcasts.empty());
  for (const auto& [id, times] : sent) RC_ASSERT(times == kTransmits);
}

}  // namespace
}  // namespace eddy::gossip
