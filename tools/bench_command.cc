// bench: how fast a running cluster is, and what an operation costs its servers.
#include <sys/types.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "tools/command.h"
#include "tools/load_run.h"
#include "tools/process_cpu.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct BenchOptions {
  std::vector<std::string> doors = {"native", "resp"};
  std::vector<std::string> operations = {"set", "get"};
  std::vector<size_t> value_bytes = {100, 1024};
  std::vector<uint32_t> connections = {1, 16, 64};
  std::vector<uint32_t> pipeline = {1, 16};
  std::string bucket = "redis";
  uint64_t keys = 100'000;
  Duration warm_up = std::chrono::milliseconds(500);
  Duration duration = std::chrono::seconds(2);
  uint64_t seed = 1;
  bool fill = true;
  std::vector<pid_t> pids;
};

// One line of the table.
struct Cell {
  Door door = Door::kNative;
  bool is_set = false;
  size_t value_bytes = 0;
  uint32_t connections = 0;
  uint32_t pipeline = 0;
};

struct Measurement {
  LoadResult load;
  std::optional<double> server_us;  // per operation, all servers
};

struct NamedDoor {
  std::string name;
  Door door;
};

const NamedDoor kDoors[] = {
    {"native", Door::kNative}, {"resp", Door::kResp}, {"floor", Door::kFloor}};

const std::string& NameOf(Door door) {
  return std::ranges::find(kDoors, door, &NamedDoor::door)->name;
}
Door DoorOf(const std::string& name) {
  return std::ranges::find(kDoors, name, &NamedDoor::name)->door;
}

std::string_view OperationName(const Cell& cell) { return cell.is_set ? "set" : "get"; }

double OperationsPerSecond(const LoadResult& load) {
  const double seconds = std::chrono::duration<double>(load.elapsed).count();
  return seconds > 0 ? static_cast<double>(load.operations) / seconds : 0;
}

// The targets of a door: as given, but RESP as each node says of itself.
Result<std::vector<LoadTarget>> TargetsOf(const GlobalOptions& global, Door door) {
  const auto addresses = AddressesOf(global);
  if (!addresses) return std::unexpected(addresses.error());
  std::vector<LoadTarget> targets;
  for (const client::Address& address : *addresses) {
    targets.push_back({.host = address.host, .port = address.port});
  }
  if (door != Door::kResp) return targets;
  const auto answers = AskStatusOfAll(global, *addresses);
  for (size_t i = 0; i < targets.size(); i++) {
    if (!answers[i]) return std::unexpected(answers[i].error());
    for (const wire::MemberStatus& member : answers[i]->members) {
      if (member.id == answers[i]->node) targets[i].port = member.doors.resp;
    }
  }
  return targets;
}

LoadOptions LoadOptionsOf(const GlobalOptions& global, const BenchOptions& bench, const Cell& cell,
                          std::vector<LoadTarget> targets) {
  LoadOptions options;
  options.door = cell.door;
  options.targets = std::move(targets);
  options.cluster = global.cluster;
  options.bucket = bench.bucket;
  options.connections = cell.connections;
  options.window = cell.pipeline;
  options.set_per_mille = cell.is_set ? 1000 : 0;
  options.keys = bench.keys;
  options.value_bytes = cell.value_bytes;
  options.seed = bench.seed;
  options.warm_up = bench.warm_up;
  options.duration = bench.duration;
  return options;
}

Result<Measurement> Measure(const LoadOptions& options, const std::vector<pid_t>& pids) {
  Result<Duration> before{Duration{}};
  Result<Duration> after{Duration{}};
  auto load =
      RunLoad(options, [&] { before = ProcessCpu(pids); }, [&] { after = ProcessCpu(pids); });
  if (!load) return std::unexpected(load.error());
  if (!before) return std::unexpected(before.error());
  if (!after) return std::unexpected(after.error());
  Measurement measurement{.load = std::move(*load), .server_us = std::nullopt};
  if (!pids.empty() && measurement.load.operations > 0) {
    measurement.server_us = static_cast<double>((*after - *before).count()) /
                            static_cast<double>(measurement.load.operations);
  }
  return measurement;
}

