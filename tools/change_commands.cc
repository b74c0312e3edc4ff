// cluster ..: changing who belongs to the cluster. A change is staged, looked at with all others
// that are, and committed with them; or made alone at once.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/member_calls.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct ChangeOptions {
  std::string kind;
  std::string node;
  std::string by;                 // of replace
  std::vector<std::string> lost;  // of force-layout
  uint32_t weight = 100;
  std::string zone;
  bool force = false;
  bool plan = false;
  bool yes = false;
  bool wait = false;
};

ExitCode Wait(const GlobalOptions& global) {
  const auto status = AskStatus(global);
  if (!status) return global.output.Fail(status.error());
  return WaitUntilSettled(global, AddressesOfMembers(*status));
}

// The bytes that a replica of a partition has on average, over the members that answer; nothing
// where none does that holds any. `plan` says how many replicas each has.
std::optional<uint64_t> BytesOfReplica(const GlobalOptions& global, const wire::NodeStatus& status,
                                       const Json& plan) {
  std::map<std::string, uint64_t> held;
  for (const Json& member : plan.at("members")) {
    held[member.at("name").get<std::string>()] = member.at("replicas_before").get<uint64_t>();
  }
  uint64_t bytes = 0;
  uint64_t replicas = 0;
  for (const auto& answer : AskStatusOfAll(global, AddressesOfMembers(status))) {
    if (!answer) continue;
    bytes += answer->data_bytes;
    replicas += held[answer->name];
  }
  if (replicas == 0) return std::nullopt;
  return bytes / replicas;
}

// The plan as the node gives it, with what follows from it: shares in percent, and bytes where they
// are known.
Json WithEstimates(Json plan, std::optional<uint64_t> bytes_of_replica) {
  for (const char* when : {"before", "after"}) {
    const std::string replicas = fmt::format("replicas_{}", when);
    uint64_t whole = 0;
    for (const Json& member : plan.at("members")) whole += member.at(replicas).get<uint64_t>();
    for (Json& member : plan.at("members")) {
      const uint64_t permille =
          whole == 0 ? 0 : (member.at(replicas).get<uint64_t>() * 1000 + whole / 2) / whole;
      member[fmt::format("percent_{}", when)] = static_cast<double>(permille) / 10;
    }
  }
  uint64_t most = 0;  // that one node receives
  std::map<std::string, uint64_t> received;
  for (Json& move : plan.at("moves")) {
    move["bytes"] = nullptr;
    if (!bytes_of_replica) continue;
    const uint64_t bytes = move.at("partitions").get<uint64_t>() * *bytes_of_replica;
    move["bytes"] = bytes;
    most = std::max(most, received[move.at("to").get<std::string>()] += bytes);
  }
  plan["seconds_least"] = nullptr;
  const uint64_t rate = plan.at("bytes_per_second").get<uint64_t>();
  if (bytes_of_replica && rate > 0) plan["seconds_least"] = (most + rate - 1) / rate;
  return plan;
}

