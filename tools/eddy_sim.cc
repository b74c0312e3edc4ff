// eddy-sim: lives through simulated clusters, one a seed, and says whether every promise was kept.
// The same seed gives the same run on every machine; --trace tells its story, and --minimize makes
// it shorter.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "sim/cluster.h"
#include "sim/minimize.h"
#include "sim/mutants.h"
#include "sim/scenario_run.h"

namespace eddy::sim {
namespace {

// How eddy-sim ends.
constexpr int kKept = 0;    // every promise of every seed
constexpr int kBroken = 1;  // one was broken; the output says how to see it again
constexpr int kUsage = 2;   // the command line is wrong

struct Options {
  std::optional<uint64_t> seed;
  std::string seeds;
  uint64_t seconds = 20;
  std::optional<uint32_t> nodes;
  std::optional<uint32_t> rate;
  std::string plant;
  std::vector<std::string> without;
  std::vector<std::string> scenarios;
  uint64_t minutes = 0;
  unsigned jobs = 0;  // 0: one a core
  bool mutants = false;
  uint64_t seeds_max = 5'000;
  bool minimize = false;
  bool trace = false;
  bool json = false;

  uint64_t first = 1;
  uint64_t last = 2'000;
};

std::string HashText(uint64_t hash) { return fmt::format("{:016x}", hash); }

PlantedBug PlantedOf(const Options& options) {
  const auto found = std::ranges::find(kPlantedBugNames, options.plant);
  return found == kPlantedBugNames.end()
             ? PlantedBug::kNone
             : static_cast<PlantedBug>(found - kPlantedBugNames.begin());
}

Trace::Listener ListenerOf(const Options& options) {
  if (!options.trace) return {};
  return [](std::string_view line) { fmt::print("{}\n", line); };
}

RunOptions RunOptionsOf(const Options& options, uint64_t seed) {
  RunOptions run;
  run.plan =
      PlanOptions{.seed = seed, .nodes = options.nodes, .operations_per_second = options.rate};
  run.length = std::chrono::seconds(options.seconds);
  for (size_t kind = 0; kind < kFaults; ++kind) {
    run.plan.without[kind] =
        std::ranges::find(options.without, kFaultNames[kind]) != options.without.end();
  }
  run.bug = PlantedOf(options);
  run.listener = ListenerOf(options);
  return run;
}

// The sums of many runs, in whole numbers: they are the same in whatever order the runs end.
struct Totals {
  uint64_t runs = 0;
  Report sum;

