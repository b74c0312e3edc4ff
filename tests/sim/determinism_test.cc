// A run is a function of its seed.

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/cluster.h"

namespace eddy::sim {
namespace {

RunOptions Options(uint64_t seed) {
  RunOptions options;
  options.plan.seed = seed;
  options.length = std::chrono::seconds(5);
  return options;
}

TEST(Determinism, TheSameSeedGivesTheSameTrace) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Report first = RunWorld(Options(seed));
    const Report second = RunWorld(Options(seed));
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events) << "seed " << seed;
  }
}

TEST(Determinism, TheSameSeedTellsTheSameStory) {
  const auto story = [](uint64_t seed) {
    std::vector<std::string> lines;
    RunOptions options = Options(seed);
    options.listener = [&](std::string_view line) { lines.emplace_back(line); };
    RunWorld(options);
    return lines;
  };
  const auto first = story(7);
  EXPECT_GT(first.size(), 100u);
  EXPECT_EQ(first, story(7));
}

TEST(Determinism, ListeningChangesNothing) {
  RunOptions listened = Options(3);
  listened.listener = [](std::string_view) {};
  EXPECT_EQ(RunWorld(Options(3)).trace_hash, RunWorld(listened).trace_hash);
}

TEST(Determinism, OtherSeedsGiveOtherTraces) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 50; ++seed) hashes.insert(RunWorld(Options(seed)).trace_hash);
  EXPECT_EQ(hashes.size(), 50u);
}

}  // namespace
}  // namespace eddy::sim
