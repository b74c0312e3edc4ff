// repair, repair status: bringing replicas level now, and since when they are known to be.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "client/routing.h"
#include "tools/command.h"
#include "tools/each_member.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/session.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr auto kLookEvery = std::chrono::milliseconds(250);

// A node's answer to repair.status.
struct PartitionState {
  uint32_t partition = 0;
  std::optional<uint64_t> equal_ms_ago;  // nullopt: never since its start
  // Since the repair that was begun there, of the comparisons that are its to begin.
  bool equal_since_begun = false;
};
struct RepairState {
  bool compares = false;
  uint64_t trees_known = 0;
  std::vector<PartitionState> partitions;
};

// `begun_at_us`: of the repair that was begun there, by the member's clock.
RepairState ReadState(const Json& json, int64_t begun_at_us) {
  RepairState state{.compares = json.at("compares").get<bool>(),
                    .trees_known = json.at("trees_known").get<uint64_t>(),
                    .partitions = {}};
  for (const Json& row : json.at("partitions")) {
    PartitionState partition{.partition = row.at("partition").get<uint32_t>()};
    if (!row.at("equal_ms_ago").is_null()) {
      partition.equal_ms_ago = row.at("equal_ms_ago").get<uint64_t>();
    }
    // Of two owners one begins, and it alone can tell what came after it was told to begin.
    const auto at = row.find("begun_equal_at_us");
    partition.equal_since_begun =
        at == row.end() || (!at->is_null() && at->get<int64_t>() >= begun_at_us);
    state.partitions.push_back(partition);
  }
  return state;
}

// Of each member; `begun_at_us` of each, or empty.
std::vector<Result<RepairState>> AskStates(const GlobalOptions& global,
                                           const std::vector<AskedMember>& members,
                                           const std::vector<int64_t>& begun_at_us) {
  return AskEach<RepairState>(global, members, "repair.status", Json::object(),
                              [&](const Json& json, size_t i) {
                                return ReadState(json, begun_at_us.empty() ? 0 : begun_at_us[i]);
                              });
}

// For each partition that any answer names, the least lately found equal of them.
std::map<uint32_t, std::optional<uint64_t>> EqualMsAgo(
    const std::vector<Result<RepairState>>& said) {
  std::map<uint32_t, std::optional<uint64_t>> partitions;
  for (const Result<RepairState>& answer : said) {
    if (!answer) continue;
    for (const PartitionState& state : answer->partitions) {
      const auto [at, fresh] = partitions.try_emplace(state.partition, state.equal_ms_ago);
      if (fresh) continue;
      std::optional<uint64_t>& ago = at->second;
      ago = ago && state.equal_ms_ago ? std::optional(std::max(*ago, *state.equal_ms_ago))
                                      : std::nullopt;
    }
  }
  return partitions;
}

