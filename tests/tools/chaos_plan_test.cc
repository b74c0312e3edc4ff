#include "tools/chaos_plan.h"

#include <functional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

std::vector<ChaosFault> Some(ChaosPlan plan, int count) {
  std::vector<ChaosFault> faults;
  for (int i = 0; i < count; ++i) faults.push_back(plan.Next());
  return faults;
}

TEST(ChaosPlan, IsAFunctionOfTheSeed) {
  const auto of_network = [](uint64_t seed) { return ChaosPlan::OfNetwork(seed, true); };
  for (const std::function<ChaosPlan(uint64_t)>& row :
       {std::function(ChaosPlan::OfNodes), std::function<ChaosPlan(uint64_t)>(of_network)}) {
    const auto once = Some(row(7), 30);
    const auto again = Some(row(7), 30);
    const auto other = Some(row(8), 30);
    bool differs = false;
    for (size_t i = 0; i < once.size(); ++i) {
      EXPECT_EQ(once[i].kind, again[i].kind);
      EXPECT_EQ(once[i].pause, again[i].pause);
      EXPECT_EQ(once[i].lasts, again[i].lasts);
      EXPECT_EQ(once[i].draw, again[i].draw);
      differs = differs || once[i].kind != other[i].kind;
    }
    EXPECT_TRUE(differs);
  }
}

TEST(ChaosPlan, EveryKindComesBeforeAnyComesAgain) {
  std::set<ChaosFaultKind> kinds;
  for (const ChaosFault& fault : Some(ChaosPlan::OfNodes(3), 9)) kinds.insert(fault.kind);
  for (const ChaosFault& fault : Some(ChaosPlan::OfNetwork(3, false), 5)) kinds.insert(fault.kind);
  EXPECT_EQ(kinds.size(), 13);
  EXPECT_FALSE(kinds.contains(ChaosFaultKind::kUnplug));
}

TEST(ChaosPlan, CablesArePulledWhereThereAreAny) {
  int unplugged = 0;
  for (const ChaosFault& fault : Some(ChaosPlan::OfNetwork(3, true), 7)) {
    if (fault.kind == ChaosFaultKind::kUnplug) ++unplugged;
  }
  EXPECT_EQ(unplugged, 2);
}

TEST(ChaosPlan, WhatTakesADiskWaitsUntilAllIsQuiet) {
  using enum ChaosFaultKind;
  for (const ChaosFaultKind kind : {kWipe, kJoin, kLeave}) EXPECT_TRUE(NeedsQuiet(kind));
  for (const ChaosFaultKind kind :
       {kKill, kPause, kRestart, kClock, kDiskFull, kPartition, kLoss}) {
    EXPECT_FALSE(NeedsQuiet(kind)) << ChaosFaultName(kind);
  }
}

}  // namespace
}  // namespace eddy::tools
