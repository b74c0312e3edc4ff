// members: who belongs to the cluster, and how far it is with its changes.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/member_calls.h"
#include "tools/session.h"
#include "tools/table.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

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
    for (const Json& change : shown->value("staged", Json::array())) {
      output.Line("Staged, see 'eddyctl cluster plan': " + change.get<std::string>());
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

}  // namespace

void AddMemberCommands(CLI::App* app, Commands* commands) {
  CLI::App* members =
      app->add_subcommand("members", "Who belongs to the cluster, and how far it is");
  const auto watch = std::make_shared<bool>(false);
  members->add_flag("--watch", *watch, kWatchHelp);
  (*commands)[members] = [watch](const GlobalOptions& global) {
    return *watch ? Watch(global, [&] { return ShowMembers(global); }) : ShowMembers(global);
  };
}

}  // namespace eddy::tools