void PrintPlan(const Output& output, const Json& plan) {
  output.Line(fmt::format("Layout {}: {}", plan.at("version").get<uint64_t>(),
                          fmt::join(plan.at("changes").get<std::vector<std::string>>(), ", ")));
  const auto percent = [](const Json& share) {
    return fmt::format("{:.1f}%", share.get<double>());
  };
  std::vector<std::vector<std::string>> rows = {
      {"node", "zone", "weight", "share now", "share then", "change"}};
  for (const Json& member : plan.at("members")) {
    const std::string zone = member.at("zone").get<std::string>();
    rows.push_back({member.at("name").get<std::string>(), zone.empty() ? "-" : zone,
                    fmt::format("{}", member.at("weight").get<uint64_t>()),
                    percent(member.at("percent_before")), percent(member.at("percent_after")),
                    member.at("change").get<std::string>()});
  }
  for (const std::string& line : FormatTable(rows)) output.Line(line);
  output.Line("");
  rows = {{"from", "to", "partitions", "about"}};
  for (const Json& move : plan.at("moves")) {
    const Json& bytes = move.at("bytes");
    rows.push_back({move.at("from").get<std::string>(), move.at("to").get<std::string>(),
                    fmt::format("{}", move.at("partitions").get<uint64_t>()),
                    bytes.is_number() ? FormatBytes(bytes.get<uint64_t>()) : "-"});
  }
  if (rows.size() == 1) {
    output.Line("No data moves.");
  } else {
    for (const std::string& line : FormatTable(rows)) output.Line(line);
    const Json& seconds = plan.at("seconds_least");
    if (seconds.is_number() && seconds.get<uint64_t>() > 0) {
      output.Line(
          fmt::format("At least {}, at {} a second for each node (bytes_per_second); more "
                      "while clients feel it.",
                      FormatSeconds(seconds.get<uint64_t>()),
                      FormatBytes(plan.at("bytes_per_second").get<uint64_t>())));
    }
  }
  for (const Json& warning : plan.at("warnings")) {
    output.Line("Warning: " + warning.get<std::string>());
  }
}

// True: go on.
bool Confirm(const std::string& question) {
  std::cerr << question << " [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Json ChangesOf(const ChangeOptions& options) {
  Json changes = Json::array();
  for (const std::string& lost : options.lost) {
    changes.push_back({{"kind", "remove"}, {"node", lost}});
  }
  if (!options.lost.empty()) return changes;
  Json change = {{"kind", options.kind}, {"node", options.node}};
  if (options.force) change["kind"] = options.kind == "replace" ? "replace_lost" : "remove";
  if (options.kind == "replace") change["by"] = options.by;
  if (options.kind == "weight") change["weight"] = options.weight;
  if (options.kind == "zone") change["zone"] = options.zone;
  changes.push_back(std::move(change));
  return changes;
}

// Asks one member for a plan, and adds to it what the others know.
Result<Json> AskPlan(const GlobalOptions& global, const wire::NodeStatus& status,
                     const std::string& call, const Json& arguments) {
  auto plan = AskOne(global, AddressOfSelf(status), call, arguments);
  if (!plan) return std::unexpected(plan.error());
  try {
    const auto bytes_of_replica = BytesOfReplica(global, status, *plan);
    return WithEstimates(*std::move(plan), bytes_of_replica);
  } catch (const Json::exception&) {
    return std::unexpected(kUnreadable);
  }
}

// `json`: whether the plan is what is answered, and not only shown on the way to something else.
ExitCode ShowPlan(const Output& output, const Json& plan, bool json) {
  try {
    if (output.json()) {
      if (json) output.Json(plan);
    } else if (json || !output.quiet()) {
      PrintPlan(output, plan);
    }
  } catch (const Json::exception&) {
    return output.Fail(kUnreadable);
  }
  return ExitCode::kOk;
}

// Nothing: go on.
std::optional<ExitCode> AskToGoOn(const Output& output, bool yes, const std::string& question,
                                  const std::string& to_look) {
  if (yes) return std::nullopt;
  if (isatty(STDIN_FILENO) == 0) {
    return output.Fail(ExitCode::kUsage, "invalid_argument",
                       fmt::format("nothing was changed: say --yes to go on, or {}", to_look));
  }
  if (Confirm(question)) return std::nullopt;
  output.Note("Nothing was changed.");
  return ExitCode::kOk;
}

ExitCode Ordered(const GlobalOptions& global, const wire::NodeStatus& status, const Json& answer,
                 bool wait) {
  if (wait) return WaitUntilSettled(global, AddressesOfMembers(status));
  if (global.output.json()) {
    global.output.Json(answer);
  } else {
    global.output.Line(
        "Ordered: 'eddyctl transfers' shows how far it is, 'eddyctl cluster wait' waits.");
  }
  return ExitCode::kOk;
}

