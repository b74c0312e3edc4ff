// The laws of every lattice type: whatever the order, the number and the grouping of messages, all
// replicas come to the same (Shapiro et al., CRDTs; Dynamo, section 4.4). A new lattice type is
// added to LatticeTypes.
#include <rapidcheck.h>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "lattice/causal_context.h"
#include "lattice/lattice.h"
#include "lattice/record.h"
#include "tests/lattice/generators.h"

namespace eddy::lattice {
namespace {

template <Lattice T>
T Joined(T left, const T& right) {
  left.Join(right);
  return left;
}

template <class T>
class LatticeLaws : public testing::Test {};

using LatticeTypes = testing::Types<CausalContext, Record>;
TYPED_TEST_SUITE(LatticeLaws, LatticeTypes);

TYPED_TEST(LatticeLaws, JoinIsCommutative) {
  EXPECT_TRUE(rc::check(
      [](const TypeParam& a, const TypeParam& b) { RC_ASSERT(Joined(a, b) == Joined(b, a)); }));
}

TYPED_TEST(LatticeLaws, JoinIsAssociative) {
  EXPECT_TRUE(rc::check([](const std::vector<TypeParam>& all) {
    for (const TypeParam& a : all) {
      for (const TypeParam& b : all) {
        for (const TypeParam& c : all) {
          RC_ASSERT(Joined(Joined(a, b), c) == Joined(a, Joined(b, c)));
        }
        if (all.size() > 8) break;
      }
    }
  }));
}

TYPED_TEST(LatticeLaws, JoinIsIdempotent) {
  EXPECT_TRUE(rc::check([](const TypeParam& a, const TypeParam& b) {
    RC_ASSERT(Joined(a, a) == a);
    RC_ASSERT(Joined(Joined(a, b), b) == Joined(a, b));
    RC_ASSERT(Joined(Joined(a, b), a) == Joined(a, b));
  }));
}

// Where a is at most b if joining a to b adds nothing.
TYPED_TEST(LatticeLaws, JoinIsMonotone) {
  EXPECT_TRUE(rc::check([](const TypeParam& a, const TypeParam& more, const TypeParam& other) {
    const TypeParam b = Joined(a, more);
    RC_ASSERT(Joined(Joined(a, other), Joined(b, other)) == Joined(b, other));
  }));
}

TYPED_TEST(LatticeLaws, TheEmptyValueChangesNothing) {
  EXPECT_TRUE(rc::check([](const TypeParam& a) {
    RC_ASSERT(Joined(a, TypeParam()) == a);
    RC_ASSERT(Joined(TypeParam(), a) == a);
  }));
}

TYPED_TEST(LatticeLaws, AnyOrderOfMessagesEndsTheSame) {
  EXPECT_TRUE(rc::check([](const std::vector<TypeParam>& messages) {
    TypeParam forward, backward, twice;
    for (const TypeParam& message : messages) forward.Join(message);
    for (size_t i = messages.size(); i-- > 0;) backward.Join(messages[i]);
    for (const TypeParam& message : messages) {
      twice.Join(message);
      twice.Join(messages.front());
    }
    RC_ASSERT(forward == backward);
    RC_ASSERT(forward == twice);
  }));
}

// A record that includes another one is above it in the order, and the other way round.
RC_GTEST_PROP(RecordLaws, WhatIncludesAnotherIsLeftAsItIsByIt, (const Record& a, const Record& b)) {
  RC_ASSERT(a.Includes(b) == (Joined(a, b) == a));
  RC_ASSERT(Joined(a, b).Includes(a));
  RC_ASSERT(Joined(a, b).Includes(b));
}

// Writes are inflations: what a coordinator sends on can be joined to what it came from.
RC_GTEST_PROP(RecordLaws, APutGoesUpInTheOrder, (const Record& before, const CausalContext& seen)) {
  Record after = before;
  after.Put(seen, Sibling{.dot = {Actor(1), 100}, .timestamp = {}, .value = "new"}, {});
  RC_ASSERT(Joined(before, after) == after);
  RC_ASSERT(after.Includes(before));
  RC_ASSERT(!before.Includes(after));
}

RC_GTEST_PROP(RecordLaws, ADeleteGoesUpInTheOrder,
              (const Record& before, const CausalContext& seen)) {
  Record after = before;
  after.Delete(seen);
  RC_ASSERT(Joined(before, after) == after);
}

// One dot should be one write. Were it two, all replicas would still choose the same one.
RC_GTEST_PROP(RecordLaws, TwoWritesUnderOneDotEndTheSameEverywhere, ()) {
  Sibling one = *ArbitrarySibling(), two = *ArbitrarySibling();
  two.dot = one.dot;
  Record a, b;
  a.Put({}, one, {});
  b.Put({}, two, {});
  RC_ASSERT(Joined(a, b) == Joined(b, a));
  RC_ASSERT(Joined(a, b).siblings().size() == 1u);
}

}  // namespace
}  // namespace eddy::lattice
