#include "server/config_show.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "server/config_fields.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBucket = "bucket";

struct About {
  std::string_view section;
  std::string_view key;
  std::string_view text;
};
constexpr std::array kAbout = std::to_array<About>({
    {"", "cluster", "Nodes of a cluster of another name are refused."},
    {"", "seeds", "Where other nodes are found; the first founds a new cluster."},
    {"", "auto_join", "Whether nodes that ask are let in without an order."},
    {"", "partitions", "Of a cluster that is founded here: a power of two, fixed for its life."},
    {"node", "name", "No other member's; that of a seed, if the node is one."},
    {"node", "zone", "What it fails together with; replicas are kept in different zones."},
    {"node", "host", "Where others reach it."},
    {"node", "data_dir", "Where the data is."},
    {"node", "pid_file", "Where the process id is written."},
    {"node", "replaces", "The member, lost for ever, in whose place the node comes."},
    {"node", "weight",
     "How much of the data it is to hold, relative to the others, when it joins."},
    {"doors", "listen", "The address at which the doors are opened; the host if missing."},
    {"doors", "native", "The port of clients of the native protocol; 0: not opened."},
    {"doors", "peer", "The port of other nodes, for TCP and UDP."},
    {"doors", "resp", "The port of Redis clients; 0: not opened."},
    {"doors", "http", "The port of HTTP: health, metrics, keys; 0: not opened."},
    {"storage", "engine", "On disk, or in memory alone (for tests)."},
    {"storage", "durability", "What acknowledged means: on disk, in the system's log, in memory."},
    {"storage", "memory_limit",
     "Of the whole process; if missing, a quarter of what its machine or control group has, and "
     "256MiB at least."},
    {"storage", "disk_reserve_percent",
     "With less of its disk free only deletes are taken; 0: never."},
    {"log", "level", "The least that is logged."},
    {"log", "format", "Text, or JSON lines; auto: text on a terminal."},
    {"limits", "value_bytes_max", "The largest value."},
    {"limits", "deadline_ms", "How long a request that names nothing else may take."},
    {"limits", "deadline_max_ms", "The longest that a request may name."},
    {"limits", "connections_max", "Of one door."},
    {"limits", "pipeline_max", "Requests under way of one connection."},
    {"limits", "operations_max", "Requests under way of the node."},
    {"background", "bytes_per_second", "The most that repair and moves read and send."},
    {"background", "foreground_p99_ms", "Requests slower than this slow background work down."},
    {"background", "anti_entropy_seconds", "How often owners compare each partition; 0: never."},
    {"background", "tree_age_hours", "How old a hash tree becomes; 0: any age."},
    {"background", "scrub_hours",
     "How often all that is stored is read at least; 0: never for that."},
    {"background", "reap_minutes", "How long the deleted is remembered at least; 0: for ever."},
    {"background", "hint_bytes_max", "How much is kept for each node that cannot be reached."},
    {kBucket, "n", "Replicas of a key. The same on all nodes: it says who owns a key."},
    {kBucket, "r", "Replicas that must answer a read; a majority if missing."},
    {kBucket, "w", "Replicas that must store a write; a majority if missing."},
    {kBucket, "pr", "How many of the r must be primaries."},
    {kBucket, "pw", "How many of the w must be primaries."},
    {kBucket, "sloppy", "Whether stand-ins count while owners cannot be reached."},
    {kBucket, "conflict", "Concurrent writes all show, or the last writer wins."},
    {kBucket, "ttl_ms", "How long values live; 0: for ever."},
    {kBucket, "durability", "What acknowledged means; the node's if missing."},
    {kBucket, "reap_minutes", "As for the node, where it is longer for this bucket."},
    {kBucket, "siblings_max", "Siblings of a key beyond which a blind write is refused."},
});

std::string Variable(std::string_view section, std::string_view key) {
  std::string name(section.empty() ? "EDDY_" : "EDDY_" + std::string(section) + "_");
  name += key;
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

Json Description(std::string_view section, std::string_view key, std::string_view variable,
                 std::string_view expects, Json value) {
  return {{"section", section},          {"key", key},
          {"variable", variable},        {"expects", expects},
          {"default", std::move(value)}, {"about", AboutSetting(section, key)}};
}

void AppendSettings(std::string_view section, const std::vector<Field>& fields,
                    const std::vector<Field>& defaults, Json* settings) {
  for (size_t i = 0; i < fields.size(); ++i) {
    settings->push_back({{"section", section},
                         {"key", fields[i].key},
                         {"value", fields[i].show()},
                         {"default", defaults[i].show()}});
  }
}

}  // namespace

std::string_view AboutSetting(std::string_view section, std::string_view key) {
  for (const About& about : kAbout) {
    if (about.section == section && about.key == key) return about.text;
  }
  return {};
}

Json DescribeConfig() {
  Config config;
  Json settings = Json::array();
  for (const Section& section : SectionsOf(&config)) {
    for (const Field& field : section.fields) {
      settings.push_back(Description(section.name, field.key, Variable(section.name, field.key),
                                     field.expects, field.show()));
    }
    if (section.name.empty()) {
      settings.push_back(Description("", "seeds", Variable("", "seeds"),
                                     "a list of \"name@host:peer-port/zone\"", Json::array()));
    }
  }
  node::BucketProperties bucket;
  for (const Field& field : BucketFields(&bucket)) {
    settings.push_back(
        Description(kBucket, field.key,
                    fmt::format("{} or EDDY_BUCKET_name_{}", Variable("bucket_defaults", field.key),
                                Variable("", field.key).substr(5)),
                    field.expects, field.show()));
  }
  return {{"settings", std::move(settings)}};
}

Json ShowConfig(const Config& config) {
  Config now = config;
  Config fresh;
  Json settings = Json::array();
  const std::vector<Section> sections = SectionsOf(&now);
  const std::vector<Section> defaults = SectionsOf(&fresh);
  for (size_t i = 0; i < sections.size(); ++i) {
    AppendSettings(sections[i].name, sections[i].fields, defaults[i].fields, &settings);
  }
  node::BucketProperties untouched;
  const std::vector<Field> bucket_defaults = BucketFields(&untouched);
  const auto bucket = [&](const std::string& section, node::BucketProperties properties) {
    AppendSettings(section, BucketFields(&properties), bucket_defaults, &settings);
  };
  bucket("bucket_defaults", config.buckets.defaults());
  for (const auto& [name, properties] : config.buckets.named()) {
    bucket(fmt::format("bucket.{}", name), properties);
  }
  Json seeds = Json::array();
  for (const Seed& seed : config.seeds) seeds.push_back(FormatSeed(seed));
  return {{"settings", std::move(settings)},
          {"seeds", std::move(seeds)},
          {"fault_injection", config.fault_injection}};
}

}  // namespace eddy::server
