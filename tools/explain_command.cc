// explain: one key, on every node: who owns it, what each of them holds, what others keep for them,
// and whether that is all the same.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "client/routing.h"
#include "tools/command.h"
#include "tools/each_member.h"
#include "tools/json_lines.h"
#include "tools/key_verdict.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct ExplainOptions {
  std::string bucket = "default";
  std::string key;
};

// What a node says of the key, and of the key's partition.
struct NodeOfKey {
  AskedMember member;
  Result<Json> shown;                    // key.show
  bool compares = false;                 // repair.status
  std::optional<uint64_t> equal_ms_ago;  // of the partition, as this owner has found it
};

// The owners by each live layout, oldest first.
struct OwnersOfKey {
  struct ByLayout {
    uint64_t version = 0;
    std::vector<std::string> names;
  };
  uint64_t reading = 0;
  std::vector<ByLayout> layouts;
};

OwnersOfKey ReadOwners(const Json& ring) {
  OwnersOfKey owners{.reading = ring.at("reading").get<uint64_t>(), .layouts = {}};
  for (const Json& layout : ring.at("layouts")) {
    OwnersOfKey::ByLayout by{.version = layout.at("version").get<uint64_t>(), .names = {}};
    for (const Json& index : layout.at("lists").at(0)) {
      by.names.push_back(layout.at("members").at(index.get<size_t>()).at("name"));
    }
    owners.layouts.push_back(std::move(by));
  }
  return owners;
}

std::string Time(const Json& milliseconds) {
  return FormatWallTime(WallTime(std::chrono::milliseconds(milliseconds.get<int64_t>())));
}

std::string Dot(const Json& at) {
  return fmt::format("{}:{}", at.at("actor").get<std::string>().substr(0, 8),
                     at.at("counter").get<uint64_t>());
}

// "{3f2a91bc:7 77e0d41a:(3..9]}": all up to a counter, or an interval of counters.
std::string Context(const Json& record) {
  std::vector<std::string> intervals;
  for (const Json& interval : record.at("context")) {
    const std::string actor = interval.at("actor").get<std::string>().substr(0, 8);
    const uint64_t after = interval.at("after").get<uint64_t>();
    const uint64_t last = interval.at("last").get<uint64_t>();
    intervals.push_back(after == 0 ? fmt::format("{}:{}", actor, last)
                                   : fmt::format("{}:({}..{}]", actor, after, last));
  }
  return fmt::format("{{{}}}", fmt::join(intervals, " "));
}

std::string Summary(const Json& record) {
  if (record.is_null()) return "nothing";
  if (record.contains("error"))
    return "cannot be trusted: " + record.at("error").get<std::string>();
  const size_t siblings = record.at("siblings").size();
  const std::string what = siblings == 0   ? "a tombstone"
                           : siblings == 1 ? "one value"
                                           : fmt::format("{} siblings", siblings);
  return fmt::format("{}, record {}, {}, has seen {}", what,
                     record.at("digest").get<std::string>().substr(0, 8),
                     FormatBytes(record.at("bytes").get<uint64_t>()), Context(record));
}

void PrintRecord(const Output& output, const Json& record, std::string_view indent) {
  if (record.is_null() || record.contains("error")) return;
  const WallTime now(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch()));
  for (const Json& sibling : record.at("siblings")) {
    std::string expiry;
    if (const auto at = sibling.find("expires_at_ms"); at != sibling.end()) {
      const bool past = WallTime(std::chrono::milliseconds(at->get<int64_t>())) <= now;
      expiry = fmt::format(", {} {}", past ? "expired" : "expires", Time(*at));
    }
    output.Line(fmt::format("{}{}  written {}, {}{}", indent, Dot(sibling),
                            Time(sibling.at("time_ms")),
                            FormatBytes(sibling.at("bytes").get<uint64_t>()), expiry));
  }
}

