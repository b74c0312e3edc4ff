// members, cluster ..: who belongs to the cluster, and changing it. A change is shown before it is
// ordered; that it is made, and that the data has moved, can be waited for.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kLookEvery = std::chrono::milliseconds(250);
// What a node moves in a second where nobody has set another limit (bytes_per_second).
constexpr uint64_t kMovedPerSecond = uint64_t{64} << 20;

const Error kUnreadable{Code::kCorruption, "the node answers what this eddyctl cannot read"};

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

// What one node says to a call, as an object.
Result<Json> AskOne(const GlobalOptions& global, const client::Address& address,
                    const std::string& call, const Json& arguments) {
  auto answer = std::move(AskAdminOfAll(global, {address}, call, arguments.dump()).front());
  if (!answer) return std::unexpected(answer.error());
  Json json = Json::parse(*answer, nullptr, false);
  if (!json.is_object()) return std::unexpected(kUnreadable);
  return json;
}

std::vector<client::Address> AddressesOfMembers(const wire::NodeStatus& status) {
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : CurrentMembers(status)) {
    addresses.push_back({.host = member.doors.host, .port = member.doors.native});
  }
  return addresses;
}

client::Address AddressOfSelf(const wire::NodeStatus& status) {
  for (const wire::MemberStatus& member : status.members) {
    if (member.id == status.node) return {.host = member.doors.host, .port = member.doors.native};
  }
  return {};
}

// --- members

std::string Standing(const Json& member, uint64_t newest) {
  if (member.at("leaving").get<bool>()) return "leaving";
  return member.at("synced").get<uint64_t>() < newest ? "filling" : "member";
}

// How the node that was asked sees another one.
std::string State(const Json& member) {
  const std::string gossip = member.value("gossip", "unknown");
  if (gossip == "dead") return "DEAD";
  if (gossip == "stopped") return "STOPPED";
  if (!member.at("reachable").get<bool>()) return "UNREACHABLE";
  return gossip == "suspect" ? "suspect" : "alive";
}

ExitCode ShowMembers(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  auto shown = AskOne(global, AddressOfSelf(*status), "cluster.show", Json::object());
  if (!shown) return output.Fail(shown.error());
  try {
    const Json& members = shown->at("members");
    if (output.json()) {
      output.Json(*shown);
      return ExitCode::kOk;
    }
    uint64_t newest = 0;
    uint64_t replicas = 0;
    for (const Json& version : shown->at("versions")) newest = version.get<uint64_t>();
    for (const Json& member : members) replicas += member.at("replicas").get<uint64_t>();
    std::vector<std::vector<std::string>> rows = {
        {"node", "id", "state", "standing", "zone", "weight", "share", "layout"}};
    std::vector<Json> sorted(members.begin(), members.end());
    std::ranges::sort(sorted, {},
                      [](const Json& member) { return member.at("name").get<std::string>(); });
    for (const Json& member : sorted) {
      const auto held = static_cast<double>(member.at("replicas").get<uint64_t>());
      const std::string zone = member.at("zone").get<std::string>();
      rows.push_back(
          {member.at("name").get<std::string>(), member.at("id").get<std::string>().substr(0, 8),
           State(member), Standing(member, newest), zone.empty() ? "-" : zone,
           fmt::format("{}", member.at("weight").get<uint64_t>()),
           fmt::format("{:.1f}%", replicas == 0 ? 0.0 : 100 * held / static_cast<double>(replicas)),
           fmt::format("{}", member.at("reading").get<uint64_t>())});
    }
    for (const std::string& line : FormatTable(rows)) output.Line(line);
    const size_t live = shown->at("versions").size();
    if (live > 1) {
      output.Line(
          fmt::format("Layout {} is being filled: writes go by {} layouts, reads by {}; "
                      "'eddyctl cluster wait' waits for the end.",
                      newest, live, shown->at("reading").get<uint64_t>()));
    }
    for (const Json& order : shown->at("orders")) {
      output.Line("Waits to be done: " + order.get<std::string>());
    }
    for (const Json& asker : shown->at("askers")) {
      const std::string name = asker.get<std::string>();
      const bool is_taken = std::ranges::any_of(
          members, [&](const Json& member) { return member.at("name") == name; });
      if (is_taken) {
        output.Line(
            fmt::format("{0} asks to join, and there is a {0} already: if that one is lost "
                        "for ever, 'eddyctl cluster replace {0} {0} --force'",
                        name));
      } else {
        output.Line(
            fmt::format("{0} asks to join: let it in with 'eddyctl cluster join {0}', or "
                        "let it take over with 'eddyctl cluster replace NODE {0}'",
                        name));
      }
    }
    return ExitCode::kOk;
  } catch (const Json::exception&) {
    return output.Fail(kUnreadable);
  }
}

