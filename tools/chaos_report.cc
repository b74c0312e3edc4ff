#include "tools/chaos_report.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/histogram.h"
#include "tools/chaos_page.h"
#include "tools/report_page.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using Outcome = ChaosOperation::Outcome;

double Seconds(Duration at) {
  // Milliseconds are enough for a reader, and for a file that one looks into.
  return std::chrono::duration<double>(std::chrono::floor<std::chrono::milliseconds>(at)).count();
}

double Milliseconds(uint64_t us) { return static_cast<double>(us / 10) / 100; }

// What clients got in each second of the faults.
Json SeriesOf(const ChaosOutcome& outcome) {
  struct Second {
    uint64_t reads = 0;
    uint64_t writes = 0;
    uint64_t not_done = 0;
    uint64_t unknown = 0;
    Histogram latency_us;
  };
  std::vector<Second> seconds(static_cast<size_t>(outcome.faults_ended / std::chrono::seconds(1)) +
                              1);
  for (const ChaosOperation& operation : outcome.history.operations) {
    const auto at = static_cast<size_t>(operation.ended / std::chrono::seconds(1));
    if (operation.final || at >= seconds.size()) continue;
    Second& second = seconds[at];
    if (operation.outcome == Outcome::kUnknown) ++second.unknown;
    if (operation.outcome == Outcome::kNotDone) ++second.not_done;
    if (operation.outcome != Outcome::kDone) continue;
    ++(operation.kind == ChaosKind::kGet ? second.reads : second.writes);
    second.latency_us.Add(static_cast<uint64_t>((operation.ended - operation.began).count()));
  }
  Json series = Json::array();
  for (const Second& second : seconds) {
    series.push_back({{"reads", second.reads},
                      {"writes", second.writes},
                      {"not_done", second.not_done},
                      {"unknown", second.unknown},
                      {"p50_ms", Milliseconds(second.latency_us.Quantile(5000))},
                      {"p99_ms", Milliseconds(second.latency_us.Quantile(9900))}});
  }
  return series;
}

}  // namespace

bool ChaosKept(const ChaosReport& report) {
  return report.verdict.kept() && report.outcome.crashes.empty() && report.outcome.converged_in;
}

std::string ChaosVerdictLine(const ChaosReport& report) {
  const ChaosVerdict& verdict = report.verdict;
  std::string line =
      fmt::format("{}: seed {}, {} writes acknowledged, {} lost, {} unknown, {}",
                  ChaosKept(report) ? "KEPT" : "BROKEN", report.options.seed,
                  FormatCount(verdict.writes_acknowledged), FormatCount(verdict.lost),
                  FormatCount(verdict.writes_unknown),
                  report.outcome.converged_in
                      ? fmt::format("converged in {:.1f} s", Seconds(*report.outcome.converged_in))
                      : std::string("NOT CONVERGED"));
  if (!report.outcome.crashes.empty()) {
    line += fmt::format(", {} processes ended by themselves", report.outcome.crashes.size());
  }
  for (const auto& [promise, count] : verdict.broken) {
    line += fmt::format(", not \"{}\" {} times", promise, FormatCount(count));
  }
  return line;
}

Json ChaosReportJson(const ChaosReport& report) {
  const ChaosVerdict& verdict = report.verdict;
  const ChaosOutcome& outcome = report.outcome;
  Json bands = Json::array();
  for (const ChaosBand& band : outcome.bands) {
    bands.push_back({{"kind", band.kind},
                     {"what", band.what},
                     {"network", band.network},
                     {"began", Seconds(band.began)},
                     {"ended", Seconds(band.ended)}});
  }
  Json violations = Json::array();
  for (const ChaosViolation& violation : verdict.violations) {
    violations.push_back({{"promise", violation.promise},
                          {"text", violation.text},
                          {"operations", violation.operations}});
  }
  return {
      {"kept", ChaosKept(report)},
      {"verdict", ChaosVerdictLine(report)},
      {"version", EDDY_VERSION},
      {"seed", report.options.seed},
      {"nodes", report.options.nodes},
      {"machines", report.machines},
      {"seconds", Seconds(outcome.faults_ended)},
      {"operations", verdict.operations},
      {"reads", verdict.reads},
      {"writes_acknowledged", verdict.writes_acknowledged},
      {"writes_unknown", verdict.writes_unknown},
      {"not_done", verdict.not_done},
      {"final_reads", verdict.final_reads},
      {"lost", verdict.lost},
      {"disks_lost", outcome.history.disk_losses.size()},
      {"converged_in_seconds",
       outcome.converged_in ? Json(Seconds(*outcome.converged_in)) : Json()},
      {"broken", verdict.broken},
      {"violations", std::move(violations)},
      {"crashes", outcome.crashes},
      {"notes", outcome.notes},
      {"faults", std::move(bands)},
      {"each_second", SeriesOf(outcome)},
  };
}

std::string ChaosReportHtml(const Json& json) { return ReportPage(kChaosPage, json); }

}  // namespace eddy::tools