std::vector<NodeOfKey> AskNodes(const GlobalOptions& global, const wire::NodeStatus& status,
                                const ExplainOptions& options, uint32_t partition) {
  std::vector<NodeOfKey> nodes;
  const std::vector<AskedMember> members = MembersOf(status);
  const Json key = {{"bucket_base64", EncodeBase64(options.bucket, Base64::kStandard)},
                    {"key_base64", EncodeBase64(options.key, Base64::kStandard)}};
  auto shown = AskEach<Json>(global, members, "key.show", key, [](Json json, size_t) {
    static_cast<void>(json.at("record"));
    static_cast<void>(json.at("hints"));
    return json;
  });
  auto repair = AskEach<Json>(global, members, "repair.status", Json::object(),
                              [](Json json, size_t) { return json; });
  for (size_t i = 0; i < members.size(); ++i) {
    NodeOfKey node{.member = members[i], .shown = std::move(shown[i])};
    if (repair[i]) {
      node.compares = repair[i]->value("compares", false);
      for (const Json& row : repair[i]->value("partitions", Json::array())) {
        if (row.value("partition", Json()) != partition) continue;
        const Json ago = row.value("equal_ms_ago", Json());
        if (ago.is_number_unsigned()) node.equal_ms_ago = ago.get<uint64_t>();
      }
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

// The least lately of all owners; nullopt: one of them has not yet, or does not say.
std::optional<uint64_t> ProvenMsAgo(const std::vector<NodeOfKey>& nodes,
                                    const std::set<std::string>& owners) {
  std::optional<uint64_t> proven = 0;
  for (const NodeOfKey& node : nodes) {
    if (!owners.contains(node.member.name)) continue;
    proven = proven && node.equal_ms_ago ? std::optional(std::max(*proven, *node.equal_ms_ago))
                                         : std::nullopt;
  }
  return proven;
}

std::vector<KeptHint> HintsOf(const std::vector<NodeOfKey>& nodes) {
  std::map<std::string, std::string> names;
  for (const NodeOfKey& node : nodes) names[node.member.id.ToHex()] = node.member.name;
  std::vector<KeptHint> hints;
  for (const NodeOfKey& node : nodes) {
    if (!node.shown) continue;
    for (const Json& hint : node.shown->at("hints")) {
      const std::string owner = hint.at("owner").get<std::string>();
      const auto name = names.find(owner);
      hints.push_back({.holder = node.member.name,
                       .owner = name != names.end() ? name->second : owner.substr(0, 8),
                       .digest = hint.at("record").value("digest", "")});
    }
  }
  return hints;
}

OwnersCopy CopyOf(const NodeOfKey& node) {
  OwnersCopy copy{.node = node.member.name, .silence = {}, .rot = {}, .digest = {}};
  if (!node.shown) {
    copy.silence = node.shown.error().text;
    return copy;
  }
  const Json& record = node.shown->at("record");
  if (record.is_null()) return copy;
  copy.rot = record.value("error", "");
  if (copy.rot.empty()) copy.digest = record.at("digest").get<std::string>();
  return copy;
}

ExitCode Show(const GlobalOptions& global, const ExplainOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const auto layout = client::LayoutOf(*status);
  if (!layout) return output.Fail(layout.error());
  const ring::Token token = ring::TokenOf(options.bucket, options.key);
  const uint32_t partition = layout->PartitionOf(token).value;

  const std::vector<NodeOfKey> nodes = AskNodes(global, *status, options, partition);
  // Any of those that answer knows the bucket and the ring.
  const auto answers =
      std::ranges::find_if(nodes, [](const NodeOfKey& node) { return node.shown.has_value(); });
  if (answers == nodes.end()) {
    return output.Fail(nodes.empty() ? Error{Code::kUnavailable, "the cluster has no members"}
                                     : nodes.front().shown.error());
  }
  const uint64_t n = answers->shown->value("n", uint64_t{3});
  const auto ring =
      std::move(AskEach<OwnersOfKey>(global, {answers->member}, "cluster.ring",
                                     {{"partition", partition}, {"replicas", n}},
                                     [](const Json& json, size_t) { return ReadOwners(json); })
                    .front());
  if (!ring) return output.Fail(ring.error());

  std::set<std::string> owners;
  for (const OwnersOfKey::ByLayout& by : ring->layouts)
    owners.insert(by.names.begin(), by.names.end());
  std::vector<OwnersCopy> copies;
  bool compares = false;
  for (const NodeOfKey& node : nodes) {
    if (!owners.contains(node.member.name)) continue;
    copies.push_back(CopyOf(node));
    compares = compares || node.compares;
  }
  const KeyVerdict verdict = JudgeKey(copies, HintsOf(nodes), compares,
                                      fmt::format("eddyctl repair --key {} --bucket {} --wait",
                                                  Quoted(options.key), Quoted(options.bucket)));
  const auto proven = ProvenMsAgo(nodes, owners);

  if (output.json()) {
    Json object = Json::object();
    SetBytes("bucket", options.bucket, &object);
    SetBytes("key", options.key, &object);
    object["token"] = fmt::format("{:016x}", token.value);
    object["partition"] = partition;
    object["n"] = n;
    object["layouts"] = Json::array();
    for (const OwnersOfKey::ByLayout& by : ring->layouts) {
      object["layouts"].push_back({{"version", by.version}, {"owners", by.names}});
    }
    object["partition_equal_ms_ago"] = proven ? Json(*proven) : Json();
    object["nodes"] = Json::array();
    for (const NodeOfKey& node : nodes) {
      Json row = {{"name", node.member.name}, {"owner", owners.contains(node.member.name)}};
      if (node.shown) {
        row["record"] = node.shown->at("record");
        row["hints"] = node.shown->at("hints");
      } else {
        row["error"] = node.shown.error().text;
      }
      object["nodes"].push_back(std::move(row));
    }
    object["converged"] = verdict.converged;
    object["verdict"] = verdict.sentences;
    output.Json(object);
    return ExitCode::kOk;
  }

  output.Line(fmt::format("{} in bucket {}: token {:016x}, partition {} of {}, N = {}",
                          Quoted(options.key), Quoted(options.bucket), token.value, partition,
                          layout->partition_count(), n));
  for (const OwnersOfKey::ByLayout& by : ring->layouts) {
    const bool changing = ring->layouts.size() > 1;
    output.Line(fmt::format("owners{}: {}",
                            changing ? fmt::format(" by layout {}{}", by.version,
                                                   by.version == ring->reading ? " (read)" : "")
                                     : std::string(),
                            fmt::join(by.names, ", ")));
  }
  output.Line("");
  for (const NodeOfKey& node : nodes) {
    const bool owner = owners.contains(node.member.name);
    if (!node.shown) {
      if (owner) {
        output.Line(
            fmt::format("{}  does not answer: {}", node.member.name, node.shown.error().text));
      }
      continue;
    }
    const Json& record = node.shown->at("record");
    if (owner || !record.is_null()) {
      output.Line(fmt::format("{}  {}{}", node.member.name, Summary(record),
                              owner ? "" : " (no owner; a handover takes it)"));
      PrintRecord(output, record, "    ");
    }
  }
  for (const NodeOfKey& node : nodes) {
    if (!node.shown) continue;
    for (const Json& hint : node.shown->at("hints")) {
      const auto owner = std::ranges::find_if(nodes, [&](const NodeOfKey& other) {
        return other.member.id.ToHex() == hint.at("owner").get<std::string>();
      });
      output.Line(fmt::format("{}  keeps for {}: {}", node.member.name,
                              owner != nodes.end()
                                  ? owner->member.name
                                  : hint.at("owner").get<std::string>().substr(0, 8),
                              Summary(hint.at("record"))));
      PrintRecord(output, hint.at("record"), "    ");
    }
  }
  output.Line("");
  output.Line(proven ? fmt::format("The partition was found equal on all its owners {} ago.",
                                   FormatSeconds(*proven / 1000))
                     : std::string("The partition has not been found equal on all its owners "
                                   "since one of them started."));
  output.Line(verdict.converged ? "Converged." : "Not converged.");
  for (const std::string& sentence : verdict.sentences) output.Line(sentence);
  return ExitCode::kOk;
}

}  // namespace

void AddExplainCommand(CLI::App* app, Commands* commands) {
  CLI::App* explain = app->add_subcommand(
      "explain", "What every node holds of a key, and whether that is the same");
  const auto options = std::make_shared<ExplainOptions>();
  explain->add_option("key", options->key, "The key")->required()->option_text("KEY");
  explain->add_option("--bucket", options->bucket, "The key's bucket [default]")
      ->option_text("NAME");
  (*commands)[explain] = [options](const GlobalOptions& global) { return Show(global, *options); };
}

}  // namespace eddy::tools
