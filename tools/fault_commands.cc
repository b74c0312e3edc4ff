// faults set, faults show: what breaks one node's network, clock and disk on purpose, where it was
// started so that it may be.
#include <cstdint>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/session.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

Result<Json> AskNode(const GlobalOptions& global, const std::string& call, const Json& arguments) {
  const auto addresses = AddressesOf(global);
  if (!addresses) return std::unexpected(addresses.error());
  const auto said = AskAdminOfAll(global, {addresses->front()}, call, arguments.dump());
  if (!said[0]) return std::unexpected(said[0].error());
  return Json::parse(*said[0], nullptr, false);
}

struct FaultOptions {
  std::string rules;
  int64_t clock_offset_ms = 0;
  bool disk_full = false;
};

ExitCode SetFaults(const GlobalOptions& global, const FaultOptions& options) {
  const Output& output = global.output;
  const Json rules = Json::parse(options.rules, nullptr, false);
  if (!rules.is_array()) {
    return output.Fail(ExitCode::kUsage, CodeName(Code::kInvalidArgument),
                       "RULES must be a JSON list, such as '[{\"peer\":\"n3\",\"drop\":true}]'; an "
                       "empty one ends all faults");
  }
  const auto done = AskNode(global, "fault.set",
                            {{"rules", rules},
                             {"clock_offset_ms", options.clock_offset_ms},
                             {"disk_full", options.disk_full}});
  if (!done) return output.Fail(done.error());
  if (output.json()) {
    output.Json(*done);
  } else {
    const bool machine = options.clock_offset_ms != 0 || options.disk_full;
    if (rules.empty() && !machine) output.Line("no faults any more");
    if (!rules.empty()) output.Line(fmt::format("{} rules are in force", rules.size()));
    if (machine) output.Line("what is wrong with the node's own machine is in force");
  }
  return ExitCode::kOk;
}

ExitCode ShowFaults(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto shown = AskNode(global, "fault.show", Json::object());
  if (!shown) return output.Fail(shown.error());
  if (output.json()) {
    output.Json(*shown);
    return ExitCode::kOk;
  }
  for (const Json& rule : shown->value("rules", Json::array())) output.Line(rule.dump());
  if (const auto offset = shown->value("clock_offset_ms", int64_t{0}); offset != 0) {
    output.Line(fmt::format("its clock is off by {:+} ms", offset));
  }
  if (shown->value("disk_full", false)) output.Line("its disk is full");
  output.Line(fmt::format("{} messages dropped, {} lost, {} delayed since the start",
                          shown->value("dropped", uint64_t{0}), shown->value("lost", uint64_t{0}),
                          shown->value("delayed", uint64_t{0})));
  return ExitCode::kOk;
}

}  // namespace

void AddFaultCommands(CLI::App* app, Commands* commands) {
  CLI::App* faults =
      app->add_subcommand("faults", "Break one node of a test cluster, and its network, by hand");
  faults->require_subcommand(1);
  CLI::App* set = faults->add_subcommand(
      "set", "These faults and no others, of a node started with --enable-fault-injection");
  const auto options = std::make_shared<FaultOptions>();
  set->add_option("RULES", options->rules,
                  "JSON list of objects: peer (name or HOST:PORT of its peer door), way (in, out, "
                  "both), drop, lose_per_mille, delay_ms")
      ->required();
  set->add_option("--clock-offset", options->clock_offset_ms,
                  "How far the node's wall clock is off, negative: behind [0]")
      ->option_text("MILLISECONDS");
  set->add_flag("--disk-full", options->disk_full, "Nothing of its disk is free");
  (*commands)[set] = [options](const GlobalOptions& global) { return SetFaults(global, *options); };
  CLI::App* show = faults->add_subcommand("show", "The faults in force, and what they did");
  (*commands)[show] = [](const GlobalOptions& global) { return ShowFaults(global); };
}

}  // namespace eddy::tools
