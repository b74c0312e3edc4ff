// transfers: what the cluster is moving, from whom to whom, and how far it is.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/member_calls.h"
#include "tools/session.h"
#include "tools/transfers.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct TransfersOptions {
  bool watch = false;
  bool wait = false;
};

ExitCode ShowTransfers(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto said = AskAdminOfAll(global, AddressesOfMembers(*status), "cluster.transfers", "{}");
  std::vector<std::pair<std::string, Json>> answers;
  const auto members = CurrentMembers(*status);
  for (size_t i = 0; i < said.size(); ++i) {
    answers.emplace_back(members[i].name,
                         said[i] ? Json::parse(*said[i], nullptr, false) : Json(nullptr));
  }
  try {
    const Json transfers = MergeTransfers(answers);
    if (output.json()) {
      output.Json(transfers);
    } else {
      for (const std::string& line : DescribeTransfers(transfers)) output.Line(line);
    }
    return transfers.at("silent").empty() ? ExitCode::kOk : ExitCode::kUnhealthy;
  } catch (const Json::exception&) {
    return output.Fail(kUnreadable);
  }
}

ExitCode Transfers(const GlobalOptions& global, const TransfersOptions& options) {
  if (options.watch) return Watch(global, [&] { return ShowTransfers(global); });
  if (!options.wait) return ShowTransfers(global);
  const auto status = AskStatus(global);
  if (!status) return global.output.Fail(status.error());
  return WaitUntilSettled(global, AddressesOfMembers(*status));
}

}  // namespace

void AddTransfersCommand(CLI::App* app, Commands* commands) {
  CLI::App* transfers =
      app->add_subcommand("transfers", "What the cluster is moving, and how far it is");
  const auto options = std::make_shared<TransfersOptions>();
  CLI::Option* watch = transfers->add_flag("--watch", options->watch, kWatchHelp);
  transfers->add_flag("--wait", options->wait, "Return when all has moved, as cluster wait does")
      ->excludes(watch);
  (*commands)[transfers] = [options](const GlobalOptions& global) {
    return Transfers(global, *options);
  };
}

}  // namespace eddy::tools
