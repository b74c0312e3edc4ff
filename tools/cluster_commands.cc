// status, health: what the cluster looks like.
#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/routing.h"
#include "tools/admin_json.h"
#include "tools/command.h"
#include "tools/health.h"
#include "tools/paint.h"
#include "tools/safety.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

// The cluster as one node shows it, and every member as it shows itself.
struct ClusterView {
  wire::NodeStatus first;
  ring::Layout layout;
  std::vector<NodeView> members;
  std::vector<HintsAt> hints;
};

// Of those members that can say so.
std::vector<HintsAt> AskHints(const GlobalOptions& global, const std::vector<NodeView>& members) {
  std::vector<client::Address> addresses;
  std::vector<std::string> names;
  for (const NodeView& view : members) {
    if (!view.status) continue;
    addresses.push_back(AddressOf(view.member));
    names.push_back(view.member.name);
  }
  std::vector<HintsAt> hints;
  const auto answers = AskEachJson(global, addresses, "process.show", Json::object());
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) continue;
    HintsAt at{.node = names[i], .owners = {}};
    for (const Json& owner : answers[i]->value("hints_for", Json::array())) {
      if (owner.is_string()) at.owners.push_back(owner.get<std::string>());
    }
    hints.push_back(std::move(at));
  }
  return hints;
}

Result<ClusterView> Look(const GlobalOptions& global) {
  auto first = AskStatus(global);
  if (!first) return std::unexpected(first.error());
  auto layout = client::LayoutOf(*first);
  if (!layout) return std::unexpected(layout.error());
  std::vector<wire::MemberStatus> members = MembersByName(*first);
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : members) addresses.push_back(AddressOf(member));
  std::vector<Result<wire::NodeStatus>> answers = AskStatusOfAll(global, addresses);
  ClusterView view{
      .first = std::move(*first), .layout = std::move(*layout), .members = {}, .hints = {}};
  for (size_t i = 0; i < members.size(); i++) {
    view.members.push_back({std::move(members[i]), std::move(answers[i])});
  }
  view.hints = AskHints(global, view.members);
  return view;
}

std::string StateOf(const NodeView& view) {
  if (!view.status) return "unreachable";
  const std::string_view standing = StandingName(view.member.standing);
  return fmt::format("{}{}{}", view.status->ready ? "ready" : "not ready",
                     standing.empty() ? "" : ", ", standing);
}

std::string DoorsOf(const ring::Doors& doors) {
  const auto port = [](uint16_t number) {
    return number == 0 ? std::string("-") : std::to_string(number);
  };
  return fmt::format("{} {} {} {}", port(doors.native), port(doors.resp), port(doors.http),
                     port(doors.peer));
}

Json DoorsObject(const ring::Doors& doors) {
  return {{"host", doors.host},
          {"native", doors.native},
          {"peer", doors.peer},
          {"resp", doors.resp},
          {"http", doors.http}};
}

Json NodeObject(const NodeView& view) {
  Json object = {{"name", view.member.name},
                 {"id", view.member.id.ToHex()},
                 {"zone", view.member.zone},
                 {"weight", view.member.weight},
                 {"doors", DoorsObject(view.member.doors)},
                 {"state", StateOf(view)},
                 {"standing", StandingName(view.member.standing)}};
  if (!view.status) {
    object["error"] = {{"code", CodeName(view.status.error().code)},
                       {"text", view.status.error().text}};
    return object;
  }
  const wire::NodeStatus& status = *view.status;
  object["ready"] = status.ready;
  if (!status.ready) object["reason"] = status.reason;
  object["software"] = status.software;
  object["uptime_seconds"] = status.uptime_seconds;
  object["layout_version"] = status.layout_version;
  object["partitions_owned"] = status.partitions_owned;
  object["keys_estimate"] = status.keys_estimate;
  object["data_bytes"] = status.data_bytes;
  object["operations_in_flight"] = status.operations_in_flight;
  object["equal_seconds_ago"] = status.equal_seconds_ago ? Json(*status.equal_seconds_ago) : Json();
  Json counters = Json::object();
  for (const wire::Counter& counter : status.counters) counters[counter.name] = counter.value;
  object["counters"] = std::move(counters);
  return object;
}

Json ToleranceObject(const Tolerance& tolerance) {
  return {{"nodes", tolerance.nodes}, {"zones", tolerance.zones}};
}

