// What a scenario says is what is done and checked; and what it says wrongly is told by its line.
#include "sim/scenario.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/scenario_run.h"

namespace eddy::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorOf(const std::string& text) {
  const auto scenario = ParseScenario("s.txt", text);
  return scenario ? "none" : scenario.error().text;
}

// What comes of it; "" if all was as expected.
std::string FailureOf(const std::string& text, PlantedBug bug = PlantedBug::kNone) {
  const auto scenario = ParseScenario("s.txt", text);
  if (!scenario) return scenario.error().text;
  return RunScenario(*scenario, {.bug = bug}).failure;
}

TEST(Scenario, SettingsAndStepsAreTaken) {
  const auto scenario = ParseScenario("s.txt",
                                      "# a comment\n"
                                      "nodes 5   # and another\n"
                                      "spares F\n"
                                      "bucket carts n 3 w 2 lww ttl 5s\n"
                                      "bucket other\n"
                                      "place cart on A B C\n"
                                      "anti-entropy every 2s\n"
                                      "fails with hints-stay\n"
                                      "\n"
                                      "put cart apples at A w 1 keep mine\n"
                                      "repeat 2\n"
                                      "  put other/x$ v$ at F\n"
                                      "end\n"
                                      "wait until A keeps at most 3 hints for B within 5s\n"
                                      "expect no value");
  ASSERT_TRUE(scenario.has_value()) << scenario.error().text;
  EXPECT_EQ(scenario->founders, 5u);
  EXPECT_EQ(scenario->spares, std::vector<std::string>{"F"});
  EXPECT_EQ(scenario->buckets.size(), 2u);
  EXPECT_EQ(scenario->buckets[0].properties.conflict, node::Conflict::kLastWriter);
  EXPECT_EQ(scenario->anti_entropy_period, std::chrono::seconds(2));
  EXPECT_EQ(scenario->fails_with, std::vector<PlantedBug>{PlantedBug::kHintsStay});
  ASSERT_EQ(scenario->steps.size(), 5u);
  const auto& first = std::get<RequestStep>(scenario->steps[0].action);
  EXPECT_EQ(first.key, (KeyName{"carts", "cart"}));
  EXPECT_EQ(first.quorum.w, 1);
  EXPECT_EQ(first.keep, "mine");
  EXPECT_EQ(scenario->steps[1].text, "put other/x1 v1 at F");
  EXPECT_EQ(scenario->steps[2].text, "put other/x2 v2 at F");
  EXPECT_EQ(scenario->steps[2].line, 12u);
  const auto& wait = std::get<CheckStep>(scenario->steps[3].action);
  EXPECT_EQ(wait.within, std::chrono::seconds(5));
  EXPECT_EQ(wait.condition.count.kind, Count::Kind::kAtMost);
  EXPECT_EQ(wait.condition.other, "B");
}

struct Wrong {
  std::string text;
  std::string error;
};

