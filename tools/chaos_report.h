// What a run of `eddyctl chaos` came to: the verdict in a line, report.json, and report.html, one
// file that a browser shows without anything else. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/chaos_judge.h"
#include "tools/chaos_run.h"

namespace eddy::tools {

struct ChaosReport {
  ChaosOptions options;
  std::string machines = "processes";  // what the nodes were
  ChaosOutcome outcome;
  ChaosVerdict verdict;
};

// Every promise was kept, nothing ended by itself, and the replicas became equal in time.
bool ChaosKept(const ChaosReport& report);

// "KEPT: 12,345 acknowledged, 0 lost, ..", with the seed.
std::string ChaosVerdictLine(const ChaosReport& report);

nlohmann::ordered_json ChaosReportJson(const ChaosReport& report);
// Of what ChaosReportJson gives.
std::string ChaosReportHtml(const nlohmann::ordered_json& json);

}  // namespace eddy::tools
