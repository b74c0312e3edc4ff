// Every promise is kept in some hundred worlds. `./dev sim` runs thousands.

#include <gtest/gtest.h>

#include "sim/cluster.h"

namespace eddy::sim {
namespace {

Report RunSeed(uint64_t seed, std::optional<uint32_t> nodes = std::nullopt) {
  RunOptions options;
  options.plan.seed = seed;
  options.plan.nodes = nodes;
  return RunWorld(options);
}

TEST(Seeds, KeepEveryPromise) {
  Report sum;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const Report report = RunSeed(seed);
    ASSERT_EQ(report.violation, "") << "eddy-sim --seed " << seed << " --trace";
    sum.done += report.done;
    sum.unknown += report.unknown;
    for (size_t kind = 0; kind < kFaults; ++kind) sum.faults[kind] += report.faults[kind];
    for (const auto& [name, value] : report.counters) sum.counters[name] += value;
  }
  // Worlds in which nothing happens keep every promise, too.
  EXPECT_GT(sum.done, 100'000u);
  EXPECT_GT(sum.unknown, 1'000u);
  for (size_t kind = 0; kind < kFaults; ++kind)
    EXPECT_GT(sum.faults[kind], 20u) << kFaultNames[kind];
  for (const char* name : {"forwards", "read_repairs", "hedges", "retries_recognised",
                           "reads_diverged", "store_errors", "histories_begun", "late_replies"}) {
    EXPECT_GT(sum.counters[name], 0u) << name;
  }
}

TEST(Seeds, KeepEveryPromiseInClustersOfAnySize) {
  for (const uint32_t nodes : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 50}) {
    for (uint64_t seed = 1'000; seed < 1'005; ++seed) {
      EXPECT_EQ(RunSeed(seed, nodes).violation, "")
          << "eddy-sim --seed " << seed << " --nodes " << nodes << " --trace";
    }
  }
}

}  // namespace
}  // namespace eddy::sim
