#include "lattice/causal_context.h"

#include <rapidcheck.h>

#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "tests/lattice/generators.h"

namespace eddy::lattice {
namespace {

CausalContext ContextOf(const std::vector<Interval>& intervals) {
  CausalContext context;
  for (const Interval& interval : intervals) context.Add(interval);
  return context;
}

std::set<Dot> DotsOf(const CausalContext& context) {
  std::set<Dot> dots;
  for (const Interval& interval : context.intervals()) {
    for (uint64_t counter = interval.after + 1; counter <= interval.last; ++counter) {
      dots.insert(Dot{interval.actor, counter});
    }
  }
  return dots;
}

std::string Encoded(const CausalContext& context) {
  std::string bytes;
  context.AppendTo(&bytes);
  return bytes;
}

Result<CausalContext> Decoded(const std::string& bytes) {
  ByteReader reader(bytes);
  Result<CausalContext> context = CausalContext::ReadFrom(&reader);
  if (context.has_value() && !reader.AtEnd()) return Fail(Code::kCorruption, "bytes left over");
  return context;
}

TEST(CausalContext, CoversExactlyTheDotsOfItsIntervals) {
  const CausalContext context = ContextOf({{Actor(1), 2, 4}, {Actor(1), 6, 7}, {Actor(3), 0, 1}});
  EXPECT_EQ(DotsOf(context),
            (std::set<Dot>{{Actor(1), 3}, {Actor(1), 4}, {Actor(1), 7}, {Actor(3), 1}}));
  for (const uint64_t counter : {1, 2, 5, 6, 8}) {
    EXPECT_FALSE(context.Covers(Dot{Actor(1), counter})) << counter;
  }
  for (const uint64_t counter : {3, 4, 7}) {
    EXPECT_TRUE(context.Covers(Dot{Actor(1), counter})) << counter;
  }
  EXPECT_FALSE(context.Covers(Dot{Actor(2), 1}));
  EXPECT_FALSE(context.Covers(Dot{Actor(4), 1}));
}

TEST(CausalContext, UnitesIntervalsThatTouchOrOverlap) {
  EXPECT_EQ(ContextOf({{Actor(1), 0, 2}, {Actor(1), 2, 3}}), ContextOf({{Actor(1), 0, 3}}));
  EXPECT_EQ(ContextOf({{Actor(1), 0, 5}, {Actor(1), 2, 3}}), ContextOf({{Actor(1), 0, 5}}));
  EXPECT_EQ(ContextOf({{Actor(1), 0, 1}, {Actor(1), 2, 3}, {Actor(1), 1, 2}}),
            ContextOf({{Actor(1), 0, 3}}));
  EXPECT_EQ(ContextOf({{Actor(1), 0, 1}, {Actor(2), 1, 2}}).intervals().size(), 2u);
}

TEST(CausalContext, GivesTheLastIntervalOfAnActor) {
  const CausalContext context = ContextOf({{Actor(1), 0, 1}, {Actor(1), 4, 6}, {Actor(3), 1, 2}});
  EXPECT_EQ(context.LastOf(Actor(1)), (Interval{Actor(1), 4, 6}));
  EXPECT_EQ(context.LastOf(Actor(2)).last, 0u);
  EXPECT_EQ(context.LastOf(Actor(3)), (Interval{Actor(3), 1, 2}));
  EXPECT_EQ(context.LastOf(Actor(4)).last, 0u);
  EXPECT_EQ(CausalContext().LastOf(Actor(1)).last, 0u);
}

RC_GTEST_PROP(CausalContext, IsASetOfDots, (const CausalContext& a, const CausalContext& b)) {
  const std::set<Dot> dots_a = DotsOf(a), dots_b = DotsOf(b);
  CausalContext both = a;
  both.Join(b);
  std::set<Dot> dots_both = dots_a;
  dots_both.insert(dots_b.begin(), dots_b.end());
  RC_ASSERT(DotsOf(both) == dots_both);
  RC_ASSERT(a.Covers(b) == std::ranges::includes(dots_a, dots_b));
  for (uint64_t actor = 0; actor < 5; ++actor) {
    for (uint64_t counter = 0; counter < 20; ++counter) {
      const Dot dot{Actor(actor), counter};
      RC_ASSERT(a.Covers(dot) == dots_a.contains(dot));
    }
  }
}

RC_GTEST_PROP(CausalContext, HasOneRepresentationPerSetOfDots,
              (const std::vector<CausalContext>& parts)) {
  CausalContext whole, dot_by_dot;
  for (const CausalContext& part : parts) whole.Join(part);
  const std::set<Dot> dots = DotsOf(whole);
  for (auto dot = dots.rbegin(); dot != dots.rend(); ++dot) {
    dot_by_dot.Add(Interval{dot->actor, dot->counter - 1, dot->counter});
  }
  RC_ASSERT(whole == dot_by_dot);
  RC_ASSERT(Encoded(whole) == Encoded(dot_by_dot));
}

RC_GTEST_PROP(CausalContext, ComesBackFromItsBytes, (const CausalContext& context)) {
  const Result<CausalContext> back = Decoded(Encoded(context));
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == context);
}

RC_GTEST_PROP(CausalContext, AcceptsNoBytesThatItWouldNotHaveWritten,
              (const CausalContext& context)) {
  const std::string bytes = Encoded(context);
  for (size_t size = 0; size < bytes.size(); ++size) {
    RC_ASSERT(!Decoded(bytes.substr(0, size)).has_value());
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      if (const Result<CausalContext> accepted = Decoded(changed); accepted.has_value()) {
        RC_ASSERT(Encoded(*accepted) == changed);
      }
    }
  }
}