TEST(Scenario, WhatIsWrongIsToldByItsLine) {
  const std::vector<Wrong> wrong = {
      {"", "s.txt:1: nothing is expected"},
      {"put cart apples at n0\n", "s.txt:1: nothing is expected"},
      {"nodes 0\n", "s.txt:1: how many nodes is a number from 1 to 9, not '0'"},
      {"nodes\n", "s.txt:1: how many nodes is missing here"},
      {"nodes 9\nspares F\n", "s.txt:2: more than 9 nodes"},
      {"nodes 3 4\n", "s.txt:1: '4' is too much here"},
      {"bucket b n 3 r 4\nexpect done\n", "s.txt:1: "},
      {"bucket b colour red\n", "s.txt:1: 'colour' is no property of a bucket"},
      {"place cart on A B C D\n", "s.txt:1: more names than the 3 nodes"},
      {"place cart on A\nbucket b\n", "s.txt:2: buckets come before"},
      {"fails with nothing\n", "s.txt:1: 'nothing' is no planted bug"},
      {"\n\nfly to the moon\n", "s.txt:3: 'fly' is neither a setting nor a step"},
      {"heal\nnodes 5\n", "s.txt:2: the setting 'nodes' comes after the first step"},
      {"put cart apples at Q\n", "s.txt:1: 'Q' is no node here; those are n0 n1 n2"},
      {"put cart at n0\n", "s.txt:1: a value is missing here"},
      {"put cart apples on n0\n", "s.txt:1: 'at' must come here, not 'on'"},
      {"put cart apples at n0 w 0\n", "s.txt:1: w is a number from 1 to 9"},
      {"put cart apples at n0 fast\n", "s.txt:1: 'fast' is no option of put"},
      {"put cart apples at n0 seen it\n", "s.txt:1: no context named 'it' was kept before"},
      {"get cart at n0 seen it\n", "s.txt:1: 'seen' is no option of get"},
      {"get other/cart at n0\n", "s.txt:1: there is no bucket 'other'"},
      {"begin put cart apples at n0\n", "s.txt:1: a request that begins"},
      {"begin kill n0\n", "s.txt:1: put, get or delete must come here, not 'kill'"},
      {"await it\n", "s.txt:1: no request before was named 'it'"},
      {"partition n0 n1\n", "s.txt:1: partition takes groups"},
      {"partition n0 | n0\n", "s.txt:1: 'n0' cannot be on two sides"},
      {"cut n0 n1\n", "s.txt:1: '->' is missing here"},
      {"cut n0 -> n0\n", "s.txt:1: 'n0' cannot be cut off from itself"},
      {"kill\n", "s.txt:1: a node is missing here"},
      {"pause n0 for ever\n", "s.txt:1: 'ever' is not a duration"},
      {"wait 2h\n", "s.txt:1: a time here is at most 1 h"},
      {"leap 500d\n", "s.txt:1: a time here is at most 9600 h"},
      {"clock n0 1h\n", "s.txt:1: a clock jumps by +TIME"},
      {"restore n0 from monday\n", "s.txt:1: no copy named 'monday'"},
      {"expect A holds cart\n", "s.txt:1: 'A' is no node here"},
      {"expect n0 holds cart\n", "s.txt:1: a value is missing here"},
      {"expect n0 sings\n", "s.txt:1: holds, keeps, is, believes, knows or counts"},
      {"expect n0 is tired\n", "s.txt:1: 'down' must come here, not 'tired'"},
      {"expect not done tired\n", "s.txt:1: 'tired' is no code"},
      {"expect 2 values\n", "s.txt:1: siblings or primaries"},
      {"expect at 2 siblings\n", "s.txt:1: 'at' goes on with most or least"},
      {"wait until done\n", "s.txt:1: a reply is there as soon as its request is"},
      {"repeat 2\nheal\n", "s.txt:1: this repeat has no end"},
      {"repeat 2\nrepeat 2\nend\nend\n", "s.txt:2: a repeat inside of another one"},
      {"heal\nend\n", "s.txt:2: an end without a repeat"},
      {"repeat 3\nheal\nkill n$\nend\n", "s.txt:3: 'n3' is no node here"},
      {"repeat 10000\nheal\nheal\nheal\nend\n", "more than 20000 steps"},
  };
  for (const Wrong& each : wrong)
    EXPECT_THAT(ErrorOf(each.text), HasSubstr(each.error)) << each.text;
}

constexpr std::string_view kTwoValues =
    "nodes 4\n"
    "place cart on A B C D\n"
    "put cart apples at A w 3\n"
    "put cart pears at B w 3\n"
    "get cart at C r 3\n";

TEST(ScenarioRun, WhatIsAsExpectedPasses) {
  EXPECT_EQ(FailureOf(std::string(kTwoValues) + "expect done\n"
                                                "expect value pears apples\n"
                                                "expect 2 siblings\n"
                                                "expect at least 1 siblings\n"
                                                "expect A holds cart apples pears\n"
                                                "expect D holds cart nothing\n"
                                                "expect A is ready\n"
                                                "expect D believes A\n"
                                                "expect A knows 4 members\n"
                                                "expect A knows layout 1\n"
                                                "expect A keeps no hints\n"
                                                "wait until settled within 5s\n"
                                                "expect healthy\n"
                                                "expect converged\n"
                                                "expect no hints\n"),
            "");
}

