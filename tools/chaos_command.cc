// chaos: breaks a cluster of its own on purpose, and judges what became of its promises.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/chaos_docker.h"
#include "tools/chaos_processes.h"
#include "tools/chaos_report.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/neighbour.h"

namespace eddy::tools {

namespace {

namespace fs = std::filesystem;

constexpr uint32_t kSecondsMax = 3600;
constexpr uint32_t kRateMax = 2000;
constexpr auto kTellEvery = std::chrono::seconds(5);  // where a terminal is not watching

struct ChaosFlags {
  ChaosOptions options;
  uint32_t seconds = 300;
  std::string eddyd;
  bool docker = false;
  std::string compose = "docker";
  std::string report = ".";
  bool keep = false;
};

bool WriteFile(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return !file.fail();
}

// Progress on one line of a terminal; elsewhere a line now and then.
class Teller {
 public:
  explicit Teller(const Output& output) : output_(output) {}

  void Tell(const std::string& line) {
    if (output_.quiet()) return;
    if (output_.err_is_terminal()) {
      fmt::print(stderr, "\r\033[K{}", line.substr(0, 118));
      std::fflush(stderr);
      open_ = true;
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kTellEvery;
    output_.Note(line);
  }
  void End() {
    if (open_) fmt::print(stderr, "\r\033[K");
    open_ = false;
  }

 private:
  const Output& output_;
  std::chrono::steady_clock::time_point next_;
  bool open_ = false;
};

Result<std::unique_ptr<ChaosMachines>> MachinesOf(const ChaosFlags& flags,
                                                  const std::string& directory) {
  if (flags.docker) {
    return ChaosDocker::Open({.compose_directory = flags.compose, .directory = directory});
  }
  std::string eddyd = flags.eddyd.empty() ? NeighbourEddyd() : flags.eddyd;
  if (access(eddyd.c_str(), X_OK) != 0) {
    return Fail(Code::kInvalidArgument,
                fmt::format("there is no program {}: name it with --eddyd", eddyd));
  }
  return std::make_unique<ChaosProcesses>(std::move(eddyd), directory);
}

// The report's files, and what is said of them.
ExitCode Tell(const Output& output, const ChaosFlags& flags, const ChaosReport& report) {
  const auto json = ChaosReportJson(report);
  const fs::path base(flags.report);
  if (!WriteFile(base / "report.json", json.dump(1) + "\n") ||
      !WriteFile(base / "report.html", ChaosReportHtml(json))) {
    return output.Fail(
        {Code::kIo, fmt::format("the report cannot be written to {}", flags.report)});
  }
  for (const std::string& crash : report.outcome.crashes) output.Note(crash);
  for (const ChaosViolation& violation : report.verdict.violations) {
    output.Note(fmt::format("not \"{}\": {}", violation.promise, violation.text));
  }
  output.Note(fmt::format("Report: {} and report.json", (base / "report.html").string()));
  if (output.json()) {
    output.Json(json);
  } else {
    output.Line(ChaosVerdictLine(report));
  }
  return ChaosKept(report) ? ExitCode::kOk : ExitCode::kBroken;
}

ExitCode Chaos(const GlobalOptions& global, ChaosFlags flags) {
  const Output& output = global.output;
  ChaosOptions& options = flags.options;
  options.seconds = std::chrono::seconds(flags.seconds);
  std::error_code failed;
  fs::create_directories(flags.report, failed);
  if (failed) {
    return output.Fail(
        {Code::kIo, fmt::format("{} cannot be made: {}", flags.report, failed.message())});
  }
  const auto directory = MakeTemporaryDirectory("eddy-chaos");
  if (!directory) return output.Fail(directory.error());
  CatchInterrupt();
  auto machines = MachinesOf(flags, *directory);
  if (!machines) {
    fs::remove_all(*directory, failed);
    return output.Fail(machines.error());
  }

  Teller teller(output);
  ChaosReport report{.options = options,
                     .machines = flags.docker ? "containers" : "processes",
                     .outcome = {},
                     .verdict = {}};
  auto outcome =
      RunChaos(options, machines->get(), [&](const std::string& line) { teller.Tell(line); });
  if (outcome) {
    report.outcome = *std::move(outcome);
    teller.Tell("judging");
    report.verdict = JudgeChaos(report.outcome.history, report.outcome.converged_in.has_value());
  }
  const bool keep = flags.keep || !outcome || !ChaosKept(report);
  if (keep) {
    if (Status ok = (*machines)->Collect(); !ok) output.Note(ok.error().text);
  }
  teller.Tell("taking the cluster away");
  if (Status ok = (*machines)->Remove(); !ok) output.Note(ok.error().text);
  teller.End();
  if (keep) {
    output.Note(fmt::format("Data and logs of the nodes: {}", *directory));
  } else {
    fs::remove_all(*directory, failed);
  }
  return outcome ? Tell(output, flags, report) : output.Fail(outcome.error(), ExitCode::kFailed);
}

}  // namespace

void AddChaosCommand(CLI::App* app, Commands* commands) {
  CLI::App* verb = app->add_subcommand(
      "chaos", "Break a cluster of its own on purpose, and judge whether its promises hold");
  const auto flags = std::make_shared<ChaosFlags>();
  verb->add_option("--seconds", flags->seconds, "How long to break things [300]")
      ->check(CLI::Range(1U, kSecondsMax).description(""))
      ->option_text("COUNT");
  verb->add_option("--seed", flags->options.seed, "Of the faults and the clients [1]")
      ->option_text("NUMBER");
  verb->add_option("--nodes", flags->options.nodes, "How many nodes the cluster begins with [5]")
      ->check(CLI::Range(3U, static_cast<uint32_t>(kChaosNodesMax)).description(""))
      ->option_text("COUNT");
  verb->add_option("--clients", flags->options.clients, "How many clients there are [32]")
      ->check(CLI::Range(4U, 256U).description(""))
      ->option_text("COUNT");
  verb->add_option("--rate", flags->options.rate,
                   "How many operations they begin a second, all together [600]")
      ->check(CLI::Range(1U, kRateMax).description(""))
      ->option_text("COUNT");
  auto* eddyd = verb->add_option("--eddyd", flags->eddyd, "The daemon [that beside this eddyctl]")
                    ->option_text("FILE");
  auto* docker =
      verb->add_flag("--docker", flags->docker,
                     "Nodes are containers of the image eddy, in a Compose project of their own")
          ->excludes(eddyd)
          ->option_text(" ");
  verb->add_option("--compose", flags->compose,
                   "Where the source tree's compose.yml and chaos.yml are [docker]")
      ->needs(docker)
      ->option_text("DIRECTORY");
  verb->add_option("--report", flags->report, "Where report.json and report.html go [.]")
      ->option_text("DIRECTORY");
  verb->add_flag("--keep", flags->keep, "Keep the nodes' data and logs, even if all went well");
  (*commands)[verb] = [flags](const GlobalOptions& global) { return Chaos(global, *flags); };
}

}  // namespace eddy::tools