TEST(CausalContext, RefusesMalformedBytes) {
  const auto actor = [](uint64_t number) {
    std::string bytes;
    AppendBigEndian64(&bytes, 0);
    AppendBigEndian64(&bytes, number);
    return bytes;
  };
  const auto varint = [](uint64_t value) {
    std::string bytes;
    AppendVarint(&bytes, value);
    return bytes;
  };
  constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();
  const std::string good = varint(1) + actor(1) + varint(1) + varint(0) + varint(3);
  ASSERT_TRUE(Decoded(good).has_value());
  ASSERT_TRUE(Decoded(varint(1) + actor(1) + varint(1) + varint(1) + varint(kLast - 1)));
  const std::vector<std::pair<std::string, std::string>> malformed = {
      {"an actor without intervals", varint(1) + actor(1) + varint(0)},
      {"an empty interval", varint(1) + actor(1) + varint(1) + varint(0) + varint(0)},
      {"touching intervals",
       varint(1) + actor(1) + varint(2) + varint(0) + varint(3) + varint(0) + varint(1)},
      {"an actor twice", varint(2) + good.substr(1) + good.substr(1)},
      {"actors out of order",
       varint(2) + actor(2) + varint(1) + varint(0) + varint(1) + good.substr(1)},
      {"an interval past the last counter",
       varint(1) + actor(1) + varint(1) + varint(1) + varint(kLast)},
      {"a gap past the last counter",
       varint(1) + actor(1) + varint(2) + varint(0) + varint(kLast) + varint(1) + varint(1)},
      {"a varint longer than needed", std::string("\x81\x00", 2) + good.substr(1)},
      {"more actors than bytes", varint(4096)},
      {"more actors than allowed", varint(CausalContext::kIntervalsMax + 1)},
  };
  for (const auto& [what, bytes] : malformed) {
    const Result<CausalContext> context = Decoded(bytes);
    ASSERT_FALSE(context.has_value()) << what;
    EXPECT_EQ(context.error().code, Code::kCorruption) << what;
  }
}

// A context that was cut would forget, and what is forgotten comes back (Riak's pruned clocks);
// so it is never cut here, and refused where it enters.
TEST(CausalContext, IsNeverCutAndRefusedFromOutsideWhenTooLong) {
  CausalContext context;
  for (uint64_t i = 0; i < CausalContext::kIntervalsMax; ++i) {
    context.Add(Interval{Actor(1 + i % 2), 2 * i, 2 * i + 1});
  }
  EXPECT_EQ(context.intervals().size(), CausalContext::kIntervalsMax);
  EXPECT_EQ(Decoded(Encoded(context)), context);
  context.Add(Interval{Actor(9), 0, 1});
  EXPECT_EQ(context.intervals().size(), CausalContext::kIntervalsMax + 1);
  EXPECT_FALSE(Decoded(Encoded(context)).has_value());
}

}  // namespace
}  // namespace eddy::lattice
