#include "server/metrics.h"

#include <set>
#include <sstream>
#include <string>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/latencies.h"
#include "server/loop_meter.h"

namespace eddy::server {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::StartsWith;

wire::NodeStatus ExampleStatus() {
  wire::NodeStatus status{.cluster = "te\"st", .software = "eddyd 1", .name = "n1", .ready = true};
  status.members.push_back({.id = {1, 2}, .name = "n2", .zone = "z2", .reachable = true});
  status.counters.push_back({.name = "gets", .value = 7});
  status.counters.push_back({.name = "now_out_of_room", .value = 1});
  return status;
}

TEST(Metrics, AreEachDescribedOnceBeforeTheyAreGiven) {
  MetricsPage page;
  AddStatus(&page, ExampleStatus());
  std::istringstream lines(page.text());
  std::set<std::string> described;
  std::set<std::string> typed;
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, what, name;
    words >> first;
    if (first == "#") {
      words >> what >> name;
      EXPECT_TRUE((what == "HELP" ? described : typed).insert(name).second) << line;
      continue;
    }
    ++samples;
    name = first.substr(0, first.find('{'));
    EXPECT_TRUE(described.contains(name) && typed.contains(name)) << line;
    EXPECT_THAT(name, StartsWith("eddy_"));
  }
  EXPECT_GE(samples, 10);
}

TEST(Metrics, EscapeLabelsAndCarryValues) {
  wire::NodeStatus status = ExampleStatus();
  status.layout_version = 3;
  status.layout_newest = 4;
  MetricsPage page;
  AddStatus(&page, status);
  EXPECT_THAT(page.text(), HasSubstr("eddy_layout_version 3\n"));
  EXPECT_THAT(page.text(), HasSubstr("eddy_layout_newest 4\n"));
  EXPECT_THAT(page.text(), HasSubstr("eddy_node_info{cluster=\"te\\\"st\",node=\"n1\""));
  EXPECT_THAT(page.text(), HasSubstr("eddy_peer_reachable{peer=\"n2\",zone=\"z2\"} 1\n"));
  EXPECT_THAT(page.text(), HasSubstr("# TYPE eddy_gets_total counter\neddy_gets_total 7\n"));
  EXPECT_THAT(page.text(), HasSubstr("# TYPE eddy_out_of_room gauge\n"));
  EXPECT_THAT(page.text(), HasSubstr("eddy_out_of_room 1\n"));
}

TEST(Metrics, AHistogramCountsWhatIsBelowEachBoundAndGivesSeconds) {
  Histogram histogram;
  for (const uint64_t value : {0, 63, 64, 127, 128, 1'000'000, 100'000'000}) histogram.Add(value);
  MetricsPage page;
  page.Family("eddy_x_seconds", "histogram", "x");
  page.Sample({{"operation", "get"}}, histogram);
  for (const char* line : {
           "eddy_x_seconds_bucket{operation=\"get\",le=\"0.000064\"} 2\n",
           "eddy_x_seconds_bucket{operation=\"get\",le=\"0.000128\"} 4\n",
           "eddy_x_seconds_bucket{operation=\"get\",le=\"0.000256\"} 5\n",
           "eddy_x_seconds_bucket{operation=\"get\",le=\"0.524288\"} 5\n",
           "eddy_x_seconds_bucket{operation=\"get\",le=\"1.048576\"} 6\n",
           "eddy_x_seconds_bucket{operation=\"get\",le=\"8.388608\"} 6\n",
           "eddy_x_seconds_bucket{operation=\"get\",le=\"+Inf\"} 7\n",
           "eddy_x_seconds_sum{operation=\"get\"} 101.000382\n",
           "eddy_x_seconds_count{operation=\"get\"} 7\n",
       }) {
    EXPECT_THAT(page.text(), HasSubstr(line));
  }
}

TEST(Latencies, CountFromARequestsArrivalToTheEndOfTheTurnThatAnswersIt) {
  Latencies latencies;
  const MonotonicTime begun(microseconds(1'000'000));
  latencies.Ended(Operation::kPut, Ending::kOk, begun);
  latencies.Ended(Operation::kPut, Ending::kUnknown, begun + microseconds(500));
  EXPECT_TRUE(latencies.any_ended());
  EXPECT_EQ(latencies.Of(Operation::kPut, Ending::kOk).count(), 0u);
  latencies.EndTurn(begun + microseconds(700));
  EXPECT_FALSE(latencies.any_ended());
  EXPECT_EQ(latencies.Of(Operation::kPut, Ending::kOk).max(), 700u);
  EXPECT_EQ(latencies.Of(Operation::kPut, Ending::kUnknown).max(), 200u);
  EXPECT_EQ(latencies.Of(Operation::kGet, Ending::kOk).count(), 0u);
  latencies.EndTurn(begun + microseconds(900));
  EXPECT_EQ(latencies.Of(Operation::kPut, Ending::kOk).count(), 1u);
}

TEST(Latencies, EveryCodeIsOneOfTheEndings) {
  EXPECT_EQ(EndingOf(std::nullopt), Ending::kOk);
  for (unsigned value = 0; value < 256; ++value) {
    if (!IsCode(static_cast<uint8_t>(value))) continue;
    const Ending ending = EndingOf(Error{static_cast<Code>(value), ""});
    EXPECT_NE(ending, Ending::kOk) << value;
    EXPECT_LT(static_cast<size_t>(ending), kEndingNames.size()) << value;
  }
  EXPECT_EQ(EndingOf(Error{Code::kUnknownOutcome, ""}), Ending::kUnknown);
  EXPECT_EQ(EndingOf(Error{Code::kTooLarge, ""}), Ending::kRefused);
  EXPECT_EQ(EndingOf(Error{Code::kCorruption, ""}), Ending::kError);
}

TEST(Latencies, AnOperationIsWhatWasAskedFor) {
  EXPECT_EQ(OperationOf({.action = wire::GetAction{}}), Operation::kGet);
  EXPECT_EQ(OperationOf({.action = wire::PutAction{}}), Operation::kPut);
  EXPECT_EQ(OperationOf({.action = wire::DeleteAction{}}), Operation::kDelete);
}

TEST(LoopMeter, MeasuresWhatTheLoopDidNotWait) {
  LoopMeter meter;
  meter.Round(1'000'000, 500'000);  // the first only says where to begin
  EXPECT_EQ(meter.busy_us().count(), 0u);
  meter.Round(11'000'000, 2'500'000);  // of 10 ms it waited 2
  EXPECT_EQ(meter.busy_us().count(), 1u);
  EXPECT_EQ(meter.busy_us().max(), 8000u);
  meter.Round(12'000'000, 3'600'000);  // clocks that disagree a little
  EXPECT_EQ(meter.busy_us().count(), 2u);
  EXPECT_EQ(meter.busy_us().sum(), 8000u);
}

}  // namespace
}  // namespace eddy::server
