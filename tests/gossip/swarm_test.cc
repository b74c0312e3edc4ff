// What gossip promises, measured on virtual time: how soon a crash is known, that nobody dies of
// lost packets or of another node's slowness, and that whoever can hear each other agrees in the
// end. Figures are printed. EDDY_GOSSIP_SEEDS=n runs n small worlds and n / 100 of the large ones.

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

// Of the worlds that take seconds each.
uint64_t LargeSeeds() { return std::max<uint64_t>(1, Seeds(1) / 100); }

int64_t Milliseconds(Duration duration) { return duration_cast<milliseconds>(duration).count(); }

Duration Percentile(std::vector<Duration> times, size_t percent) {
  std::ranges::sort(times);
  return times[std::min(times.size() - 1, times.size() * percent / 100)];
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

// Crashes one random node after another, each of which comes back; how long each took.
void MeasureCrashes(Swarm* swarm, int crashes, std::vector<Duration>* times) {
  for (int crash = 0; crash < crashes; ++crash) {
    swarm->Run(seconds(2) + Duration(swarm->random()->Below(1'000'000)));
    const size_t node = swarm->random()->Below(swarm->size());
    const MonotonicTime at = swarm->now();
    swarm->Crash(node);
    swarm->Run(seconds(15));
    const std::optional<Duration> time = SeenByAllAfter(*swarm, node, at);
    ASSERT_TRUE(time.has_value()) << "crash " << crash;
    times->push_back(*time);
    swarm->Restart(node);
  }
}

void Print(std::string_view what, std::vector<Duration> times) {
  std::ranges::sort(times);
  fmt::print("{}: p50 {} ms, p99 {} ms, most {} ms, of {}\n", what,
             Milliseconds(Percentile(times, 50)), Milliseconds(Percentile(times, 99)),
             Milliseconds(times.back()), times.size());
}

TEST(Swarm, AHundredNodesSeeACrashWithinTenSeconds) {
  std::vector<Duration> times;
  for (uint64_t seed = 1; seed <= 3 + LargeSeeds(); ++seed) {
    Swarm swarm({.nodes = 100, .seed = seed});
    MeasureCrashes(&swarm, 50, &times);
    EXPECT_EQ(swarm.FalseDeaths(), 0u);
  }
  Print("a crash is seen by all 100", times);
  EXPECT_LT(Percentile(times, 99), seconds(10));
}

TEST(Swarm, FiveNodesSeeACrashWithinSixSeconds) {
  std::vector<Duration> times;
  Swarm swarm({.nodes = 5});
  MeasureCrashes(&swarm, 200, &times);
  Print("a crash is seen by all 5", times);
  EXPECT_LT(Percentile(times, 99), seconds(6));
  EXPECT_EQ(swarm.FalseDeaths(), 0u);
}

// Two have nobody who could help or confirm.
TEST(Swarm, TheOtherOfTwoSeesACrashToo) {
  std::vector<Duration> times;
  Swarm swarm({.nodes = 2});
  MeasureCrashes(&swarm, 20, &times);
  Print("a crash is seen by the other of 2", times);
  EXPECT_LT(times.back(), seconds(5));
}

TEST(Swarm, ManyCrashesAtOnceAreSeen) {
  Swarm swarm({.nodes = 100});
  swarm.Run(seconds(2));
  const MonotonicTime at = swarm.now();
  for (size_t node = 0; node < 50; ++node) swarm.Crash(node);
  swarm.Run(seconds(60));
  std::vector<Duration> times;
  for (size_t node = 0; node < 50; ++node) {
    const std::optional<Duration> time = SeenByAllAfter(swarm, node, at);
    ASSERT_TRUE(time.has_value()) << node;
    times.push_back(*time);
  }
  Print("50 of 100 that crash at once are seen by all", times);
  EXPECT_EQ(swarm.FalseDeaths(), 0u);
}

TEST(Swarm, LostPacketsKillNobodyInAnHour) {
  for (uint64_t seed = 1; seed <= LargeSeeds(); ++seed) {
    Swarm swarm({.nodes = 100, .seed = seed, .lost_permille = 50});
    swarm.Run(minutes(60));
    fmt::print("5% lost for an hour: {} packets, {} suspicions, {} refutations, {} false deaths\n",
               swarm.Counted(Count::kPacketsSent), swarm.Counted(Count::kSuspicions),
               swarm.Counted(Count::kRefutations), swarm.FalseDeaths());
    EXPECT_EQ(swarm.FalseDeaths(), 0u) << "seed " << seed;
    EXPECT_GT(swarm.Counted(Count::kSuspicions), 0u);
  }
}

size_t FalseDeathsOfOthersThan(size_t slow, const Swarm& swarm) {
  return static_cast<size_t>(std::ranges::count_if(
      swarm.deaths(), [&](const Death& death) { return death.is_false && death.subject != slow; }));
}

// It takes everybody for silent, and is itself the one whom nobody hears in time.
TEST(Swarm, ANodeThatRunsFiveSecondsSlowKillsNobodyElse) {
  for (uint64_t seed = 1; seed <= LargeSeeds(); ++seed) {
    Swarm swarm({.nodes = 100, .seed = seed});
    swarm.Run(seconds(10));
    swarm.SlowDown(0, seconds(5));
    swarm.Run(minutes(20));
    fmt::print(
        "one runs 5 s slow for 20 min: it sends {} probes; {} suspicions, {} false deaths, "
        "{} of them of others\n",
        swarm.At(0).counters().Get(Count::kProbes), swarm.Counted(Count::kSuspicions),
        swarm.FalseDeaths(), FalseDeathsOfOthersThan(0, swarm));
    EXPECT_EQ(FalseDeathsOfOthersThan(0, swarm), 0u) << "seed " << seed;
    // It knows that it does not do well: every probe that it does not send accuses nobody.
    EXPECT_LT(swarm.At(0).counters().Get(Count::kProbes), 20u * 60 * 2 / 5);
    swarm.SlowDown(0, {});
    swarm.Run(minutes(1));
    EXPECT_EQ(swarm.Disagreement(), "");
  }
}

TEST(Swarm, ANodeThatStopsForFiveSecondsAgainAndAgainKillsNobodyElse) {
  for (uint64_t seed = 1; seed <= LargeSeeds(); ++seed) {
    Swarm swarm({.nodes = 100, .seed = seed});
    swarm.Run(seconds(10));
    for (int stop = 0; stop < 100; ++stop) {
      swarm.Pause(0, seconds(5));
      swarm.Run(seconds(5) + Duration(swarm.random()->Below(3'000'000)));
    }
    fmt::print(
        "one stops 100 times for 5 s: {} suspicions, {} false deaths, {} of them of others\n",
        swarm.Counted(Count::kSuspicions), swarm.FalseDeaths(), FalseDeathsOfOthersThan(0, swarm));
    EXPECT_EQ(FalseDeathsOfOthersThan(0, swarm), 0u) << "seed " << seed;
    swarm.Run(minutes(1));
    EXPECT_EQ(swarm.Disagreement(), "");
  }
}

// Runs until all agree; how long that took, at most `most`.
std::optional<Duration> AgreementWithin(Duration most, Swarm* swarm) {
  const MonotonicTime since = swarm->now();
  while (swarm->now() - since < most) {
    swarm->Run(milliseconds(500));
    if (swarm->Disagreement().empty()) return swarm->now() - since;
  }
  return std::nullopt;
}

TEST(Swarm, TheSidesOfASplitFindEachOtherAgain) {
  std::vector<Duration> times;
  for (const size_t cut : {1, 10, 20, 39}) {
    Swarm swarm({.nodes = 40, .seed = cut});
    for (size_t node = 0; node < cut; ++node) swarm.SetSide(node, 1);
    swarm.Run(minutes(10));
    for (size_t node = 0; node < 40; ++node) {
      const MemberState* other = swarm.At(node).Find(Swarm::IdOf(node < cut ? 39 : 0));
      EXPECT_EQ(other->liveness, Liveness::kDead);
    }
    for (size_t node = 0; node < cut; ++node) swarm.SetSide(node, 0);
    const std::optional<Duration> time = AgreementWithin(minutes(2), &swarm);
    ASSERT_TRUE(time.has_value()) << cut << ": " << swarm.Disagreement();
    times.push_back(*time);
  }
  Print("40 nodes agree after a split of 10 min", times);
}

TEST(Swarm, ARestartedMemberIsTheSameOneAtItsNewAddress) {
  std::vector<Duration> times;
  Swarm swarm({.nodes = 30});
  for (size_t node = 0; node < 20; ++node) {
    swarm.Crash(node);
    // Before, while and after the others find it dead.
    swarm.Run(seconds(node));
    swarm.Restart(node, {.elsewhere = true});
    const std::optional<Duration> time = AgreementWithin(seconds(30), &swarm);
    ASSERT_TRUE(time.has_value()) << node << ": " << swarm.Disagreement();
    times.push_back(*time);
    for (size_t other = 0; other < 30; ++other) EXPECT_EQ(swarm.At(other).Members().size(), 30u);
  }
  Print("30 nodes know a member's new address", times);
}

// A start with an incarnation that is not greater, as after a lost directory or a clock set back.
TEST(Swarm, AMemberThatForgotItsIncarnationTakesAGreaterOne) {
  Swarm swarm({.nodes = 10});
  swarm.Crash(3);
  swarm.Run(seconds(20));
  swarm.Restart(3, {.elsewhere = true});
  ASSERT_TRUE(AgreementWithin(seconds(30), &swarm).has_value());
  swarm.Crash(3);
  swarm.Run(seconds(1));
  swarm.Restart(3, {.elsewhere = true, .incarnation = 0});
  ASSERT_TRUE(AgreementWithin(seconds(30), &swarm).has_value()) << swarm.Disagreement();
  EXPECT_GT(swarm.At(3).self().incarnation.value, 1'000'000u);
}

TEST(Swarm, AGoodbyeIsKnownToAllAndIsNoDeath) {
  Swarm swarm({.nodes = 50});
  swarm.Run(seconds(2));
  swarm.Leave(7);
  swarm.Run(seconds(1));
  EXPECT_TRUE(swarm.At(7).GoodbyeSpread());
  swarm.Crash(7);
  for (size_t node = 0; node < 50; ++node) {
    if (node == 7) continue;
    EXPECT_EQ(swarm.At(node).Find(Swarm::IdOf(7))->liveness, Liveness::kLeft) << node;
  }
  swarm.Run(seconds(60));
  EXPECT_TRUE(swarm.deaths().empty());
  swarm.Restart(7);
  EXPECT_TRUE(AgreementWithin(seconds(30), &swarm).has_value()) << swarm.Disagreement();
}

// Nobody knows anybody but its seed.
TEST(Swarm, NodesThatStartTogetherFindEachOther) {
  Swarm swarm({.nodes = 100});
  for (size_t node = 0; node < 100; ++node) swarm.Crash(node);
  for (size_t node = 0; node < 100; ++node) swarm.Restart(node);
  const std::optional<Duration> time = AgreementWithin(seconds(60), &swarm);
  ASSERT_TRUE(time.has_value()) << swarm.Disagreement();
  fmt::print("100 nodes that start together agree after {} ms\n", Milliseconds(*time));
}

// A small cluster in which one seed draws every fault; then all is healed, and all must agree.
class World {
 public:
  explicit World(uint64_t seed) : random_(seed), swarm_(Draw(seed, &random_)) {}

  void Run() {
    for (uint64_t step = random_.Between(5, 40); step > 0; --step) {
      Fault(random_.Below(swarm_.size()));
      swarm_.Run(Duration(random_.Below(8'000'000)));
    }
    Heal();
  }
  Swarm& swarm() { return swarm_; }

 private:
  static Swarm::Options Draw(uint64_t seed, Random* random) {
    return {.nodes = random->Between(2, 12),
            .seed = seed,
            .delay_max = Duration(random->Between(1'000, 150'000)),
            .lost_permille = random->Chance(1, 2) ? random->Below(300) : 0};
  }

  void Fault(size_t node) {
    switch (random_.Below(7)) {
      case 0:
        if (swarm_.IsUp(node)) swarm_.Crash(node);
        return;
      case 1:
        if (!swarm_.IsUp(node)) {
          swarm_.Restart(node, {.elsewhere = random_.Chance(1, 2), .incarnation = Incarnation()});
        }
        return;
      case 2:
        return swarm_.Pause(node, Duration(random_.Below(20'000'000)));
      case 3:
        return swarm_.SlowDown(node, Duration(random_.Below(6'000'000)));
      case 4:
        return swarm_.SlowDown(node, {});
      case 5:
        return swarm_.SetSide(node, static_cast<int>(random_.Below(3)));
      case 6:
        if (swarm_.IsUp(node) && random_.Chance(1, 2)) swarm_.Leave(node);
        return;
    }
  }

  std::optional<uint64_t> Incarnation() {
    if (random_.Chance(1, 2)) return std::nullopt;
    return random_.Below(3'000'000);
  }

  void Heal() {
    swarm_.Run(seconds(20));  // the longest pause
    swarm_.LosePermille(0);
    for (size_t node = 0; node < swarm_.size(); ++node) {
      swarm_.SetSide(node, 0);
      swarm_.SlowDown(node, {});
      // Who left stays so until it stops.
      if (swarm_.IsUp(node) && swarm_.At(node).self().liveness == Liveness::kLeft) {
        swarm_.Crash(node);
      }
      if (!swarm_.IsUp(node) && random_.Chance(3, 4)) swarm_.Restart(node);
    }
  }

  Random random_;
  Swarm swarm_;
};

TEST(Swarm, WhateverHappenedAllAgreeInTheEnd) {
  std::vector<Duration> times;
  uint64_t deaths = 0;
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    World world(seed);
    world.Run();
    const std::optional<Duration> time = AgreementWithin(minutes(3), &world.swarm());
    ASSERT_TRUE(time.has_value()) << "seed " << seed << ": " << world.swarm().Disagreement();
    // And stay so.
    const size_t before = world.swarm().FalseDeaths();
    world.swarm().Run(seconds(30));
    EXPECT_EQ(world.swarm().Disagreement(), "") << "seed " << seed;
    EXPECT_EQ(world.swarm().FalseDeaths(), before) << "seed " << seed;
    times.push_back(*time);
    deaths += world.swarm().deaths().size();
  }
  Print("worlds agree once healed", times);
  // Worlds in which nothing happens agree, too.
  EXPECT_GT(deaths, times.size());
}

TEST(Swarm, ARunIsAFunctionOfItsSeed) {
  const auto run = [](uint64_t seed) {
    World world(seed);
    world.Run();
    world.swarm().Run(seconds(20));
    return std::pair(world.swarm().events(), world.swarm().Counted(Count::kPacketsSent));
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace eddy::gossip
