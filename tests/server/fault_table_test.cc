// What the fault table says of messages, and what one way of a connection makes of that.
#include "server/fault_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/fault_gate.h"

namespace eddy::server {
namespace {

using std::chrono::milliseconds;
using Direction = FaultTable::Direction;
using Way = FaultGate::Way;

TEST(FaultTable, WithoutRulesEverythingPasses) {
  FaultTable table{Random(1)};
  const auto verdict = table.Judge("h", 1, Direction::kOut);
  EXPECT_FALSE(verdict.drop || verdict.lose);
  EXPECT_EQ(verdict.delay, Duration::zero());
  EXPECT_FALSE(table.Cuts("h", 1));
}

TEST(FaultTable, ARuleHoldsForOnePeerAndItsWays) {
  FaultTable table{Random(1)};
  ASSERT_TRUE(table.Set({{.host = "h", .port = 1, .in = false, .drop = true}}).has_value());
  EXPECT_TRUE(table.Judge("h", 1, Direction::kOut).drop);
  EXPECT_FALSE(table.Judge("h", 1, Direction::kIn).drop);
  EXPECT_FALSE(table.Judge("h", 2, Direction::kOut).drop);
  EXPECT_FALSE(table.Judge("g", 1, Direction::kOut).drop);
  EXPECT_TRUE(table.Cuts("h", 1)) << "a connection needs both ways";
  EXPECT_FALSE(table.Cuts("h", 2));
}

TEST(FaultTable, LosesAboutAsManyAsItWasTold) {
  FaultTable table{Random(1)};
  ASSERT_TRUE(table.Set({{.host = "h", .port = 1, .lose_per_mille = 100}}).has_value());
  for (int i = 0; i < 10'000; ++i) table.Judge("h", 1, Direction::kIn);
  EXPECT_NEAR(static_cast<double>(table.counters().lost), 1000, 150);
  EXPECT_FALSE(table.Cuts("h", 1));
}

TEST(FaultTable, TheLongestDelayHolds) {
  FaultTable table{Random(1)};
  ASSERT_TRUE(table
                  .Set({{.host = "h", .port = 1, .delay = milliseconds(5)},
                        {.host = "h", .port = 1, .delay = milliseconds(9)}})
                  .has_value());
  EXPECT_EQ(table.Judge("h", 1, Direction::kIn).delay, milliseconds(9));
  EXPECT_EQ(table.counters().delayed, 1);
}

TEST(FaultTable, ALimitExceededChangesNothing) {
  FaultTable table{Random(1)};
  ASSERT_TRUE(table.Set({{.host = "h", .port = 1, .drop = true}}).has_value());
  EXPECT_FALSE(table.Set({{.lose_per_mille = 1001}}).has_value());
  EXPECT_FALSE(table.Set({{.delay = FaultTable::kDelayMax + Duration(1)}}).has_value());
  EXPECT_FALSE(table.Set(std::vector<FaultTable::Rule>(FaultTable::kRulesMax + 1)).has_value());
  EXPECT_EQ(table.rules().size(), 1);
}

class FaultGateTest : public testing::Test {
 protected:
  Way Admit(uint64_t op, FaultTable::Verdict verdict = {}) {
    wire::PeerMessage message = wire::WriteReply{.op = op};
    return gate_.Admit(verdict, now_, &message);
  }
  // The next one's op; 0 if none is due.
  uint64_t Next() {
    const auto message = gate_.Next(now_);
    return message ? std::get<wire::WriteReply>(*message).op : 0;
  }

  FaultGate gate_;
  MonotonicTime now_{std::chrono::hours(1)};
};

TEST_F(FaultGateTest, WhatIsDelayedKeepsItsOrder) {
  EXPECT_EQ(Admit(1), Way::kPass);
  EXPECT_EQ(Admit(2, {.delay = milliseconds(10)}), Way::kKept);
  EXPECT_EQ(Admit(3), Way::kKept) << "it may not overtake";
  EXPECT_EQ(Next(), 0);
  now_ += milliseconds(10);
  EXPECT_EQ(Next(), 2);
  EXPECT_EQ(Next(), 3);
  EXPECT_EQ(Next(), 0);
  EXPECT_EQ(Admit(4), Way::kPass);
}

TEST_F(FaultGateTest, NothingFollowsAGap) {
  EXPECT_EQ(Admit(1, {.drop = true}), Way::kDropped);
  EXPECT_EQ(Admit(2, {.drop = true}), Way::kDropped);
  EXPECT_TRUE(gate_.has_gap());
  EXPECT_EQ(Admit(3), Way::kBreak);
  gate_.Reset();
  EXPECT_EQ(Admit(4), Way::kPass);
  EXPECT_EQ(Admit(5, {.lose = true}), Way::kBreak);
}

TEST_F(FaultGateTest, KeepsNoMoreThanItsLimit) {
  for (size_t i = 0; i < FaultGate::kKeptMax; ++i) {
    ASSERT_EQ(Admit(i + 1, {.delay = milliseconds(1)}), Way::kKept);
  }
  EXPECT_EQ(Admit(1, {.delay = milliseconds(1)}), Way::kBreak);
}

}  // namespace
}  // namespace eddy::server