std::string Ago(std::optional<uint64_t> ms) {
  if (!ms) return "never since a start";
  return *ms < 60'000 ? fmt::format("{:.1f} s ago", static_cast<double>(*ms) / 1000)
                      : fmt::format("{} min ago", *ms / 60'000);
}

ExitCode ShowRepair(const GlobalOptions& global, bool each) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const std::vector<AskedMember> members = MembersOf(*status);
  const auto said = AskStates(global, members, {});

  const auto partitions = EqualMsAgo(said);
  bool answered = true;
  std::optional<uint64_t> oldest = 0;
  size_t never = 0;
  for (const auto& [partition, ago] : partitions) {
    if (!ago) ++never;
    oldest = oldest && ago ? std::optional(std::max(*oldest, *ago)) : std::nullopt;
  }
  Json nodes = Json::array();
  std::vector<std::string> lines;
  for (size_t i = 0; i < members.size(); ++i) {
    const AskedMember& member = members[i];
    const Result<RepairState>& answer = said[i];
    if (!answer) {
      answered = false;
      nodes.push_back({{"name", member.name}, {"error", answer.error().text}});
      lines.push_back(fmt::format("{}  {}", member.name, answer.error().text));
      continue;
    }
    nodes.push_back({{"name", member.name},
                     {"compares", answer->compares},
                     {"trees_known", answer->trees_known},
                     {"partitions_shared", answer->partitions.size()}});
    lines.push_back(
        answer->compares
            ? fmt::format("{}  hash trees of {} of {} partitions are built", member.name,
                          answer->trees_known, answer->partitions.size())
            : fmt::format("{}  does not compare (anti_entropy_seconds = 0)", member.name));
  }
  if (output.json()) {
    Json rows = Json::array();
    for (const auto& [partition, ago] : partitions) {
      rows.push_back({{"partition", partition}, {"equal_ms_ago", ago ? Json(*ago) : Json()}});
    }
    output.Json({{"oldest_equal_ms_ago", oldest && answered ? Json(*oldest) : Json()},
                 {"partitions_never_equal", never},
                 {"nodes", std::move(nodes)},
                 {"partitions", std::move(rows)}});
  } else {
    if (partitions.empty()) {
      output.Line("no partition has more than one owner: there is nothing to compare");
    } else if (never > 0) {
      output.Line(
          fmt::format("{} of {} partitions have not been found equal on all their owners "
                      "since a node started",
                      never, partitions.size()));
    } else {
      output.Line(fmt::format(
          "all {} partitions were found equal on {}; the least lately {}", partitions.size(),
          answered ? "all their owners" : "those owners that answer", Ago(oldest)));
    }
    for (const std::string& line : lines) output.Line(line);
    if (each) {
      for (const auto& [partition, ago] : partitions) {
        output.Line(fmt::format("partition {:<6} {}", partition, Ago(ago)));
      }
    }
  }
  return answered ? ExitCode::kOk : ExitCode::kUnhealthy;
}

struct RepairOptions {
  std::optional<uint32_t> partition;
  std::string key;
  std::string bucket = "default";
  bool all = false;
  bool wait = false;
};

// By partition, whether every member has found it equal since the repair was begun there.
std::map<uint32_t, bool> EqualSinceBegun(const std::vector<Result<RepairState>>& said,
                                         std::optional<uint32_t> only) {
  std::map<uint32_t, bool> partitions;
  for (const Result<RepairState>& answer : said) {
    for (const PartitionState& state : answer->partitions) {
      if (only && state.partition != *only) continue;
      const auto [found, fresh] = partitions.try_emplace(state.partition, state.equal_since_begun);
      if (!fresh) found->second = found->second && state.equal_since_begun;
    }
  }
  return partitions;
}