Json RowOf(const Cell& cell, const Measurement& measurement) {
  const LoadResult& load = measurement.load;
  Json row;
  row["door"] = NameOf(cell.door);
  row["op"] = OperationName(cell);
  row["value_bytes"] = cell.value_bytes;
  row["connections"] = cell.connections;
  row["depth"] = cell.pipeline;
  row["ops_per_s"] = OperationsPerSecond(load);
  row["p50_us"] = load.latency_us.Quantile(5'000);
  row["p99_us"] = load.latency_us.Quantile(9'900);
  row["p999_us"] = load.latency_us.Quantile(9'990);
  row["max_us"] = load.latency_us.max();
  if (measurement.server_us) row["server_us"] = *measurement.server_us;
  row["operations"] = load.operations;
  row["absent"] = load.absent;
  row["errors"] = load.errors;
  return row;
}

void ShowHeader(const Output& output) {
  output.Line(fmt::format("{:<7}{:<4}{:>6}{:>7}{:>7}{:>11}{:>9}{:>9}{:>9}{:>10}  {}", "door", "op",
                          "bytes", "conns", "depth", "ops/s", "p50 us", "p99 us", "p99.9",
                          "CPU us/op", "errors"));
}

void ShowRow(const Output& output, const Cell& cell, const Measurement& measurement) {
  const LoadResult& load = measurement.load;
  output.Line(
      fmt::format("{:<7}{:<4}{:>6}{:>7}{:>7}{:>11}{:>9}{:>9}{:>9}{:>10}  {}", NameOf(cell.door),
                  OperationName(cell), cell.value_bytes, cell.connections, cell.pipeline,
                  FormatCount(static_cast<uint64_t>(OperationsPerSecond(load))),
                  load.latency_us.Quantile(5'000), load.latency_us.Quantile(9'900),
                  load.latency_us.Quantile(9'990),
                  measurement.server_us ? fmt::format("{:.1f}", *measurement.server_us) : "-",
                  load.error_count()));
  for (const auto& [text, count] : load.errors) {
    output.Note(fmt::format("  {} times: {}", count, text));
  }
  if (load.absent > 0) output.Note(fmt::format("  {} gets found nothing", load.absent));
  std::fflush(stdout);
}

// Every key once, so that gets find what they ask for and sets replace.
Status Fill(const GlobalOptions& global, const BenchOptions& bench, Cell cell,
            const std::vector<LoadTarget>& targets) {
  cell.is_set = true;
  cell.connections = 16;
  cell.pipeline = 16;
  LoadOptions options = LoadOptionsOf(global, bench, cell, targets);
  options.fill = true;
  const auto filled = RunLoad(options, [] {}, [] {});
  if (!filled) return std::unexpected(filled.error());
  if (filled->errors.empty()) return {};
  return Fail(Code::kUnavailable,
              fmt::format("{} of {} keys could not be written: {}", filled->error_count(),
                          bench.keys, filled->errors.begin()->first));
}

// The lines of the table, in order: values of one size are filled in once, then measured.
std::vector<Cell> CellsOf(const BenchOptions& bench, Door door, size_t value_bytes) {
  std::vector<Cell> cells;
  for (const std::string& operation : bench.operations) {
    for (const uint32_t connections : bench.connections) {
      for (const uint32_t pipeline : bench.pipeline) {
        cells.push_back({.door = door,
                         .is_set = operation == "set",
                         .value_bytes = value_bytes,
                         .connections = connections,
                         .pipeline = pipeline});
      }
    }
  }
  return cells;
}

Status BenchDoor(const GlobalOptions& global, const BenchOptions& bench, Door door, Json* rows) {
  const Output& output = global.output;
  const auto targets = TargetsOf(global, door);
  if (!targets) return std::unexpected(targets.error());
  for (const size_t value_bytes : bench.value_bytes) {
    if (bench.fill) {
      const Status filled =
          Fill(global, bench, {.door = door, .value_bytes = value_bytes}, *targets);
      if (!filled) return filled;
    }
    for (const Cell& cell : CellsOf(bench, door, value_bytes)) {
      const auto measurement = Measure(LoadOptionsOf(global, bench, cell, *targets), bench.pids);
      if (!measurement) return std::unexpected(measurement.error());
      if (output.json()) {
        rows->push_back(RowOf(cell, *measurement));
      } else {
        ShowRow(output, cell, *measurement);
      }
    }
  }
  return {};
}

ExitCode Bench(const GlobalOptions& global, BenchOptions bench) {
  const Output& output = global.output;
  if (bench.pids.empty()) bench.pids = FindNodes(".eddy");
  if (bench.pids.empty()) {
    output.Note("CPU per operation is not shown: name the servers' processes with --pids");
  }
  Json rows = Json::array();
  if (!output.json()) ShowHeader(output);
  for (const std::string& door : bench.doors) {
    const Status done = BenchDoor(global, bench, DoorOf(door), &rows);
    if (!done) return output.Fail(done.error());
  }
  if (output.json()) output.Json({{"rows", std::move(rows)}});
  return ExitCode::kOk;
}

// An option with several values, separated by commas.
template <class T>
CLI::Option* AddList(CLI::App* verb, const std::string& name, std::vector<T>* list,
                     const std::string& description) {
  return verb->add_option(name, *list, description)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("LIST");
}

}  // namespace

void AddBenchCommand(CLI::App* app, Commands* commands) {
  CLI::App* verb = app->add_subcommand(
      "bench", "Measure a running cluster: every combination of the lists is one line");
  const auto bench = std::make_shared<BenchOptions>();
  AddList(verb, "--door", &bench->doors,
          "native and resp [both]; floor: that of eddy-floor (bench/floor), --node is its address")
      ->check(CLI::IsMember({"native", "resp", "floor"}).description(""));
  AddList(verb, "--op", &bench->operations, "get and set [both]")
      ->check(CLI::IsMember({"get", "set"}).description(""));
  AddList(verb, "--value-bytes", &bench->value_bytes, "Sizes of values [100,1024]")
      ->check(CLI::Range(size_t{0}, kValueBytesMax).description(""));
  AddList(verb, "--connections", &bench->connections, "Numbers of connections [1,16,64]")
      ->check(CLI::Range(1U, kLoadConnectionsMax).description(""));
  AddList(verb, "--depth", &bench->pipeline, "Requests outstanding on each of them [1,16]")
      ->check(CLI::Range(1U, kLoadWindowMax).description(""));
  verb->add_option("--bucket", bench->bucket,
                   "The bucket of the native door [redis]; writes are blind, so it must be one "
                   "where the last writer wins")
      ->option_text("NAME");
  verb->add_option("--keys", bench->keys, "How many keys [100000]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description(""))
      ->option_text("COUNT");
  verb->add_flag("--fill,!--no-fill", bench->fill,
                 "Whether each key is written first, once for each size of value [--fill]");
  AddDurationOption(verb, "--duration", "How long each line is measured [2s]",
                    [bench](std::chrono::milliseconds given) { bench->duration = given; });
  AddDurationOption(verb, "--warm-up", "How long before that [500ms]",
                    [bench](std::chrono::milliseconds given) { bench->warm_up = given; });
  verb->add_option("--seed", bench->seed, "Of the keys that are drawn [1]")->option_text("NUMBER");
  AddList(verb, "--pids", &bench->pids, "The servers' processes [those in .eddy/]");
  (*commands)[verb] = [bench](const GlobalOptions& global) { return Bench(global, *bench); };
}

}  // namespace eddy::tools