ExitCode Stage(const GlobalOptions& global, const ChangeOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  Json arguments = {{"changes", ChangesOf(options)}};
  if (options.plan) arguments["staged"] = true;
  const auto plan =
      AskPlan(global, *status, options.plan ? "cluster.plan" : "cluster.stage", arguments);
  if (!plan) return output.Fail(plan.error());
  if (const ExitCode shown = ShowPlan(output, *plan, true); shown != ExitCode::kOk) return shown;
  if (!options.plan) {
    output.Note(
        "Staged, and nothing has changed yet: 'eddyctl cluster commit' makes all that is staged, "
        "'eddyctl cluster clear' drops it.");
  }
  return ExitCode::kOk;
}

// This change alone, whatever is staged.
ExitCode ChangeNow(const GlobalOptions& global, const ChangeOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const Json arguments = {{"changes", ChangesOf(options)}};
  const auto plan = AskPlan(global, *status, "cluster.plan", arguments);
  if (!plan) return output.Fail(plan.error());
  const ExitCode shown = ShowPlan(output, *plan, options.plan);
  if (options.plan || shown != ExitCode::kOk) return shown;
  if (!options.lost.empty()) {
    output.Note(fmt::format(
        "{0} and what only they hold are given up WITHOUT A VOTE. Only for a majority that is lost "
        "for ever: if they run on somewhere, or a second node is told the same, the cluster falls "
        "into two that refuse each other. Make sure that {0} can never start again.",
        fmt::join(options.lost, ", ")));
  }
  if (const auto ended = AskToGoOn(output, options.yes, "Make this change?", "--plan to look"))
    return *ended;
  const auto ordered = AskOne(global, AddressOfSelf(*status),
                              options.lost.empty() ? "cluster.order" : "cluster.force", arguments);
  if (!ordered) return output.Fail(ordered.error());
  return Ordered(global, *status, *ordered, options.wait);
}

ExitCode Change(const GlobalOptions& global, const ChangeOptions& options) {
  if (options.yes && !options.plan) return ChangeNow(global, options);
  if (options.wait && !options.plan) {
    return global.output.Fail(ExitCode::kUsage, "invalid_argument",
                              "nothing was changed: --wait needs --yes, which makes the change at "
                              "once; what is only staged, 'eddyctl cluster commit --wait' makes");
  }
  return Stage(global, options);
}

// --- what is staged

ExitCode Plan(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto plan = AskPlan(global, *status, "cluster.plan", Json::object());
  if (!plan) return output.Fail(plan.error());
  if (!output.json() && plan->at("changes").empty()) {
    output.Line("Nothing is staged.");
    return ExitCode::kOk;
  }
  return ShowPlan(output, *plan, true);
}

ExitCode Commit(const GlobalOptions& global, const ChangeOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto plan = AskPlan(global, *status, "cluster.plan", Json::object());
  if (!plan) return output.Fail(plan.error());
  if (plan->at("changes").empty()) {
    return output.Fail({Code::kConflict,
                        "nothing is staged, so nothing was changed: stage a change first, as "
                        "'eddyctl cluster leave NODE' does"});
  }
  if (const ExitCode shown = ShowPlan(output, *plan, false); shown != ExitCode::kOk) return shown;
  if (const auto ended = AskToGoOn(output, options.yes, "Make these changes?",
                                   "look again with 'eddyctl cluster plan'"))
    return *ended;
  const auto ordered =
      AskOne(global, AddressOfSelf(*status), "cluster.commit", {{"digest", plan->at("digest")}});
  if (!ordered) return output.Fail(ordered.error());
  return Ordered(global, *status, *ordered, options.wait);
}

