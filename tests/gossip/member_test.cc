#include "gossip/member.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "lattice/lattice.h"
#include "tests/gossip/members.h"

namespace eddy::gossip {
namespace {

static_assert(lattice::Lattice<MemberState>);

// Few values, so that two states often share an incarnation, a liveness or an address.
MemberState Arbitrary() {
  MemberState state =
      Member(1, *rc::gen::inRange<uint64_t>(0, 4), static_cast<Liveness>(*rc::gen::inRange(0, 4)));
  state.address.port = *rc::gen::inRange<uint16_t>(1, 4);
  return state;
}

MemberState Joined(MemberState left, const MemberState& right) {
  left.Join(right);
  return left;
}

RC_GTEST_PROP(MemberState, JoinKeepsTheLawsOfALattice, ()) {
  const MemberState a = Arbitrary(), b = Arbitrary(), c = Arbitrary();
  RC_ASSERT(Joined(a, b) == Joined(b, a));
  RC_ASSERT(Joined(Joined(a, b), c) == Joined(a, Joined(b, c)));
  RC_ASSERT(Joined(a, a) == a);
  RC_ASSERT(Joined(a, MemberState()) == a);
  RC_ASSERT(Joined(MemberState(), a) == a);
}

RC_GTEST_PROP(MemberState, IsBelowWhateverChangesIt, ()) {
  const MemberState a = Arbitrary(), b = Arbitrary();
  RC_ASSERT(a.IsBelow(b) == (Joined(a, b) != a));
  RC_ASSERT(!(a.IsBelow(b) && b.IsBelow(a)));
}

RC_GTEST_PROP(MemberState, AnyOrderOfClaimsEndsTheSame, ()) {
  std::vector<MemberState> claims;
  for (int i = *rc::gen::inRange(1, 8); i > 0; --i) claims.push_back(Arbitrary());
  MemberState forward, backward;
  for (const MemberState& claim : claims) forward.Join(claim);
  for (size_t i = claims.size(); i-- > 0;) backward.Join(claims[i]);
  RC_ASSERT(forward == backward);
}

TEST(MemberState, WithinOneLifeTheWorseNewsWinsAndALaterLifeWinsOverAll) {
  const std::vector<MemberState> ascending = {Member(1, 1), Member(1, 1, Liveness::kSuspect),
                                              Member(1, 1, Liveness::kDead),
                                              Member(1, 1, Liveness::kLeft), Member(1, 2)};
  for (size_t i = 0; i + 1 < ascending.size(); ++i) {
    EXPECT_TRUE(ascending[i].IsBelow(ascending[i + 1])) << i;
    EXPECT_FALSE(ascending[i + 1].IsBelow(ascending[i])) << i;
  }
}

TEST(MemberState, IsFoundAtItsNewAddressByALaterLife) {
  MemberState state = Member(1, 5, Liveness::kDead);
  MemberState moved = Member(1, 6);
  moved.address = AddressOf(77);
  state.Join(moved);
  EXPECT_EQ(state, moved);
  state.Join(Member(1, 5, Liveness::kLeft));
  EXPECT_EQ(state, moved);
}

TEST(Address, IsAHostOfPrintableBytesAndAPort) {
  EXPECT_TRUE(IsAddress({"10.0.0.1", 7401}));
  EXPECT_TRUE(IsAddress({"fe80::1%eth0", 1}));
  EXPECT_TRUE(IsAddress({std::string(255, 'h'), 65535}));
  EXPECT_FALSE(IsAddress({std::string(256, 'h'), 65535}));
  EXPECT_FALSE(IsAddress({"", 7401}));
  EXPECT_FALSE(IsAddress({"10.0.0.1", 0}));
  EXPECT_FALSE(IsAddress({"a b", 1}));
  EXPECT_FALSE(IsAddress({std::string("a\0b", 3), 1}));
  EXPECT_FALSE(IsAddress({"a\xff", 1}));
}

}  // namespace
}  // namespace eddy::gossip
