// bench: how fast a running cluster is, and what an operation costs its servers.
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/nearest.h"
#include "tools/bench_report.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/load_run.h"
#include "tools/process_cpu.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

// Lists that are empty were not given.
struct BenchOptions {
  std::vector<std::string> doors;
  std::vector<std::string> operations;
  std::vector<std::string> workloads;
  std::optional<std::string> mix;
  std::string distribution;
  std::vector<uint64_t> rates;
  std::vector<size_t> value_bytes;
  std::vector<uint32_t> connections;
  std::vector<uint32_t> depths;
  std::string bucket = "redis";
  uint64_t keys = 100'000;
  Duration warm_up = std::chrono::milliseconds(500);
  std::optional<Duration> duration;
  uint64_t seed = 1;
  bool fill = true;
  std::vector<pid_t> pids;
  std::string html;  // a file's name

  // A table of plain gets and sets, rather than one load that is looked at for longer.
  bool is_matrix() const { return workloads.empty() && !mix && rates.empty(); }
};

constexpr Door kDoors[] = {Door::kNative, Door::kResp, Door::kFloor};

Door DoorOf(const std::string& name) {
  return *std::ranges::find(kDoors, std::string_view(name), [](Door door) { return NameOf(door); });
}

// What was not given.
void Settle(BenchOptions* bench) {
  const bool is_matrix = bench->is_matrix();
  if (bench->workloads.empty() && !bench->mix && bench->operations.empty()) {
    bench->operations = {"set", "get"};
  }
  if (bench->value_bytes.empty()) {
    bench->value_bytes = is_matrix ? std::vector<size_t>{100, 1024} : std::vector<size_t>{1000};
  }
  if (bench->connections.empty()) {
    bench->connections = is_matrix ? std::vector<uint32_t>{1, 16, 64} : std::vector<uint32_t>{16};
  }
  if (bench->depths.empty()) {
    bench->depths = is_matrix              ? std::vector<uint32_t>{1, 16}
                    : bench->rates.empty() ? std::vector<uint32_t>{1}
                                           : std::vector<uint32_t>{64};
  }
  if (bench->rates.empty()) bench->rates = {0};
  if (!bench->duration) bench->duration = std::chrono::seconds(is_matrix ? 2 : 10);
}

// The loads that were named. kInvalidArgument, when they contradict each other.
Result<std::vector<LoadMix>> MixesOf(const BenchOptions& bench) {
  const int ways = !bench.operations.empty() + !bench.workloads.empty() + bench.mix.has_value();
  if (ways > 1) {
    return Fail(Code::kInvalidArgument,
                "--op, --workload and --mix each say what the operations are: give one of them");
  }
  std::vector<LoadMix> mixes;
  for (const std::string& operation : bench.operations) {
    mixes.emplace_back(operation, operation == "set" ? LoadKind::kUpdate : LoadKind::kRead);
  }
  for (const std::string& letter : bench.workloads) mixes.push_back(*LoadMix::Ycsb(letter));
  if (bench.mix) {
    auto mix = LoadMix::Parse(*bench.mix);
    if (!mix) return Fail(mix.error().code, "--mix: " + mix.error().text);
    mixes.push_back(std::move(*mix));
  }
  if (!bench.distribution.empty()) {
    for (LoadMix& mix : mixes) mix.set_distribution(*KeyDistributionOf(bench.distribution));
  }
  return mixes;
}

// The doors that a load goes through: those that were given, which all must be able to; else both
// in a table, and one for a load that is looked at by itself.
Result<std::vector<Door>> DoorsOf(const BenchOptions& bench, bool is_matrix, const LoadMix& mix) {
  std::vector<Door> doors;
  for (const std::string& name : bench.doors) {
    doors.push_back(DoorOf(name));
    if (const Status can = mix.CheckDoor(doors.back()); !can) return std::unexpected(can.error());
  }
  if (!doors.empty()) return doors;
  if (is_matrix) return std::vector{Door::kNative, Door::kResp};
  return std::vector{mix.CheckDoor(Door::kNative) ? Door::kNative : Door::kResp};
}