  void Add(const Report& report) {
    ++runs;
    sum.trace_hash += report.trace_hash;
    sum.simulated += report.simulated;
    sum.events += report.events;
    sum.messages += report.messages;
    sum.operations += report.operations;
    sum.done += report.done;
    sum.not_done += report.not_done;
    sum.unknown += report.unknown;
    sum.replies_checked += report.replies_checked;
    for (size_t kind = 0; kind < kFaults; ++kind) sum.faults[kind] += report.faults[kind];
    for (const auto& [name, value] : report.counters) sum.counters[name] += value;
  }
};

double SecondsOf(const Report& report) {
  return std::chrono::duration<double>(report.simulated).count();
}

nlohmann::ordered_json JsonOf(const Report& report) {
  nlohmann::ordered_json json;
  json["simulated_seconds"] = SecondsOf(report);
  json["events"] = report.events;
  json["messages"] = report.messages;
  json["operations"] = report.operations;
  json["done"] = report.done;
  json["not_done"] = report.not_done;
  json["unknown"] = report.unknown;
  json["replies_checked"] = report.replies_checked;
  for (size_t kind = 0; kind < kFaults; ++kind) {
    json["faults"][std::string(kFaultNames[kind])] = report.faults[kind];
  }
  json["counters"] = report.counters;
  return json;
}

void PrintSummary(const Report& report) {
  fmt::print("simulated {:.1f} s, {} events, {} messages\n", SecondsOf(report), report.events,
             report.messages);
  fmt::print("operations {}: {} done, {} not done, {} unknown; {} replies checked\n",
             report.operations, report.done, report.not_done, report.unknown,
             report.replies_checked);
  fmt::print("faults");
  uint64_t faults = 0;
  for (size_t kind = 0; kind < kFaults; ++kind) {
    faults += report.faults[kind];
    if (report.faults[kind] > 0) fmt::print(" {} {}", kFaultNames[kind], report.faults[kind]);
  }
  fmt::print("{}\n", faults == 0 ? " none" : "");
}

std::string Reproduction(const RunOptions& run) {
  std::string command =
      fmt::format("eddy-sim --seed {} --seconds {}", run.plan.seed,
                  std::chrono::duration_cast<std::chrono::seconds>(run.length).count());
  if (run.plan.nodes) command += fmt::format(" --nodes {}", *run.plan.nodes);
  if (run.plan.operations_per_second) {
    command += fmt::format(" --rate {}", *run.plan.operations_per_second);
  }
  std::string without;
  for (size_t kind = 0; kind < kFaults; ++kind) {
    if (!run.plan.without[kind]) continue;
    without += fmt::format("{}{}", without.empty() ? "" : ",", kFaultNames[kind]);
  }
  if (!without.empty()) command += " --without " + without;
  if (run.bug != PlantedBug::kNone) {
    command += fmt::format(" --plant {}", kPlantedBugNames[static_cast<size_t>(run.bug)]);
  }
  return command + " --trace";
}

// What is broken, and how to see it again, in a smaller run if that is asked for.
void PrintBroken(const Options& options, const RunOptions& run, const Report& report) {
  fmt::print("BROKEN in seed {}: {}\nsee it again: {}\n", report.seed, report.violation,
             Reproduction(run));
  if (!options.minimize) return;
  const bool show = isatty(STDERR_FILENO) != 0;
  const Minimized found = Minimize(run, [&](const Minimized& smaller) {
    if (show) {
      fmt::print(stderr, "\r{} runs, {} events left ", smaller.runs, smaller.report.events);
    }
  });
  if (show) fmt::print(stderr, "\n");
  fmt::print("after {} runs, with {} of {} events: {}\nsee it again: {}\n", found.runs,
             found.report.events, report.events, found.report.violation,
             Reproduction(found.options));
}

int RunOne(const Options& options) {
  const uint64_t seed = *options.seed;
  if (!options.json) fmt::print("seed {}\n", seed);
  const Report report = RunWorld(RunOptionsOf(options, seed));
  if (options.json) {
    nlohmann::ordered_json json = {{"seed", seed}, {"nodes", report.nodes}};
    json.update(JsonOf(report));
    json["violation"] = report.violation;
    json["trace_hash"] = HashText(report.trace_hash);
    fmt::print("{}\n", json.dump());
  } else {
    PrintSummary(report);
    if (!report.violation.empty()) PrintBroken(options, RunOptionsOf(options, seed), report);
    fmt::print("trace hash {}\n", HashText(report.trace_hash));
  }
  return report.violation.empty() ? kKept : kBroken;
}

unsigned JobsOf(const Options& options) {
  return options.jobs > 0 ? options.jobs : std::max(1u, std::thread::hardware_concurrency());
}

int RunMany(const Options& options) {
  Totals totals;
  const bool show = !options.json && isatty(STDERR_FILENO) != 0;
  if (!options.json) fmt::print("seeds {} to {}\n", options.first, options.last);
  std::optional<Report> broken;
  // Worlds share nothing, so each core lives through its own.
  const auto over = std::chrono::steady_clock::now() + std::chrono::minutes(options.minutes);
  std::mutex mutex;  // of all that follows
  uint64_t next = options.first;
  const auto work = [&] {
    for (;;) {
      uint64_t seed = 0;
      {
        const std::lock_guard lock(mutex);
        const bool late = options.minutes > 0 && std::chrono::steady_clock::now() >= over;
        if (broken || late || next > options.last) return;
        seed = next++;
      }
      const Report report = RunWorld(RunOptionsOf(options, seed));
      const std::lock_guard lock(mutex);
      totals.Add(report);
      // The least one counts, whichever was found first.
      if (!report.violation.empty() && (!broken || seed < broken->seed)) broken = report;
      if (show) {
        fmt::print(stderr, "\r{}{} seeds, {:.1f} simulated hours, {} operations ", totals.runs,
                   options.minutes > 0 ? std::string()
                                       : fmt::format(" of {}", options.last - options.first + 1),
                   SecondsOf(totals.sum) / 3600, totals.sum.operations);
      }
    }
  };
  std::vector<std::thread> workers;
  for (unsigned job = 1; job < JobsOf(options); ++job) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  if (show) fmt::print(stderr, "\n");
  if (options.json) {
    nlohmann::ordered_json json = {{"first_seed", options.first}, {"runs", totals.runs}};
    json.update(JsonOf(totals.sum));
    json["trace_hash"] = HashText(totals.sum.trace_hash);
    json["violation"] = broken ? broken->violation : "";
    if (broken) json["broken_seed"] = broken->seed;
    fmt::print("{}\n", json.dump());
  } else {
    PrintSummary(totals.sum);
    if (broken) {
      PrintBroken(options, RunOptionsOf(options, broken->seed), *broken);
    } else {
      fmt::print("trace hash {}\n{} seeds, every promise kept\n", HashText(totals.sum.trace_hash),
                 totals.runs);
    }
  }
  return broken ? kBroken : kKept;
}

// What a broken promise says, cut to a line of the table.
std::string Shortened(const std::string& text) {
  constexpr size_t kShown = 78;
  const std::string line = text.substr(0, text.find('\n'));
  return line.size() <= kShown ? line : line.substr(0, kShown - 3) + "...";
}

int RunMutants(const Options& options) {
  std::vector<PlantedBug> bugs;
  for (size_t bug = 1; bug < kPlantedBugNames.size(); ++bug) {
    if (!options.plant.empty() && kPlantedBugNames[bug] != options.plant) continue;
    bugs.push_back(static_cast<PlantedBug>(bug));
  }
  fmt::print("{:<20} {:>6}  caught by\n", "planted bug", "seeds");
  std::mutex mutex;  // of all that follows
  std::vector<std::optional<Mutant>> hunted(bugs.size());
  size_t next = 0;
  size_t printed = 0;
  size_t caught = 0;
  const auto work = [&] {
    for (;;) {
      size_t mine = 0;
      {
        const std::lock_guard lock(mutex);
        if (next == bugs.size()) return;
        mine = next++;
      }
      Mutant mutant = HuntMutant(bugs[mine], options.seeds_max);
      const std::lock_guard lock(mutex);
      hunted[mine] = std::move(mutant);
      // In the order of the list, whichever was caught first.
      for (; printed < bugs.size() && hunted[printed]; ++printed) {
        const Mutant& found = *hunted[printed];
        const bool escaped = found.violation.empty();
        if (!escaped) ++caught;
        fmt::print("{:<20} {:>6}  {}\n", kPlantedBugNames[static_cast<size_t>(found.bug)],
                   found.seeds, escaped ? "nothing: ESCAPED" : Shortened(found.violation));
        std::fflush(stdout);
      }
    }
  };
  std::vector<std::thread> workers;
  for (unsigned job = 1; job < JobsOf(options); ++job) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  fmt::print("{} planted, {} caught\n", bugs.size(), caught);
  return caught == bugs.size() ? kKept : kBroken;
}

int RunScenarios(const Options& options) {
  int result = kKept;
  for (const std::string& file : options.scenarios) {
    std::ifstream input(file);
    const std::string text{std::istreambuf_iterator<char>(input), {}};
    if (!input) {
      fmt::print(stderr, "{}: cannot be read; scenarios are in tests/scenarios\n", file);
      return kUsage;
    }
    const auto scenario = ParseScenario(file, text);
    if (!scenario) {
      fmt::print(stderr, "{}\n", scenario.error().text);
      return kUsage;
    }
    const ScenarioReport report = RunScenario(*scenario, {.seed = options.seed.value_or(1),
                                                          .bug = PlantedOf(options),
                                                          .listener = ListenerOf(options)});
    if (!report.failure.empty()) {
      fmt::print("{}\n", report.failure);
      result = kBroken;
      continue;
    }
    fmt::print("{}: {} steps, {:.1f} simulated seconds, all as expected\n", file, report.steps,
               std::chrono::duration<double>(report.simulated).count());
  }
  return result;
}

// "A..B", both ends included.
bool ParseSeeds(const std::string& text, Options* options) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos) return false;
  return CLI::detail::lexical_cast(text.substr(0, dots), options->first) &&
         CLI::detail::lexical_cast(text.substr(dots + 2), options->last) &&
         options->first <= options->last;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Simulates whole Eddy clusters with faults, one a seed, and checks every promise.");
  app.footer(
      "Without --seed it runs many seeds and stops at the first broken promise.\n"
      "Exit codes: 0 every promise kept, 1 one broken, 2 the command line is wrong.");
  app.add_option("--seed", options.seed, "Run this seed; prints its trace hash last");
  app.add_option("--seeds", options.seeds,
                 "Run seeds A..B (default 1..2000); prints the sum of their trace hashes")
      ->excludes("--seed");
  app.add_option("--minutes", options.minutes,
                 "Run seed after seed for so many minutes, from the first of --seeds on")
      ->excludes("--seed")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000}));
  app.add_option("--jobs", options.jobs, "Seeds at a time (default: one a core)")
      ->check(CLI::Range(1u, 1024u));
  app.add_flag("--minimize", options.minimize,
               "Take away what a broken promise does not need, and say how to see the rest");
  app.add_option("--without", options.without, "Kinds of faults to leave out: A,B,..")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(kFaultNames.begin(), kFaultNames.end())));
  app.add_option("--scenario", options.scenarios,
                 "Live through these files of tests/scenarios instead (docs/SIMULATOR.md); takes "
                 "--seed, --plant and --trace")
      ->excludes("--seeds")
      ->excludes("--minutes");
  app.add_option("--seconds", options.seconds, "Simulated seconds with faults, for each seed")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000}));
  app.add_option("--nodes", options.nodes, "Cluster size, in place of the seed's")
      ->check(CLI::Range(1u, kNodesMax));
  app.add_option("--rate", options.rate, "Operations a simulated second, in place of 100")
      ->check(CLI::Range(1u, 100'000u));
  app.add_flag("--trace", options.trace, "Tell what happens, a line an event");
  app.add_flag("--json", options.json, "Print the summary as JSON")->excludes("--trace");
  app.add_flag("--mutants", options.mutants,
               "Plant each bug, or the one of --plant, and run seed after seed until it is caught; "
               "exit code 1 if one escapes")
      ->excludes("--seed")
      ->excludes("--seeds")
      ->excludes("--scenario")
      ->excludes("--minutes")
      ->excludes("--json");
  app.add_option("--seeds-max", options.seeds_max, "With --mutants: seeds for each bug at the most")
      ->capture_default_str()
      ->needs("--mutants")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}));
  app.add_option("--plant", options.plant, "Plant a bug, to see the checker find it")
      ->check(CLI::IsMember(
          std::vector<std::string>(kPlantedBugNames.begin(), kPlantedBugNames.end())));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kKept : kUsage;
  }
  if (!options.seeds.empty() && !ParseSeeds(options.seeds, &options)) {
    fmt::print(stderr, "--seeds takes a range such as 1..1000, not '{}'\n", options.seeds);
    return kUsage;
  }
  if (options.mutants) return RunMutants(options);
  if (!options.scenarios.empty()) return RunScenarios(options);
  if (options.minutes > 0 && options.seeds.empty()) options.last = UINT64_MAX;
  return options.seed ? RunOne(options) : RunMany(options);
}

}  // namespace
}  // namespace eddy::sim

int main(int argc, char** argv) { return eddy::sim::Main(argc, argv); }