ExitCode Clear(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto cleared = AskOne(global, AddressOfSelf(*status), "cluster.clear", Json::object());
  if (!cleared) return output.Fail(cleared.error());
  if (output.json()) {
    output.Json(*cleared);
  } else {
    const uint64_t count = cleared->value("cleared", uint64_t{0});
    output.Line(count == 0 ? std::string("Nothing was staged.")
                           : fmt::format("Dropped {} staged change{}; the cluster is as it was.",
                                         count, count == 1 ? "" : "s"));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddChangeCommands(CLI::App* app, Commands* commands) {
  CLI::App* cluster = app->add_subcommand("cluster", "Change who belongs to the cluster");
  cluster->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& kind,
                       const std::string& description) {
    CLI::App* verb = cluster->add_subcommand(name, description);
    const auto options = std::make_shared<ChangeOptions>();
    options->kind = kind;
    verb->add_option("NODE", options->node, "The node's name")->required()->option_text(" ");
    verb->add_flag("--plan", options->plan, "Show what would come of it, and change nothing");
    verb->add_flag("--yes", options->yes, "Make it at once, alone, and do not stage it");
    verb->add_flag("--wait", options->wait, "With --yes: wait until the data has moved");
    (*commands)[verb] = [options](const GlobalOptions& global) { return Change(global, *options); };
    return std::pair(verb, options);
  };
  add("join", "join", "Let a node in that asks to join (where auto_join is off)");
  const auto [leave, leaving] =
      add("leave", "leave", "Let a node go once others hold what it holds");
  leave->add_flag("--force", leaving->force, "Of a node that is lost for ever: at once");
  const auto [replace, replacing] =
      add("replace", "replace", "Let a node take over what another one holds, which then goes");
  replace->add_option("NEW", replacing->by, "The node that takes over: one that asks to join")
      ->required()
      ->option_text(" ");
  replace->add_flag("--force", replacing->force, "Of a node that is lost for ever: at once");
  const auto [weight, weighing] =
      add("set-weight", "weight", "Give a node more or less of the data");
  weight->add_option("WEIGHT", weighing->weight, "Relative to the others' (100 by default)")
      ->required()
      ->check(CLI::Range(uint32_t{1}, ring::kMemberWeightMax).description(""))
      ->option_text(" ");
  const auto [zone, zoning] = add("set-zone", "zone", "Say what a node fails together with");
  zone->add_option("ZONE", zoning->zone, "The zone's name")->required()->option_text(" ");

  CLI::App* force = cluster->add_subcommand(
      "force-layout", "Give up members without a vote, where a majority is lost for ever");
  const auto forcing = std::make_shared<ChangeOptions>();
  force->add_option("--lost", forcing->lost, "The members that are lost, with commas")
      ->required()
      ->delimiter(',')
      ->option_text("NODE,..");
  force->add_flag("--plan", forcing->plan, "Show what would come of it, and change nothing");
  force->add_flag("--yes", forcing->yes, "Do not ask");
  force->add_flag("--wait", forcing->wait, "Wait until the data has moved");
  (*commands)[force] = [forcing](const GlobalOptions& global) {
    return ChangeNow(global, *forcing);
  };

  CLI::App* plan = cluster->add_subcommand("plan", "Show what is staged and what would come of it");
  (*commands)[plan] = [](const GlobalOptions& global) { return Plan(global); };
  CLI::App* commit = cluster->add_subcommand("commit", "Make all that is staged, as one layout");
  const auto committing = std::make_shared<ChangeOptions>();
  commit->add_flag("--yes", committing->yes, "Do not ask");
  commit->add_flag("--wait", committing->wait, "Wait until the data has moved");
  (*commands)[commit] = [committing](const GlobalOptions& global) {
    return Commit(global, *committing);
  };
  CLI::App* clear = cluster->add_subcommand("clear", "Drop all that is staged");
  (*commands)[clear] = [](const GlobalOptions& global) { return Clear(global); };

  CLI::App* wait =
      cluster->add_subcommand("wait", "Wait until every member holds what the layout gives it");
  (*commands)[wait] = [](const GlobalOptions& global) { return Wait(global); };
}

}  // namespace eddy::tools