// --- waiting

// How things are, over all members that answer.
struct Moving {
  uint64_t fills = 0;
  uint64_t filled = 0;
  bool settled = true;
  uint64_t version = 0;
  std::set<std::string> awaited;
};

// Nothing, where nobody answers that is a member.
std::optional<Moving> LookAtMoves(const GlobalOptions& global,
                                  const std::vector<client::Address>& addresses) {
  Moving moving;
  std::vector<Json> answers;
  for (const auto& said : AskAdminOfAll(global, addresses, "cluster.show", "{}")) {
    if (!said) continue;
    Json json = Json::parse(*said, nullptr, false);
    if (json.is_object() && json.value("member", false)) answers.push_back(std::move(json));
  }
  if (answers.empty()) return std::nullopt;
  const Json* newest = nullptr;
  for (const Json& answer : answers) {
    const uint64_t version = answer.at("versions").back().get<uint64_t>();
    if (newest == nullptr || version > moving.version) newest = &answer;
    moving.version = std::max(moving.version, version);
  }
  for (const Json& answer : answers) {
    moving.fills += answer.at("fills").get<uint64_t>();
    moving.filled += answer.at("filled").get<uint64_t>();
    moving.settled = moving.settled && answer.at("versions").size() == 1 &&
                     answer.at("versions").back().get<uint64_t>() == moving.version &&
                     answer.at("orders").empty() && answer.at("handed_over").get<bool>();
  }
  for (const Json& member : newest->at("members")) {
    const bool done = member.at("reading").get<uint64_t>() == moving.version;
    if (!done) moving.awaited.insert(member.at("name").get<std::string>());
    moving.settled = moving.settled && done && !member.at("leaving").get<bool>();
  }
  return moving;
}

