// What gossip promises, measured on virtual time: how soon a crash is known, that nobody dies of
// lost packets or of another node's slowness, and that whoever can hear each other agrees in the
// end. Figures are printed. EDDY_GOSSIP_SEEDS=n runs the worlds of n seeds instead of a few.

#include "tests/gossip/swarm.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace eddy::gossip {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

uint64_t Seeds(uint64_t otherwise) {
  const char* given = std::getenv("EDDY_GOSSIP_SEEDS");
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

int64_t Milliseconds(Duration duration) { return duration_cast<milliseconds>(duration).count(); }

Duration Percentile(std::vector<Duration>* durations, size_t percent) {
  std::ranges::sort(*durations);
  return (*durations)[std::min(durations->size() - 1, durations->size() * percent / 100)];
}

// How long after `since` the last of the others had found the subject dead; nullopt if one has not.
std::optional<Duration> SeenByAllAfter(const Swarm& swarm, size_t subject, MonotonicTime since) {
  std::vector<bool> seen(swarm.size());
  Duration last{};
  for (const Death& death : swarm.deaths()) {
    if (death.subject != subject || death.at < since) continue;
    seen[death.observer] = true;
    last = std::max(last, death.at - since);
  }
  for (size_t node = 0; node < swarm.size(); ++node) {
    if (swarm.IsUp(node) && !seen[node]) return std::nullopt;
  }
  return last;
}

TEST(Swarm, AHundredNodesSeeACrashWithinTenSeconds) {
  std::vector<Duration> times;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Swarm swarm({.nodes = 100, .seed = seed});
    swarm.Run(seconds(2));
    for (int crash = 0; crash < 50; ++crash) {
      swarm.Run(Duration(swarm.random()->Below(1'000'000)));
      const size_t node = swarm.random()->Below(swarm.size());
      const MonotonicTime at = swarm.now();
      swarm.Crash(node);
      swarm.Run(seconds(15));
      const std::optional<Duration> time = SeenByAllAfter(swarm, node, at);
      ASSERT_TRUE(time.has_value()) << "seed " << seed << ", crash " << crash;
      times.push_back(*time);
      swarm.Restart(node);
    }
    EXPECT_EQ(swarm.FalseDeaths(), 0u);
  }
  fmt::print("a crash among 100 is seen by all after {} ms (p50), {} ms (p99), {} ms (most)\n",
             Milliseconds(Percentile(&times, 50)), Milliseconds(Percentile(&times, 99)),
             Milliseconds(times.back()));
  EXPECT_LT(Percentile(&times, 99), seconds(10));
}

TEST(Swarm, LostPacketsKillNobodyInAnHour) {
  Swarm swarm({.nodes = 100, .seed = 1, .lost_permille = 50});
  swarm.Run(minutes(60));
  fmt::print("5% lost for an hour: {} packets, {} suspicions, {} refutations, {} false deaths\n",
             swarm.Counted(Count::kPacketsSent), swarm.Counted(Count::kSuspicions),
             swarm.Counted(Count::kRefutations), swarm.FalseDeaths());
  EXPECT_EQ(swarm.FalseDeaths(), 0u);
  EXPECT_GT(swarm.Counted(Count::kSuspicions), 0u);
}

}  // namespace
}  // namespace eddy::gossip