TEST(ScenarioRun, WhatIsNotAsExpectedFailsAtItsLineAndSaysWhatWasFound) {
  const std::vector<Wrong> wrong = {
      {"expect not done", "done (3 of 3)"},
      {"expect unknown", "done (3 of 3)"},
      {"expect no value", "found"},
      {"expect value apples", "the value apples pears"},
      {"expect value apples pears plums", "the value apples pears"},
      {"expect at most 1 siblings", "2 siblings"},
      {"expect at least 3 siblings", "2 siblings"},
      {"expect no primaries", "3 primaries"},
      {"expect A holds cart apples", "A (n"},
      {"expect A holds cart nothing", "pears"},
      {"expect A holds cart tombstone", "pears"},
      {"expect D holds cart apples", "holds nothing"},
      {"expect A keeps 1 hint", "keeps 0"},
      {"expect A is down", "is ready"},
      {"expect A is waiting", "is ready"},
      {"expect A knows 3 members", "knows layouts 1..1"},
      {"expect A knows layout 2", "knows layouts 1..1"},
      {"expect A counts dreams 1", "has no counter of this name"},
      {"expect cart is gone", "holds {"},
      {"wait until cart is gone within 1s", "holds {"},
  };
  for (const Wrong& each : wrong) {
    const std::string failure = FailureOf(std::string(kTwoValues) + each.text + "\n");
    EXPECT_THAT(failure, StartsWith("s.txt:6: not as expected: ")) << each.text;
    if (each.error != "found") {
      EXPECT_THAT(failure, HasSubstr(each.error)) << each.text;
    }
    EXPECT_THAT(failure, HasSubstr("the step: "));
  }
}

TEST(ScenarioRun, ImpossibleStepsFail) {
  EXPECT_THAT(FailureOf("kill n0\nkill n0\nexpect no hints\n"),
              HasSubstr("s.txt:2: n0 does not run"));
  EXPECT_THAT(FailureOf("start n0\nexpect no hints\n"), HasSubstr("s.txt:1: n0 runs already"));
  EXPECT_THAT(FailureOf("forget cart at n0\nexpect no hints\n"),
              HasSubstr("s.txt:1: a disk is changed only while its node is down"));
  EXPECT_THAT(FailureOf("copy n0 to monday\nexpect no hints\n"),
              HasSubstr("s.txt:1: a disk is copied and put back only while"));
  EXPECT_THAT(FailureOf("expect done\n"), HasSubstr("nothing was asked before"));
  // One key's owners cannot be in two orders.
  EXPECT_THAT(
      FailureOf("place cart on A B C\nplace lamp on A B x\nplace pot on x C A\nexpect no hints\n"),
      HasSubstr("s.txt:3: no key lives on"));
}

TEST(ScenarioRun, FaultsAreDone) {
  EXPECT_EQ(FailureOf("nodes 5\n"
                      "place cart on A B C D E\n"
                      "kill C\n"
                      "expect C is down\n"
                      "put cart apples at C\n"
                      "expect not done unavailable\n"
                      "wait 2s\n"
                      "put cart apples at A\n"
                      "wait until D keeps 1 hint for C\n"
                      "expect D keeps no hints for A\n"
                      "start C\n"
                      "wait until no hints\n"
                      "expect C holds cart apples\n"
                      "power-loss C\n"
                      "start C\n"
                      "wait until healthy\n"
                      "expect C holds cart apples\n"
                      "stop C\n"
                      "copy C to monday\n"
                      "forget cart at C\n"
                      "expect C holds cart nothing\n"
                      "restore C from monday\n"
                      "expect C holds cart apples\n"
                      "wipe C\n"
                      "expect C holds cart nothing\n"
                      "pause A for 5s\n"
                      "get cart at A within 1s\n"
                      "expect not done timeout\n"
                      "partition B | A D E\n"
                      "wait 5s\n"
                      "get cart at B strict r 2 within 1s\n"
                      "expect not done\n"
                      "heal\n"
                      "wait until healthy\n"
                      "get cart at B r 2\n"
                      "expect value apples\n"),
            "");
}

TEST(ScenarioRun, TheSameTextAndSeedAreTheSameRunAndTheTraceTellsIt) {
  const auto scenario = ParseScenario("s.txt", std::string(kTwoValues) + "expect 2 siblings\n");
  ASSERT_TRUE(scenario.has_value());
  std::string story;
  const ScenarioReport told = RunScenario(
      *scenario, {.listener = [&](std::string_view line) { story += std::string(line) + "\n"; }});
  EXPECT_EQ(told.trace_hash, RunScenario(*scenario, {}).trace_hash);
  EXPECT_NE(told.trace_hash, RunScenario(*scenario, {.seed = 2}).trace_hash);
  EXPECT_THAT(story, HasSubstr("== line 3: put cart apples at A w 3"));
  EXPECT_THAT(story, HasSubstr("A is n"));
  EXPECT_THAT(story, HasSubstr("=apples"));
}

TEST(ScenarioRun, APlantedBugIsThere) {
  const std::string text = std::string(kTwoValues) + "expect 2 siblings\n";
  EXPECT_EQ(FailureOf(text), "");
  EXPECT_THAT(FailureOf(text, PlantedBug::kPutSeesAll), HasSubstr("s.txt:6: not as expected"));
}

}  // namespace
}  // namespace eddy::sim
