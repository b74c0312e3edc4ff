#include "tools/chaos_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/chaos_plan.h"

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

ChaosReport SomeReport() {
  ChaosReport report;
  report.options.seed = 7;
  report.outcome.faults_ended = seconds(2);
  report.outcome.converged_in = milliseconds(3210);
  report.outcome.bands = {{"kill", "n3", false, milliseconds(300), milliseconds(900)}};
  const auto add = [&](ChaosKind kind, ChaosOperation::Outcome outcome, Duration ended) {
    report.outcome.history.operations.push_back(
        {.kind = kind, .began = ended - milliseconds(10), .ended = ended, .outcome = outcome});
  };
  add(ChaosKind::kGet, ChaosOperation::Outcome::kDone, milliseconds(500));
  add(ChaosKind::kPut, ChaosOperation::Outcome::kDone, milliseconds(1500));
  add(ChaosKind::kPut, ChaosOperation::Outcome::kUnknown, milliseconds(1600));
  report.verdict.writes_acknowledged = 12345;
  report.verdict.writes_unknown = 6;
  return report;
}

TEST(ChaosReport, TheVerdictIsOneLine) {
  EXPECT_EQ(ChaosVerdictLine(SomeReport()),
            "KEPT: seed 7, 12,345 writes acknowledged, 0 lost, 6 unknown, converged in 3.2 s");
}

TEST(ChaosReport, AnythingAmissBreaksIt) {
  ChaosReport report = SomeReport();
  EXPECT_TRUE(ChaosKept(report));
  report.outcome.converged_in.reset();
  EXPECT_FALSE(ChaosKept(report));
  EXPECT_THAT(ChaosVerdictLine(report), HasSubstr("NOT CONVERGED"));
  report = SomeReport();
  report.outcome.crashes = {"n2 ended by itself"};
  EXPECT_FALSE(ChaosKept(report));
  EXPECT_THAT(ChaosVerdictLine(report), HasSubstr("1 processes ended by themselves"));
  report = SomeReport();
  report.verdict.broken = {{"nothing is lost", 2}};
  EXPECT_FALSE(ChaosKept(report));
  EXPECT_THAT(ChaosVerdictLine(report), HasSubstr("not \"nothing is lost\" 2 times"));
}

TEST(ChaosReport, EachSecondIsCounted) {
  const auto json = ChaosReportJson(SomeReport());
  const auto& series = json.at("each_second");
  ASSERT_EQ(series.size(), 3);
  EXPECT_EQ(series[0].at("reads"), 1);
  EXPECT_EQ(series[1].at("writes"), 1);
  EXPECT_EQ(series[1].at("unknown"), 1);
  EXPECT_NEAR(series[1].at("p50_ms").get<double>(), 10, 0.5);
}

TEST(ChaosReport, ThePageNeedsNothingElse) {
  ChaosReport report = SomeReport();
  report.outcome.notes = {"</script><b>"};
  const std::string page = ChaosReportHtml(ChaosReportJson(report));
  EXPECT_THAT(page, HasSubstr("\"seed\":7"));
  EXPECT_THAT(page, Not(HasSubstr("/*DATA*/")));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  for (const char* loads : {"src=", "href=", "@import", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(loads)));
  }
}

TEST(ChaosReport, EveryFaultHasItsColour) {
  const std::string page = ChaosReportHtml(ChaosReportJson(SomeReport()));
  for (auto kind = ChaosFaultKind::kKill; kind <= ChaosFaultKind::kUnplug;
       kind = static_cast<ChaosFaultKind>(static_cast<uint8_t>(kind) + 1)) {
    const std::string name(ChaosFaultName(kind));
    EXPECT_THAT(page, testing::AnyOf(HasSubstr(name + ": \"#"), HasSubstr(name + "\": \"#")));
  }
}

}  // namespace
}  // namespace eddy::tools