ExitCode WaitUntilSettled(const GlobalOptions& global, std::vector<client::Address> addresses) {
  const Output& output = global.output;
  CatchInterrupt();
  Progress progress("comparisons", output.err_is_terminal() && !output.quiet() && !output.json());
  // An order begins to show only a moment after it was given.
  int settled = 0;
  for (;;) {
    std::optional<Moving> moving;
    try {
      moving = LookAtMoves(global, addresses);
    } catch (const Json::exception&) {
      return output.Fail(kUnreadable);
    }
    if (!moving) {
      progress.Hide();
      return output.Fail({Code::kUnavailable, "no member answers"}, ExitCode::kUnhealthy);
    }
    progress.Update(moving->filled, moving->fills, moving->filled);
    settled = moving->settled ? settled + 1 : 0;
    if (settled == 3) {
      progress.Hide();
      if (output.json()) {
        output.Json({{"layout_version", moving->version}, {"settled", true}});
      } else {
        output.Line(fmt::format("Layout {} is in force, and every member holds what it gives it.",
                                moving->version));
      }
      return ExitCode::kOk;
    }
    if (Interrupted()) {
      progress.Hide();
      output.Note(fmt::format("Not done yet, and it goes on without this command; waiting for {}",
                              moving->awaited.empty()
                                  ? "old owners to hand over"
                                  : fmt::format("{}", fmt::join(moving->awaited, ", "))));
      return ExitCode::kInterrupted;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

ExitCode Wait(const GlobalOptions& global) {
  const auto status = AskStatus(global);
  if (!status) return global.output.Fail(status.error());
  return WaitUntilSettled(global, AddressesOfMembers(*status));
}

// --- changes

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
  for (Json& move : plan.at("moves")) {
    move["bytes"] = nullptr;
    if (bytes_of_replica) {
      move["bytes"] = move.at("partitions").get<uint64_t>() * *bytes_of_replica;
    }
  }
  return plan;
}

void ShowPlan(const Output& output, const Json& plan) {
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
  std::map<std::string, uint64_t> received;
  rows = {{"from", "to", "partitions", "about"}};
  for (const Json& move : plan.at("moves")) {
    const bool is_known = move.at("bytes").is_number();
    const uint64_t bytes = is_known ? move.at("bytes").get<uint64_t>() : 0;
    received[move.at("to").get<std::string>()] += bytes;
    rows.push_back({move.at("from").get<std::string>(), move.at("to").get<std::string>(),
                    fmt::format("{}", move.at("partitions").get<uint64_t>()),
                    is_known ? FormatBytes(bytes) : "-"});
  }
  if (rows.size() == 1) {
    output.Line("No data moves.");
  } else {
    for (const std::string& line : FormatTable(rows)) output.Line(line);
    uint64_t most = 0;
    for (const auto& [name, bytes] : received) most = std::max(most, bytes);
    if (most > 0)
      output.Line(fmt::format("At least {} where nodes move {} a second (bytes_per_second).",
                              FormatSeconds(most / kMovedPerSecond + 1),
                              FormatBytes(kMovedPerSecond)));
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

// What may go wrong with it, for those who do not know yet.
std::string RiskOf(const ChangeOptions& options) {
  if (!options.lost.empty()) {
    return fmt::format(
        "{0} and what only they hold are given up WITHOUT A VOTE. Only for a majority that is lost "
        "for ever: if they run on somewhere, or a second node is told the same, the cluster falls "
        "into two that refuse each other. Make sure that {0} can never start again.",
        fmt::join(options.lost, ", "));
  }
  if (options.force) {
    return fmt::format(
        "{0} hands nothing over: what only it holds is lost. A node that may come back should {1} "
        "without --force.",
        options.node, options.kind == "replace" ? "be replaced" : "leave");
  }
  return {};
}

ExitCode Change(const GlobalOptions& global, const ChangeOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const Json arguments = {{"changes", ChangesOf(options)}};
  const client::Address address = AddressOfSelf(*status);
  auto plan = AskOne(global, address, "cluster.plan", arguments);
  if (!plan) return output.Fail(plan.error());
  try {
    const auto bytes_of_replica = BytesOfReplica(global, *status, *plan);
    *plan = WithEstimates(*std::move(plan), bytes_of_replica);
    if (options.plan && output.json()) output.Json(*plan);
    if (!output.json() && (options.plan || !output.quiet())) ShowPlan(output, *plan);
    if (options.plan) return ExitCode::kOk;
  } catch (const Json::exception&) {
    return output.Fail(kUnreadable);
  }
  if (const std::string risk = RiskOf(options); !risk.empty()) output.Note(risk);
  if (!options.yes) {
    if (isatty(STDIN_FILENO) == 0) {
      return output.Fail(ExitCode::kUsage, "invalid_argument",
                         "nothing was changed: say --yes to make this change, or --plan to see it");
    }
    if (!Confirm("Make this change?")) {
      output.Note("Nothing was changed.");
      return ExitCode::kOk;
    }
  }
  const auto ordered =
      AskOne(global, address, options.lost.empty() ? "cluster.order" : "cluster.force", arguments);
  if (!ordered) return output.Fail(ordered.error());
  if (options.wait) return WaitUntilSettled(global, AddressesOfMembers(*status));
  if (output.json()) {
    output.Json(*ordered);
  } else {
    output.Line("Ordered: 'eddyctl members' shows how far it is, 'eddyctl cluster wait' waits.");
  }
  return ExitCode::kOk;
}

}  // namespace

void AddMemberCommands(CLI::App* app, Commands* commands) {
  CLI::App* members =
      app->add_subcommand("members", "Who belongs to the cluster, and how far it is");
  (*commands)[members] = [](const GlobalOptions& global) { return ShowMembers(global); };

  CLI::App* cluster = app->add_subcommand("cluster", "Change who belongs to the cluster");
  cluster->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& kind,
                       const std::string& description) {
    CLI::App* verb = cluster->add_subcommand(name, description);
    const auto options = std::make_shared<ChangeOptions>();
    options->kind = kind;
    verb->add_option("NODE", options->node, "The node's name")->required()->option_text(" ");
    verb->add_flag("--plan", options->plan, "Show what would come of it, and change nothing");
    verb->add_flag("--yes", options->yes, "Do not ask");
    verb->add_flag("--wait", options->wait, "Wait until the data has moved");
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
  (*commands)[force] = [forcing](const GlobalOptions& global) { return Change(global, *forcing); };

  CLI::App* wait =
      cluster->add_subcommand("wait", "Wait until every member holds what the layout gives it");
  (*commands)[wait] = [](const GlobalOptions& global) { return Wait(global); };
}

}  // namespace eddy::tools
