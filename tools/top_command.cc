// top: what the nodes do now, a second.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/admin_json.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/rates.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct TopOptions {
  std::chrono::milliseconds interval{1000};
  uint32_t count = 0;  // 0: until Ctrl-C
};

struct Column {
  const char* title;
  const char* counter;
  bool bytes = false;
};
constexpr Column kColumns[] = {
    {"gets", "gets"},
    {"puts", "puts"},
    {"dels", "deletes"},
    {"not done", "not_done"},
    {"unknown", "unknown_outcomes"},
    {"replica reads", "replica_reads"},
    {"writes", "replica_writes"},
    {"repairs", "read_repairs"},
    {"hints in", "hints_kept"},
    {"out", "hints_delivered"},
    {"client in", "client_bytes_read", true},
    {"out", "client_bytes_written", true},
    {"peers in", "peer_bytes_read", true},
};

// What one look saw, by name.
struct Look {
  Clock::time_point at;
  std::vector<std::string> names;
  std::map<std::string, wire::NodeStatus> nodes;  // of those that answered
};

Result<Look> LookNow(const GlobalOptions& global) {
  const auto status = AskStatus(global);
  if (!status) return std::unexpected(status.error());
  const std::vector<wire::MemberStatus> members = MembersByName(*status);
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : members) addresses.push_back(AddressOf(member));
  auto answers = AskStatusOfAll(global, addresses);
  Look look{.at = Clock::now(), .names = {}, .nodes = {}};
  for (size_t i = 0; i < members.size(); ++i) {
    look.names.push_back(members[i].name);
    if (answers[i]) look.nodes.emplace(members[i].name, *std::move(answers[i]));
  }
  return look;
}

std::string Shown(const Column& column, std::optional<double> rate) {
  if (!column.bytes || !rate) return FormatRate(rate);
  return FormatBytes(static_cast<uint64_t>(*rate));
}

void Show(const Output& output, const Look& before, const Look& after) {
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  Json nodes = Json::array();
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> titles = {"node", "state"};
  for (const Column& column : kColumns) titles.emplace_back(column.title);
  titles.insert(titles.end(), {"in flight", "records", "data"});
  rows.push_back(std::move(titles));
  for (const std::string& name : after.names) {
    const auto now = after.nodes.find(name);
    if (now == after.nodes.end()) {
      nodes.push_back({{"name", name}, {"state", "unreachable"}});
      std::vector<std::string> row = {name, "unreachable"};
      row.resize(rows.front().size(), "-");
      rows.push_back(std::move(row));
      continue;
    }
    const auto then = before.nodes.find(name);
    const wire::NodeStatus& status = now->second;
    Json object = {{"name", name}, {"state", status.ready ? "ready" : "not ready"}};
    std::vector<std::string> row = {name, status.ready ? "ready" : "not ready"};
    Json rates = Json::object();
    for (const Column& column : kColumns) {
      const auto rate = then == before.nodes.end()
                            ? std::nullopt
                            : RateOf(then->second, status, column.counter, seconds);
      rates[column.counter] = rate ? Json(*rate) : Json();
      row.push_back(Shown(column, rate));
    }
    object["per_second"] = std::move(rates);
    object["operations_in_flight"] = status.operations_in_flight;
    object["keys_estimate"] = status.keys_estimate;
    object["data_bytes"] = status.data_bytes;
    nodes.push_back(std::move(object));
    row.push_back(FormatCount(status.operations_in_flight));
    row.push_back(FormatCount(status.keys_estimate));
    row.push_back(FormatBytes(status.data_bytes));
    rows.push_back(std::move(row));
  }
  if (output.json()) return output.Json({{"seconds", seconds}, {"nodes", std::move(nodes)}});
  if (output.out_is_terminal()) output.Value("\033[H\033[J");
  output.Line(fmt::format("a second, over the last {:.1f} s; Ctrl-C ends this", seconds));
  for (const std::string& line : FormatTable(rows)) output.Line(line);
}

// False: interrupted.
bool Wait(Clock::time_point until) {
  while (!Interrupted()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    poll(nullptr, 0, static_cast<int>(std::min<int64_t>(left.count(), 1000)));
  }
  return false;
}

ExitCode Top(const GlobalOptions& global, const TopOptions& options) {
  const Output& output = global.output;
  CatchInterrupt();
  auto before = LookNow(global);
  if (!before) return output.Fail(before.error());
  for (uint32_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
    if (!Wait(before->at + options.interval)) return ExitCode::kInterrupted;
    auto after = LookNow(global);
    if (!after) return output.Fail(after.error());
    Show(output, *before, *after);
    std::fflush(stdout);
    if (std::ferror(stdout) != 0) return ExitCode::kFailed;
    before = std::move(after);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddTopCommand(CLI::App* app, Commands* commands) {
  CLI::App* top = app->add_subcommand("top", "What the nodes do now: live rates");
  const auto options = std::make_shared<TopOptions>();
  top->add_option_function<std::string>(
         "--interval",
         [options](const std::string& text) { options->interval = *ParseDuration(text); },
         "Between two looks, 100ms to 1h [1s]")
      ->check([](const std::string& text) {
        const auto duration = ParseDuration(text);
        if (!duration) return duration.error().text;
        const bool good =
            *duration >= std::chrono::milliseconds(100) && *duration <= std::chrono::hours(1);
        return good ? std::string() : fmt::format("{} is not within 100ms to 1h", Quoted(text));
      })
      ->option_text("DURATION");
  top->add_option("--count", options->count, "How many times [until Ctrl-C]")
      ->check(CLI::Range(1U, 1'000'000U).description(""))
      ->option_text("COUNT");
  (*commands)[top] = [options](const GlobalOptions& global) { return Top(global, *options); };
}

}  // namespace eddy::tools