// The lines of the table. Those of one door and size of values stand together, since keys are
// written once for them. An error says what contradicts what, before anything is done.
Result<std::vector<BenchCell>> Plan(BenchOptions* bench) {
  const bool is_matrix = bench->is_matrix();
  Settle(bench);
  if (*bench->duration <= Duration{}) {
    return Fail(Code::kInvalidArgument,
                "--duration: in no time nothing can be measured: give at least 1ms");
  }
  const auto mixes = MixesOf(*bench);
  if (!mixes) return std::unexpected(mixes.error());
  std::vector<BenchCell> cells;
  for (const Door door : kDoors) {
    for (const size_t value_bytes : bench->value_bytes) {
      for (const LoadMix& mix : *mixes) {
        const auto doors = DoorsOf(*bench, is_matrix, mix);
        if (!doors) return std::unexpected(doors.error());
        if (std::ranges::find(*doors, door) == doors->end()) continue;
        for (const uint64_t rate : bench->rates) {
          for (const uint32_t connections : bench->connections) {
            for (const uint32_t depth : bench->depths) {
              if (uint64_t{connections} * depth > kLoadOutstandingMax) {
                return Fail(Code::kInvalidArgument,
                            fmt::format("{} connections of depth {} are more than {} requests "
                                        "outstanding: ask for fewer of either",
                                        connections, depth, FormatCount(kLoadOutstandingMax)));
              }
              cells.push_back({door, mix, value_bytes, connections, depth, rate});
            }
          }
        }
      }
    }
  }
  return cells;
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

LoadOptions LoadOptionsOf(const GlobalOptions& global, const BenchOptions& bench,
                          const BenchCell& cell, const std::vector<LoadTarget>& targets) {
  LoadOptions options;
  options.door = cell.door;
  options.targets = targets;
  options.cluster = global.cluster;
  options.bucket = bench.bucket;
  options.connections = cell.connections;
  options.window = cell.depth;
  options.mix = cell.mix;
  options.rate = cell.rate;
  options.keys = bench.keys;
  options.value_bytes = cell.value_bytes;
  options.seed = bench.seed;
  options.warm_up = bench.warm_up;
  options.duration = *bench.duration;
  options.timeout = global.timeout;
  return options;
}

// Seconds as they pass, where somebody watches: a line each for a load that is measured by itself,
// one line over and over where many follow each other.
class SecondLines {
 public:
  SecondLines(const Output& output, bool stay)
      : shown_(output.err_is_terminal() && !output.quiet()), stay_(stay) {}
  ~SecondLines() {
    if (!stay_ && second_ > 0 && shown_) fmt::print(stderr, "\r\033[K");
  }
  SecondLines(const SecondLines&) = delete;
  SecondLines& operator=(const SecondLines&) = delete;

  void Add(const std::vector<LoadSecond>& seconds) {
    for (const LoadSecond& second : seconds) {
      second_++;
      if (!shown_) continue;
      const std::string line = BenchSecondLine(second_, second);
      fmt::print(stderr, "{}{}{}", stay_ ? "" : "\r\033[K", line, stay_ ? "\n" : "");
      std::fflush(stderr);
    }
  }

 private:
  const bool shown_;
  const bool stay_;
  size_t second_ = 0;
};

Result<BenchRow> Measure(const Output& output, const BenchCell& cell, const LoadOptions& options,
                         const std::vector<pid_t>& pids, bool alone) {
  SecondLines lines(output, alone);
  Result<Duration> before{Duration{}};
  Result<Duration> after{Duration{}};
  LoadEvents events;
  events.measuring = [&] { before = ProcessCpu(pids); };
  events.measured = [&] { after = ProcessCpu(pids); };
  events.seconds = [&](const std::vector<LoadSecond>& seconds) { lines.Add(seconds); };
  events.stop = Interrupted;
  auto load = RunLoad(options, events);
  if (!load) return std::unexpected(load.error());
  if (!before) return std::unexpected(before.error());
  if (load->operations == 0 && !Interrupted()) {
    std::string text = "nothing was answered";
    for (const auto& [error_class, errors] : load->errors) {
      text += fmt::format("; {}, {} times, the first: {}", NameOf(error_class),
                          FormatCount(errors.count), errors.example);
    }
    if (cell.rate > 0) {
      text +=
          fmt::format("; of what was due, {} requests were never sent", FormatCount(load->unsent));
    }
    return Fail(Code::kUnavailable,
                text + (load->unsent > 0 ? ": ask for a lower --rate, or see eddyctl status"
                                         : ": see eddyctl status, or give more --duration"));
  }
  BenchRow row{.cell = cell, .load = std::move(*load), .server_us = std::nullopt};
  if (!after) {
    // A server that ends is what some come to see.
    output.Note("CPU per operation is not known: " + after.error().text);
  } else if (!pids.empty() && row.load.operations > 0) {
    row.server_us =
        static_cast<double>((*after - *before).count()) / static_cast<double>(row.load.operations);
  }
  return row;
}

// Every key once, so that reads find what they ask for and updates replace.
Status Fill(const GlobalOptions& global, const BenchOptions& bench, BenchCell cell,
            const std::vector<LoadTarget>& targets) {
  cell.connections = 16;
  cell.depth = 16;
  LoadOptions options = LoadOptionsOf(global, bench, cell, targets);
  options.fill = true;
  LoadEvents events;
  events.stop = Interrupted;
  const auto filled = RunLoad(options, events);
  if (!filled) return std::unexpected(filled.error());
  if (filled->errors.empty()) return {};
  return Fail(Code::kUnavailable,
              fmt::format("{} of {} keys could not be written: {}", filled->error_count(),
                          bench.keys, filled->errors.begin()->second.example));
}

// Measures all cells and hands over their rows, until Ctrl-C.
Status MeasureAll(const GlobalOptions& global, const BenchOptions& bench,
                  const std::vector<BenchCell>& cells,
                  const std::function<void(BenchRow row)>& take) {
  std::vector<LoadTarget> targets;
  const BenchCell* before = nullptr;
  for (const BenchCell& cell : cells) {
    if (before == nullptr || before->door != cell.door) {
      auto of_door = TargetsOf(global, cell.door);
      if (!of_door) return std::unexpected(of_door.error());
      targets = std::move(*of_door);
    }
    const bool filled =
        before != nullptr && before->door == cell.door && before->value_bytes == cell.value_bytes;
    if (bench.fill && !filled) {
      if (const Status done = Fill(global, bench, cell, targets); !done) return done;
    }
    before = &cell;
    auto row = Measure(global.output, cell, LoadOptionsOf(global, bench, cell, targets), bench.pids,
                       cells.size() == 1);
    if (!row) return std::unexpected(row.error());
    take(std::move(*row));
    if (Interrupted()) break;
  }
  return {};
}

// As many files as the system allows: each connection is one.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The file of --html, or none where the name is empty.
class BenchPageFile {
 public:
  explicit BenchPageFile(std::string name) : name_(std::move(name)) {}
  // A file that is only there because of Check() goes.
  ~BenchPageFile() {
    if (made_) std::remove(name_.c_str());
  }
  BenchPageFile(const BenchPageFile&) = delete;
  BenchPageFile& operator=(const BenchPageFile&) = delete;

  // That it can be written, so that nobody waits for measurements that have nowhere to go. What
  // stands in the file stays.
  Status Check() {
    if (name_.empty()) return {};
    const bool was_there = access(name_.c_str(), F_OK) == 0;
    if (!std::ofstream(name_, std::ios::binary | std::ios::app)) return FailErrno();
    made_ = !was_there;
    return {};
  }

  Status Write(const Json& rows) {
    made_ = false;
    std::ofstream file(name_, std::ios::binary);
    file << BenchPage(rows);
    file.close();
    return file.fail() ? FailErrno() : Status{};
  }

 private:
  Status FailErrno() const {
    return Fail(Code::kIo, fmt::format("--html: cannot write {}: {}", name_, std::strerror(errno)));
  }

  const std::string name_;
  bool made_ = false;
};

ExitCode Bench(const GlobalOptions& global, BenchOptions bench) {
  const Output& output = global.output;
  const auto cells = Plan(&bench);
  if (!cells) return output.Fail(cells.error());
  BenchPageFile page(bench.html);
  if (const Status can = page.Check(); !can) return output.Fail(can.error());
  RaiseFileLimit();
  CatchInterrupt();
  if (bench.pids.empty()) bench.pids = FindNodes(".eddy");
  if (bench.pids.empty()) {
    output.Note("CPU per operation is not shown: name the servers' processes with --pids");
  }
  const BenchTable table(*cells);
  bool shown = false;
  Json rows = Json::array();
  const Status done = MeasureAll(global, bench, *cells, [&](const BenchRow& row) {
    rows.push_back(BenchRowJson(row));
    if (output.json()) return;
    if (!std::exchange(shown, true)) output.Line(table.Header());
    output.Line(table.Line(row));
    std::fflush(stdout);
    for (const std::string& note : BenchTable::Notes(row)) output.Note("  " + note);
  });
  // What was measured before something went wrong is not lost.
  if (!bench.html.empty() && !rows.empty()) {
    if (const Status wrote = page.Write(rows); !wrote) return output.Fail(wrote.error());
    output.Note("Page: " + bench.html);
  }
  if (output.json() && (done || !rows.empty())) output.Json({{"rows", std::move(rows)}});
  if (Interrupted()) return ExitCode::kInterrupted;
  return done ? ExitCode::kOk : output.Fail(done.error());
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

// A name out of a few, with what to do about another one.
CLI::Validator OneOf(std::vector<std::string> names) {
  return CLI::Validator(
      [names = std::move(names)](std::string& name) {
        if (std::ranges::find(names, name) != names.end()) return std::string();
        const auto nearest = name.size() > 1 ? Nearest(name, names) : std::nullopt;
        return fmt::format("{} is unknown{}: there are {}", Quoted(name),
                           nearest ? fmt::format("; did you mean {}?", *nearest) : std::string(),
                           fmt::join(names, ", "));
      },
      "");
}

CLI::Validator IsRate() {
  return CLI::Validator(
      [](std::string& text) {
        uint64_t rate = 0;
        if (!CLI::detail::lexical_cast(text, rate) || rate > kLoadRateMax) {
          return fmt::format("{} is no rate: give requests a second, up to {}", Quoted(text),
                             kLoadRateMax);
        }
        if (rate > 0) return std::string();
        return std::string(
            "at a rate of 0 nothing is sent: give requests a second, or leave --rate "
            "out for a closed loop");
      },
      "");
}

}  // namespace

void AddBenchCommand(CLI::App* app, Commands* commands) {
  CLI::App* verb = app->add_subcommand(
      "bench", "Measure a running cluster: every combination of the lists is one line");
  const auto bench = std::make_shared<BenchOptions>();
  AddList(verb, "--door", &bench->doors,
          "native and resp [both; with --workload, --mix or --rate native, and resp for scans]; "
          "floor: that of eddy-floor (bench/floor), --node is its address")
      ->check(OneOf({"native", "resp", "floor"}));
  AddList(verb, "--op", &bench->operations, "get and set [both]")->check(OneOf({"get", "set"}));
  AddList(verb, "--workload", &bench->workloads,
          "YCSB's: a 50 % reads, 50 % updates; b 95, 5; c reads; d 95 % reads of the latest, 5 % "
          "inserts; e 95 % scans, 5 % inserts; f 50 % reads, 50 % read-modify-writes, which on the "
          "native door carry the causal context. A ring keeps keys by their hashes, in no order to "
          "walk: a scan is one MGET of 1 to 100 keys with successive numbers, so of the resp door")
      ->check(OneOf({"a", "b", "c", "d", "e", "f"}));
  verb->add_option("--mix", bench->mix,
                   "A mix of read, update, insert, scan and rmw, each with its part: "
                   "read=80,update=15,insert=5")
      ->option_text("MIX");
  verb->add_option("--distribution", bench->distribution,
                   "How keys are chosen: uniform; zipfian (theta 0.99, popular keys anywhere); "
                   "latest (zipfian, the newest most) [a, b, c, e, f: zipfian; d: latest; else "
                   "uniform]")
      ->check(OneOf({"uniform", "zipfian", "latest"}))
      ->option_text("NAME");
  AddList(verb, "--rate", &bench->rates,
          "An open loop: so many requests a second, at fixed times, all connections together; "
          "latencies count from when a request was due [a closed loop: each reply is followed by "
          "the next request]")
      ->check(IsRate());
  AddList(verb, "--value-bytes", &bench->value_bytes,
          "Sizes of values [100,1024; with --workload, --mix or --rate 1000]")
      ->check(CLI::Range(size_t{0}, kValueBytesMax).description(""));
  AddList(verb, "--connections", &bench->connections,
          "Numbers of connections [1,16,64; with --workload, --mix or --rate 16]")
      ->check(CLI::Range(1U, kLoadConnectionsMax).description(""));
  AddList(verb, "--depth", &bench->depths,
          "Requests outstanding on each of them [1,16; with --workload or --mix 1]; with --rate as "
          "many at most [64]")
      ->check(CLI::Range(1U, kLoadWindowMax).description(""));
  verb->add_option(
          "--bucket", bench->bucket,
          "The bucket of the native door [redis]; writes are blind but for f, so it must be "
          "one where the last writer wins")
      ->option_text("NAME");
  verb->add_option("--keys", bench->keys, "How many keys [100000]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}).description(""))
      ->option_text("COUNT");
  verb->add_flag("--fill,!--no-fill", bench->fill,
                 "Whether each key is written first, once for each size of value [--fill]");
  AddDurationOption(verb, "--duration",
                    "How long each line is measured [2s; with --workload, --mix or --rate 10s]",
                    [bench](std::chrono::milliseconds given) { bench->duration = given; });
  AddDurationOption(verb, "--warm-up", "How long before that [500ms]",
                    [bench](std::chrono::milliseconds given) { bench->warm_up = given; });
  verb->add_option("--seed", bench->seed, "Of what is drawn [1]")->option_text("NUMBER");
  AddList(verb, "--pids", &bench->pids, "The servers' processes [those in .eddy/]");
  verb->add_option(
          "--html", bench->html,
          "Also write a page with curves of latency and throughput, which needs no network")
      ->option_text("FILE");
  (*commands)[verb] = [bench](const GlobalOptions& global) { return Bench(global, *bench); };
}

}  // namespace eddy::tools