Json SafetyObject(const ClusterView& view, const Safety& safety) {
  Json hints = Json::array();
  for (const HintsAt& at : view.hints) {
    if (!at.owners.empty()) hints.push_back({{"at", at.node}, {"for", at.owners}});
  }
  return {
      {"serving", ToleranceObject(safety.serving)},
      {"nothing_lost", ToleranceObject(safety.kept)},
      {"nothing_proven_lost", ToleranceObject(safety.kept_proven)},
      {"zones", safety.zones},
      {"equal_seconds_ago", safety.equal_seconds_ago ? Json(*safety.equal_seconds_ago) : Json()},
      {"unproven", safety.unproven},
      {"hints", std::move(hints)}};
}

Json ClusterObject(const ClusterView& view, const Health& health, const Safety& safety) {
  Json nodes = Json::array();
  for (const NodeView& member : view.members) nodes.push_back(NodeObject(member));
  return {{"cluster", view.first.cluster},
          {"verdict", VerdictName(health.verdict)},
          {"headline", health.headline},
          {"advice", health.advice},
          {"failures_tolerated", health.failures_tolerated},
          {"safety", SafetyObject(view, safety)},
          {"partitions", view.layout.partition_count()},
          {"partitions_impaired", health.partitions_impaired},
          {"layout_version", view.layout.version()},
          {"layout_newest", view.first.layout_newest},
          {"nodes", std::move(nodes)}};
}

Paint PaintOf(Verdict verdict) {
  if (verdict == Verdict::kSafe) return Paint::kGood;
  return verdict == Verdict::kDegraded ? Paint::kWarning : Paint::kBad;
}

void ShowCluster(const Output& output, const ClusterView& view, const Health& health,
                 const Safety& safety) {
  output.Line(Painted(output, PaintOf(health.verdict), health.headline));
  for (const std::string& advice : health.advice) output.Line("  " + advice);
  output.Line("");
  output.Line("serving  " + SayServing(safety));
  output.Line("kept     " + SayKept(safety));
  output.Line("proven   " + SayProven(safety));
  output.Line("hints    " + SayHints(view.hints));
  output.Line("");
  output.Line(fmt::format("cluster {}, layout {}, {} partitions{}", view.first.cluster,
                          view.layout.version(), view.layout.partition_count(),
                          view.first.layout_newest > view.layout.version()
                              ? fmt::format("; layout {} is being filled", view.first.layout_newest)
                              : ""));

  std::vector<std::vector<std::string>> rows = {
      {"node", "state", "host", "native resp http peer", "zone", "owns", "records", "data", "up"}};
  for (const NodeView& member : view.members) {
    const std::string zone = member.member.zone.empty() ? "-" : member.member.zone;
    std::vector<std::string> row = {member.member.name, StateOf(member), member.member.doors.host,
                                    DoorsOf(member.member.doors), zone};
    if (member.status) {
      row.push_back(fmt::format("{}", member.status->partitions_owned));
      row.push_back(FormatCount(member.status->keys_estimate));
      row.push_back(FormatBytes(member.status->data_bytes));
      row.push_back(FormatSeconds(member.status->uptime_seconds));
    } else {
      row.insert(row.end(), 4, "-");
    }
    rows.push_back(std::move(row));
  }
  for (const std::string& line : FormatTable(rows)) output.Line(line);
}

ExitCode Status(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto view = Look(global);
  if (!view) return output.Fail(view.error());
  const Health health = Judge(view->layout, view->members);
  const Safety safety = JudgeSafety(view->layout, view->members);
  if (output.json()) {
    output.Json(ClusterObject(*view, health, safety));
  } else if (output.quiet()) {
    output.Line(health.headline);
  } else {
    ShowCluster(output, *view, health, safety);
  }
  const bool healthy =
      std::ranges::all_of(view->members, &NodeView::ready) && health.partitions_impaired == 0;
  return healthy ? ExitCode::kOk : ExitCode::kUnhealthy;
}

// Of the one node that was named: what a container's health check asks.
ExitCode ShowHealth(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error(), ExitCode::kUnhealthy);
  if (output.json()) {
    Json object = {{"name", status->name}, {"ready", status->ready}};
    if (!status->ready) object["reason"] = status->reason;
    output.Json(object);
  } else if (status->ready) {
    output.Note(fmt::format("{} is ready", status->name));
  } else {
    output.Line(fmt::format("{} is not ready: {}", status->name, status->reason));
  }
  return status->ready ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void AddClusterCommands(CLI::App* app, Commands* commands) {
  CLI::App* status =
      app->add_subcommand("status", "Is the cluster safe? Asks every member and shows them all");
  (*commands)[status] = [](const GlobalOptions& global) { return Status(global); };

  CLI::App* health = app->add_subcommand("health", "Is the node ready? By the exit code");
  (*commands)[health] = [](const GlobalOptions& global) { return ShowHealth(global); };
}

}  // namespace eddy::tools