ExitCode WaitUntilEqual(const GlobalOptions& global, std::optional<uint32_t> only,
                        const std::vector<AskedMember>& members,
                        const std::vector<int64_t>& begun_at_us) {
  const Output& output = global.output;
  const Clock::time_point begun = Clock::now();
  CatchInterrupt();
  Progress progress("partitions", output.err_is_terminal() && !output.quiet() && !output.json());
  for (;;) {
    const auto said = AskStates(global, members, begun_at_us);
    for (size_t i = 0; i < members.size(); ++i) {
      if (said[i]) continue;
      progress.Hide();
      return output.Fail({Code::kUnavailable, fmt::format("{} {}: what it owns cannot be compared",
                                                          members[i].name, said[i].error().text)},
                         ExitCode::kUnhealthy);
    }
    const auto partitions = EqualSinceBegun(said, only);
    const size_t total = partitions.size();
    const auto equal = static_cast<size_t>(
        std::ranges::count_if(partitions, [](const auto& partition) { return partition.second; }));
    progress.Update(equal, total, equal);
    if (equal == total) {
      progress.Hide();
      const double seconds =
          static_cast<double>((Clock::now() - begun) / std::chrono::milliseconds(1)) / 1000;
      if (output.json()) {
        output.Json({{"partitions", total}, {"equal", equal}, {"seconds", seconds}});
      } else {
        output.Line(fmt::format("{} partitions are equal on all their owners, after {:.1f} s",
                                total, seconds));
      }
      return ExitCode::kOk;
    }
    if (Interrupted()) {
      progress.Hide();
      output.Note(
          fmt::format("{} of {} partitions were found equal; the repair goes on without "
                      "this command",
                      equal, total));
      return ExitCode::kInterrupted;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

ExitCode Repair(const GlobalOptions& global, const RepairOptions& options) {
  const Output& output = global.output;
  const int chosen = (options.partition ? 1 : 0) + (options.key.empty() ? 0 : 1) + options.all;
  if (chosen != 1) {
    return output.Fail(ExitCode::kUsage, "invalid_argument",
                       "say what to repair, with one of --partition P, --key KEY and --all; "
                       "'repair status' shows how things are");
  }
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto layout = client::LayoutOf(*status);
  if (!layout) return output.Fail(layout.error());
  std::optional<uint32_t> only = options.partition;
  if (!options.key.empty()) {
    only = layout->PartitionOf(ring::TokenOf(options.bucket, options.key)).value;
  }
  if (only && *only >= layout->partition_count()) {
    return output.Fail(
        {Code::kInvalidArgument, fmt::format("there is no partition {}: the last is {}", *only,
                                             layout->partition_count() - 1)});
  }
  const std::vector<AskedMember> members = MembersOf(*status);
  std::vector<int64_t> begun_at_us(members.size());
  Json arguments = Json::object();
  if (only) arguments["partition"] = *only;
  struct Begun {
    uint64_t comparisons = 0;
    int64_t at_us = 0;
  };
  const auto said =
      AskEach<Begun>(global, members, "repair.start", arguments, [](const Json& json, size_t) {
        return Begun{json.at("begun").get<uint64_t>(), json.at("begun_at_us").get<int64_t>()};
      });

  uint64_t comparisons = 0;
  std::vector<std::string> failed;
  std::optional<Code> code;
  for (size_t i = 0; i < members.size(); ++i) {
    const Result<Begun>& answer = said[i];
    if (answer) {
      comparisons += answer->comparisons;
      begun_at_us[i] = answer->at_us;
    } else {
      failed.push_back(fmt::format("{}: {}", members[i].name, answer.error().text));
      if (!code) code = answer.error().code;
    }
  }
  if (code) {
    return output.Fail({*code, fmt::format("{} comparisons were begun, and not all: {}",
                                           comparisons, fmt::join(failed, "; "))},
                       *code == Code::kConflict ? ExitCode::kRefused : ExitCode::kUnhealthy);
  }
  if (options.wait) return WaitUntilEqual(global, only, members, begun_at_us);
  if (output.json()) {
    output.Json({{"comparisons", comparisons}});
  } else {
    output.Line(
        fmt::format("{} comparisons between owners were begun: 'eddyctl repair status' "
                    "shows how far they are",
                    comparisons));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddRepairCommands(CLI::App* app, Commands* commands) {
  CLI::App* repair =
      app->add_subcommand("repair", "Compare replicas now, and bring level what differs");
  const auto options = std::make_shared<RepairOptions>();
  repair->add_option("--partition", options->partition, "One partition")->option_text("P");
  repair->add_option("--key", options->key, "The partition of this key")->option_text("KEY");
  repair->add_option("--bucket", options->bucket, "The key's bucket [default]")
      ->option_text("NAME");
  repair->add_flag("--all", options->all, "Every partition");
  repair->add_flag("--wait", options->wait, "Wait until they are equal on all their owners");
  (*commands)[repair] = [options](const GlobalOptions& global) { return Repair(global, *options); };

  CLI::App* status = repair->add_subcommand("status", "Since when replicas are known to be equal");
  const auto each = std::make_shared<bool>(false);
  status->add_flag("--partitions", *each, "Show each partition");
  (*commands)[status] = [each](const GlobalOptions& global) { return ShowRepair(global, *each); };
}

}  // namespace eddy::tools
