// Every file of tests/scenarios: all is as it says, by whatever chance; each of its expectations
// can fail; and the planted bugs that it names break it.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "sim/scenario_run.h"

namespace eddy::sim {
namespace {

constexpr uint64_t kSeeds = 3;

std::vector<std::string> Files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(EDDY_SCENARIOS)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  return files;
}

Result<Scenario> Load(const std::string& file) {
  std::ifstream input(file);
  const std::string text{std::istreambuf_iterator<char>(input), {}};
  return ParseScenario(file, text);
}

// The same, but for one thing, which is not so.
Condition Altered(Condition condition) {
  using Kind = Condition::Kind;
  switch (condition.kind) {
    case Kind::kDone:
      condition.kind = Kind::kUnknown;
      break;
    case Kind::kNotDone:
    case Kind::kUnknown:
      condition.kind = Kind::kDone;
      break;
    case Kind::kValues:
    case Kind::kHolds:
      condition.values.push_back("zzz-nobody-wrote-this");
      break;
    case Kind::kReady:
    case Kind::kStarting:
    case Kind::kWaiting:
      condition.kind = Kind::kDown;
      break;
    case Kind::kDown:
      condition.kind = Kind::kReady;
      break;
    case Kind::kSettled:
    case Kind::kHealthy:
    case Kind::kNoHints:
    case Kind::kConverged:
    case Kind::kGone:
    case Kind::kBelieves:
      // These are yes or no; tests/sim/scenario_test.cc has them say no.
      break;
    default:
      condition.count = {Count::Kind::kExactly, 123'456'789};
      break;
  }
  return condition;
}

bool CanBeAltered(Condition::Kind kind) {
  using Kind = Condition::Kind;
  return kind < Kind::kSettled && kind != Kind::kBelieves;
}

class ScenarioFiles : public ::testing::TestWithParam<std::string> {};

TEST_P(ScenarioFiles, AllIsAsExpected) {
  const auto scenario = Load(GetParam());
  ASSERT_TRUE(scenario.has_value()) << scenario.error().text;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const ScenarioReport report = RunScenario(*scenario, {.seed = seed});
    EXPECT_EQ(report.failure, "") << "with seed " << seed;
    EXPECT_EQ(report.steps, scenario->steps.size());
  }
}

TEST_P(ScenarioFiles, EachExpectationCanFail) {
  const auto scenario = Load(GetParam());
  ASSERT_TRUE(scenario.has_value()) << scenario.error().text;
  std::set<uint32_t> lines;
  for (size_t at = 0; at < scenario->steps.size(); ++at) {
    const auto* check = std::get_if<CheckStep>(&scenario->steps[at].action);
    if (check == nullptr || check->within || !CanBeAltered(check->condition.kind)) continue;
    const uint32_t line = scenario->steps[at].line;
    if (!lines.insert(line).second) continue;
    Scenario other = *scenario;
    other.steps.resize(at + 1);
    std::get<CheckStep>(other.steps[at].action).condition = Altered(check->condition);
    const ScenarioReport report = RunScenario(other, {});
    EXPECT_NE(report.failure, "") << "line " << line;
    EXPECT_EQ(report.line, line) << report.failure;
  }
  EXPECT_FALSE(lines.empty()) << "it expects nothing at any moment, but waits alone";
}

TEST_P(ScenarioFiles, ThePlantedBugsThatItNamesBreakIt) {
  const auto scenario = Load(GetParam());
  ASSERT_TRUE(scenario.has_value()) << scenario.error().text;
  for (const PlantedBug bug : scenario->fails_with) {
    bool broken = false;
    for (uint64_t seed = 1; seed <= kSeeds && !broken; ++seed) {
      broken = !RunScenario(*scenario, {.seed = seed, .bug = bug}).failure.empty();
    }
    EXPECT_TRUE(broken) << "passes with " << kPlantedBugNames[static_cast<size_t>(bug)];
  }
}

INSTANTIATE_TEST_SUITE_P(All, ScenarioFiles, ::testing::ValuesIn(Files()), [](const auto& file) {
  std::string name = std::filesystem::path(file.param).stem().string();
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

TEST(ScenarioFiles, AreThere) { EXPECT_GE(Files().size(), 20u); }

}  // namespace
}  // namespace eddy::sim
