// A broken run is made smaller, and stays broken.
#include "sim/minimize.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace eddy::sim {
namespace {

size_t KindsOfFaults(const RunOptions& options) {
  return static_cast<size_t>(std::ranges::count_if(
      DrawPlan(options.plan).faults.every, [](const auto& every) { return every.has_value(); }));
}

TEST(Minimize, TakesAwayWhatABugDoesNotNeed) {
  RunOptions broken;
  // A value that changes on its way to the disk needs no fault at all.
  broken.bug = PlantedBug::kFlipBit;
  while (KindsOfFaults(broken) < 5) ++broken.plan.seed;
  uint64_t steps = 0;
  const Minimized found = Minimize(broken, [&](const Minimized&) { ++steps; });
  EXPECT_EQ(KindsOfFaults(found.options), 0u);
  EXPECT_LT(found.options.length, broken.length);
  EXPECT_GT(steps, 5u);
  EXPECT_GT(found.runs, steps);
  // It is what it says that it is.
  const Report again = RunWorld(found.options);
  EXPECT_FALSE(again.violation.empty());
  EXPECT_EQ(again.violation, found.report.violation);
}

TEST(Minimize, KeepsWhatABugNeeds) {
  RunOptions broken;
  broken.bug = PlantedBug::kReuseCounters;
  while (RunWorld(broken).violation.empty()) ++broken.plan.seed;
  const Minimized found = Minimize(broken, {});
  const Plan plan = DrawPlan(found.options.plan);
  // Counters begin again where a process does, and so a kind that ends processes is left.
  size_t left = 0;
  for (const Fault fault : {Fault::kPowerLoss, Fault::kKill, Fault::kCleanStop, Fault::kRolling}) {
    left += plan.faults.every[static_cast<size_t>(fault)] ? 1 : 0;
  }
  EXPECT_GE(left, 1u);
  EXPECT_LE(KindsOfFaults(found.options), 2u);
  EXPECT_LT(KindsOfFaults(found.options), KindsOfFaults(broken));
}

TEST(Minimize, AFaultThatIsLeftOutChangesNothingElseOfThePlan) {
  PlanOptions options{.seed = 7};
  const Plan all = DrawPlan(options);
  for (size_t kind = 0; kind < kFaults; ++kind) options.without[kind] = true;
  const Plan calm = DrawPlan(options);
  EXPECT_TRUE(
      std::ranges::none_of(calm.faults.every, [](const auto& every) { return every.has_value(); }));
  EXPECT_EQ(calm.nodes, all.nodes);
  EXPECT_EQ(calm.buckets.size(), all.buckets.size());
  EXPECT_EQ(calm.workload.clients, all.workload.clients);
  EXPECT_EQ(calm.network.delay.most, all.network.delay.most);
}

}  // namespace
}  // namespace eddy::sim
