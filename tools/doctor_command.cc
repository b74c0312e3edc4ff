// doctor: what is wrong, or soon will be, and what to do about it.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/admin_json.h"
#include "tools/command.h"
#include "tools/doctor.h"
#include "tools/paint.h"
#include "tools/session.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

milliseconds WallNow() {
  return std::chrono::duration_cast<milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

// One node after the other, so that nothing but the way there and back is in the reading.
void ReadProcess(const GlobalOptions& global, NodeFacts* node) {
  const milliseconds before = WallNow();
  auto said = AskJson(global, AddressOf(node->view.member), "process.show", Json::object());
  const milliseconds after = WallNow();
  if (!said) return;
  if (const auto wall = said->find("wall_ms"); wall != said->end() && wall->is_number_integer()) {
    const milliseconds uncertain = (after - before) / 2 + milliseconds(1);
    node->clock = {milliseconds(wall->get<int64_t>()) - (before + (after - before) / 2), uncertain};
  }
  node->process = *std::move(said);
}

Result<std::vector<NodeFacts>> Gather(const GlobalOptions& global) {
  const auto status = AskStatus(global);
  if (!status) return std::unexpected(status.error());
  std::vector<NodeFacts> nodes;
  std::vector<client::Address> addresses;
  for (wire::MemberStatus& member : MembersByName(*status)) {
    addresses.push_back(AddressOf(member));
    nodes.push_back({.view = {std::move(member), Fail(Code::kUnavailable, "")},
                     .process = {},
                     .config = {},
                     .cluster = {},
                     .clock = {}});
  }
  auto statuses = AskStatusOfAll(global, addresses);
  std::vector<client::Address> answering;
  std::vector<NodeFacts*> who;
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].view.status = std::move(statuses[i]);
    if (!nodes[i].view.status) continue;
    answering.push_back(addresses[i]);
    who.push_back(&nodes[i]);
  }
  auto configs = AskEachJson(global, answering, "config.show", Json::object());
  auto clusters = AskEachJson(global, answering, "cluster.show", Json::object());
  for (size_t i = 0; i < who.size(); ++i) {
    if (configs[i]) who[i]->config = *std::move(configs[i]);
    if (clusters[i]) who[i]->cluster = *std::move(clusters[i]);
    ReadProcess(global, who[i]);
  }
  return nodes;
}

Paint PaintOf(Weight weight) {
  if (weight == Weight::kGood) return Paint::kGood;
  return weight == Weight::kWarning ? Paint::kWarning : Paint::kBad;
}

ExitCode Doctor(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto nodes = Gather(global);
  if (!nodes) return output.Fail(nodes.error());
  std::vector<Finding> findings;
  try {
    findings = Diagnose(*nodes, EDDY_VERSION);
  } catch (const Json::exception&) {
    return output.Fail({Code::kCorruption, "a node answers what this eddyctl cannot read"});
  }
  const auto count = [&](Weight weight) {
    return std::ranges::count(findings, weight, &Finding::weight);
  };
  if (output.json()) {
    Json rows = Json::array();
    for (const Finding& finding : findings) {
      rows.push_back({{"weight", WeightName(finding.weight)},
                      {"subject", finding.subject},
                      {"text", finding.text},
                      {"advice", finding.advice}});
    }
    output.Json({{"problems", count(Weight::kProblem)},
                 {"warnings", count(Weight::kWarning)},
                 {"findings", std::move(rows)}});
  } else {
    for (const Finding& finding : findings) {
      if (output.quiet() && finding.weight == Weight::kGood) continue;
      output.Line(fmt::format("{}  {:<14} {}",
                              Painted(output, PaintOf(finding.weight),
                                      fmt::format("{:<7}", WeightName(finding.weight))),
                              finding.subject, finding.text));
      if (!finding.advice.empty()) output.Line(fmt::format("{:24} > {}", "", finding.advice));
    }
    output.Note(fmt::format("{} problem{}, {} warning{}", count(Weight::kProblem),
                            count(Weight::kProblem) == 1 ? "" : "s", count(Weight::kWarning),
                            count(Weight::kWarning) == 1 ? "" : "s"));
  }
  return count(Weight::kProblem) == 0 ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void AddDoctorCommand(CLI::App* app, Commands* commands) {
  CLI::App* doctor = app->add_subcommand(
      "doctor", "What is wrong with the cluster, or soon will be, and what to do about it");
  (*commands)[doctor] = [](const GlobalOptions& global) { return Doctor(global); };
}

}  // namespace eddy::tools
