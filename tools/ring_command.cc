// ring: where a key lives, and who holds which partition.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "client/routing.h"
#include "tools/command.h"
#include "tools/json_lines.h"
#include "tools/member_calls.h"
#include "tools/session.h"
#include "tools/table.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct RingOptions {
  std::string key;
  std::string bucket = "default";
  std::optional<uint32_t> partition;
  size_t n = 3;
  bool watch = false;
};

ExitCode ShowKey(const GlobalOptions& global, const RingOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto layout = client::LayoutOf(*status);
  if (!layout) return output.Fail(layout.error());

  const ring::Token token = ring::TokenOf(options.bucket, options.key);
  const ring::PartitionId partition = layout->PartitionOf(token);
  const auto list = layout->PreferenceList(partition, options.n);
  const auto fallbacks = layout->Walk(partition).subspan(list.size());
  if (output.json()) {
    const auto names = [&](std::span<const ring::MemberIndex> members) {
      Json array = Json::array();
      for (const ring::MemberIndex index : members) array.push_back(layout->member(index).name);
      return array;
    };
    Json object;
    SetBytes("bucket", options.bucket, &object);
    SetBytes("key", options.key, &object);
    object["token"] = fmt::format("{:016x}", token.value);
    object["slot"] = ring::SlotOf(token);
    object["partition"] = partition.value;
    object["preference_list"] = names(list);
    object["fallbacks"] = names(fallbacks);
    output.Json(object);
    return ExitCode::kOk;
  }
  output.Line(fmt::format("token {:016x}, slot {} of {}, partition {} of {}", token.value,
                          ring::SlotOf(token), ring::kSlots, partition.value,
                          layout->partition_count()));
  const auto show = [&](std::string_view role, std::span<const ring::MemberIndex> members) {
    for (const ring::MemberIndex index : members) {
      const ring::Member& member = layout->member(index);
      output.Line(fmt::format("{:<9} {}  {}:{}  {}", role, member.name, member.doors.host,
                              member.doors.native, member.zone));
    }
  };
  show("replica", list);
  show("fallback", fallbacks);
  return ExitCode::kOk;
}

// The node's answer, with names and zones in the place of indices.
Json NamedRing(const Json& ring) {
  Json named = {{"partitions", ring.at("partitions")},
                {"reading", ring.at("reading")},
                {"layouts", Json::array()}};
  for (const Json& layout : ring.at("layouts")) {
    Json partitions = Json::array();
    auto number = ring.at("first").get<uint64_t>();
    for (const Json& list : layout.at("lists")) {
      Json owners = Json::array();
      for (const Json& index : list) {
        const Json& member = layout.at("members").at(index.get<size_t>());
        owners.push_back({{"node", member.at("name")}, {"zone", member.at("zone")}});
      }
      partitions.push_back({{"partition", number++}, {"owners", std::move(owners)}});
    }
    named["layouts"].push_back(
        {{"version", layout.at("version")}, {"partitions", std::move(partitions)}});
  }
  return named;
}

std::string ListOf(const Json& owners) {
  std::vector<std::string> list;
  for (const Json& owner : owners) {
    const auto zone = owner.at("zone").get<std::string>();
    const auto node = owner.at("node").get<std::string>();
    list.push_back(zone.empty() ? node : fmt::format("{} ({})", node, zone));
  }
  return fmt::format("{}", fmt::join(list, ", "));
}

void PrintRing(const Output& output, const Json& named) {
  const Json& layouts = named.at("layouts");
  std::vector<std::vector<std::string>> rows = {{"partition"}};
  for (const Json& layout : layouts) {
    const auto version = layout.at("version").get<uint64_t>();
    const bool is_read = version == named.at("reading").get<uint64_t>();
    rows.front().push_back(fmt::format("layout {}{}", version, is_read ? ", read by" : ""));
  }
  for (size_t i = 0; i < layouts.at(0).at("partitions").size(); ++i) {
    const Json& first = layouts.at(0).at("partitions").at(i);
    std::vector<std::string> row = {fmt::format("{}", first.at("partition").get<uint64_t>())};
    const Json* before = nullptr;
    for (const Json& layout : layouts) {
      const Json& owners = layout.at("partitions").at(i).at("owners");
      row.push_back(before != nullptr && owners == *before ? "the same" : ListOf(owners));
      before = &owners;
    }
    rows.push_back(std::move(row));
  }
  for (const std::string& line : FormatTable(rows)) output.Line(line);
}

ExitCode ShowPartitions(const GlobalOptions& global, const RingOptions& options) {
  const Output& output = global.output;
  const Error unreadable{Code::kCorruption, "the node answers what this eddyctl cannot read"};
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  std::vector<client::Address> self;
  for (const wire::MemberStatus& member : status->members) {
    if (member.id != status->node) continue;
    self.push_back({.host = member.doors.host, .port = member.doors.native});
  }
  if (self.empty()) {
    return output.Fail({Code::kUnavailable, "the node that was asked is no member of a cluster"});
  }
  Json arguments = {{"replicas", options.n}};
  if (options.partition) arguments["partition"] = *options.partition;
  const auto answer =
      std::move(AskAdminOfAll(global, self, "cluster.ring", arguments.dump()).front());
  if (!answer) return output.Fail(answer.error());
  try {
    const Json named = NamedRing(Json::parse(*answer));
    if (output.json()) {
      output.Json(named);
    } else {
      PrintRing(output, named);
    }
  } catch (const Json::exception&) {
    return output.Fail(unreadable);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddRingCommand(CLI::App* app, Commands* commands) {
  CLI::App* ring = app->add_subcommand("ring", "Where a key lives, or who holds which partition");
  ring->alias("locate");
  const auto options = std::make_shared<RingOptions>();
  CLI::Option* key = ring->add_option("KEY", options->key, "The key; without one, every partition")
                         ->option_text(" ");
  ring->add_option("--bucket", options->bucket, "The key's bucket [default]")
      ->needs(key)
      ->option_text("NAME");
  ring->add_option("--partition", options->partition, "Show this partition alone")
      ->excludes(key)
      ->option_text("NUMBER");
  ring->add_option("-n", options->n, "Replicas [3]")
      ->check(CLI::Range(size_t{1}, ring::kWalkMax).description(""))
      ->option_text("COUNT");
  ring->add_flag("--watch", options->watch, kWatchHelp);
  (*commands)[ring] = [options, key](const GlobalOptions& global) {
    const auto show = [&] {
      return key->count() > 0 ? ShowKey(global, *options) : ShowPartitions(global, *options);
    };
    return options->watch ? Watch(global, show) : show();
  };
}

}  // namespace eddy::tools
