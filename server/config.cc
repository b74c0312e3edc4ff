#include "server/config.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "ring/layout.h"
#include "server/config_fields.h"

namespace eddy::server {

namespace {

// As BytesFromText takes it, in the largest unit that leaves nothing over.
std::string TextFromBytes(uint64_t bytes) {
  static constexpr std::string_view kUnits[] = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) bytes /= 1024, ++unit;
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

Field TextField(std::string_view key, std::string* target) {
  return {key, "a string",
          [target](const toml::node& node) {
            const auto text = node.value_exact<std::string>();
            if (text) *target = *text;
            return text.has_value();
          },
          [target] { return *target; }};
}

// `Target` is anything that is made from an integer.
template <class Target>
Field NumberField(std::string_view key, uint64_t least, uint64_t most, Target* target) {
  return {key, fmt::format("an integer within {} to {}", least, most),
          [=](const toml::node& node) {
            const auto number = node.value_exact<int64_t>();
            if (!number || std::cmp_less(*number, least) || std::cmp_greater(*number, most)) {
              return false;
            }
            if constexpr (std::is_integral_v<Target>) {
              *target = static_cast<Target>(*number);
            } else if constexpr (requires { typename Target::value_type; }) {
              *target = static_cast<typename Target::value_type>(*number);
            } else {
              *target = Target(*number);
            }
            return true;
          },
          [target]() -> nlohmann::ordered_json {
            if constexpr (std::is_integral_v<Target>) {
              return *target;
            } else if constexpr (requires { typename Target::value_type; }) {
              return target->has_value() ? nlohmann::ordered_json(**target) : nullptr;
            } else {
              return target->count();
            }
          }};
}

template <class Target>
Field PortField(std::string_view key, Target* target) {
  return NumberField(key, 0, 65535, target);
}

// `Target` is a number, or perhaps one.
template <class Target>
Field BytesField(std::string_view key, uint64_t least, uint64_t most, Target* target) {
  return {key,
          fmt::format("a size such as \"256MiB\", or an integer of bytes, within {} to {}", least,
                      most),
          [=](const toml::node& node) {
            std::optional<uint64_t> bytes;
            if (const auto text = node.value_exact<std::string_view>()) {
              bytes = BytesFromText(*text);
            } else if (const auto number = node.value_exact<int64_t>(); number && *number >= 0) {
              bytes = static_cast<uint64_t>(*number);
            }
            if (!bytes || *bytes < least || *bytes > most) return false;
            *target = *bytes;
            return true;
          },
          [target]() -> nlohmann::ordered_json {
            if constexpr (std::is_integral_v<Target>) {
              return TextFromBytes(*target);
            } else {
              return target->has_value() ? nlohmann::ordered_json(TextFromBytes(**target))
                                         : nullptr;
            }
          }};
}

Field PartitionsField(std::string_view key, unsigned* bits) {
  return {key, "a power of two within 1 to 16384",
          [=](const toml::node& node) {
            const auto number = node.value_exact<int64_t>();
            if (!number || *number < 1 || *number > int64_t{1} << ring::kPartitionBitsMax ||
                !std::has_single_bit(static_cast<uint64_t>(*number))) {
              return false;
            }
            *bits = static_cast<unsigned>(std::countr_zero(static_cast<uint64_t>(*number)));
            return true;
          },
          [bits] { return 1U << *bits; }};
}

// One of a few names.
template <class Value, class Target>
Field ChoiceField(std::string_view key, std::vector<std::pair<std::string_view, Value>> choices,
                  Target* target) {
  std::string expects = "one of";
  for (const auto& [name, value] : choices) expects += fmt::format(" \"{}\"", name);
  return {key, std::move(expects),
          [choices, target](const toml::node& node) {
            const auto text = node.value_exact<std::string_view>();
            if (!text) return false;
            for (const auto& [name, value] : choices) {
              if (name != *text) continue;
              *target = value;
              return true;
            }
            return false;
          },
          [choices, target]() -> nlohmann::ordered_json {
            for (const auto& [name, value] : choices) {
              if (*target == value) return name;
            }
            return nullptr;
          }};
}

const std::vector<std::pair<std::string_view, storage::Durability>> kDurabilities = {
    {"sync", storage::Durability::kSync},
    {"os", storage::Durability::kOs},
    {"memory", storage::Durability::kMemory},
};

Field SwitchField(std::string_view key, bool* target) {
  return {key, "true or false",
          [target](const toml::node& node) {
            const auto value = node.value_exact<bool>();
            if (value) *target = *value;
            return value.has_value();
          },
          [target] { return *target; }};
}

}  // namespace

std::vector<Field> BucketFields(node::BucketProperties* bucket) {
  return {
      NumberField("n", 1, ring::kWalkMax, &bucket->n),
      NumberField("r", 1, ring::kWalkMax, &bucket->r),
      NumberField("w", 1, ring::kWalkMax, &bucket->w),
      NumberField("pr", 0, ring::kWalkMax, &bucket->pr),
      NumberField("pw", 0, ring::kWalkMax, &bucket->pw),
      SwitchField("sloppy", &bucket->sloppy),
      ChoiceField<node::Conflict>(
          "conflict",
          {{"siblings", node::Conflict::kSiblings}, {"lww", node::Conflict::kLastWriter}},
          &bucket->conflict),
      NumberField("ttl_ms", 0, uint64_t{100} * 365 * 24 * 3600 * 1000, &bucket->ttl),
      ChoiceField("durability", kDurabilities, &bucket->durability),
      NumberField("reap_minutes", 0, 10 * 365 * 24 * 60, &bucket->reap_age),
      NumberField("siblings_max", 1, 10'000, &bucket->siblings_max),
  };
}

std::vector<Section> SectionsOf(Config* config) {
  constexpr uint64_t kDayMs = uint64_t{24} * 3600 * 1000;
  return {
      {"",
       {TextField("cluster", &config->cluster), SwitchField("auto_join", &config->auto_join),
        PartitionsField("partitions", &config->partition_bits)}},
      {"node",
       {TextField("name", &config->name), TextField("zone", &config->zone),
        TextField("host", &config->host), TextField("data_dir", &config->data_dir),
        TextField("pid_file", &config->pid_file), TextField("replaces", &config->replaces),
        NumberField("weight", 1, ring::kMemberWeightMax, &config->weight)}},
      {"doors",
       {TextField("listen", &config->listen), PortField("native", &config->native),
        PortField("peer", &config->peer), PortField("resp", &config->resp),
        PortField("http", &config->http)}},
      {"storage",
       {ChoiceField<EngineKind>(
            "engine", {{"rocksdb", EngineKind::kRocksDb}, {"memory", EngineKind::kMemory}},
            &config->engine),
        ChoiceField("durability", kDurabilities, &config->durability),
        BytesField("memory_limit", uint64_t{16} << 20, uint64_t{1} << 44,
                   &config->memory_limit_bytes),
        NumberField("disk_reserve_percent", 0, 90, &config->disk_reserve_percent)}},
      {"log",
       {ChoiceField<LogLevel>("level",
                              {{"debug", LogLevel::kDebug},
                               {"info", LogLevel::kInfo},
                               {"warning", LogLevel::kWarning},
                               {"error", LogLevel::kError}},
                              &config->log_level),
        ChoiceField<LogFormat>(
            "format",
            {{"auto", LogFormat::kAuto}, {"text", LogFormat::kText}, {"json", LogFormat::kJson}},
            &config->log_format)}},
      {"limits",
       {BytesField("value_bytes_max", 1, kValueBytesMax, &config->value_bytes_max),
        NumberField("deadline_ms", 1, kDayMs, &config->deadline),
        NumberField("deadline_max_ms", 1, kDayMs, &config->deadline_max),
        NumberField("connections_max", 1, 1'000'000, &config->connections_max),
        NumberField("pipeline_max", 1, 1'000'000, &config->pipeline_max),
        NumberField("operations_max", 1, 10'000'000, &config->operations_max)}},
      {"background",
       {BytesField("bytes_per_second", 64 << 10, uint64_t{1} << 40,
                   &config->background_bytes_per_second),
        NumberField("foreground_p99_ms", 1, 60'000, &config->foreground_p99_max),
        NumberField("anti_entropy_seconds", 0, 30 * 24 * 3600, &config->anti_entropy_period),
        NumberField("tree_age_hours", 0, 10 * 365 * 24, &config->tree_age_max),
        NumberField("scrub_hours", 0, 10 * 365 * 24, &config->scrub_period),
        NumberField("reap_minutes", 0, 10 * 365 * 24 * 60, &config->reap_after),
        BytesField("hint_bytes_max", 1 << 20, uint64_t{1} << 44, &config->hint_bytes_max)}},
  };
}

std::string FormatErrors(const std::vector<ConfigError>& errors) {
  std::string text;
  for (const ConfigError& error : errors) {
    text += error.where.empty() ? error.text : fmt::format("{}: {}", error.where, error.text);
    text += '\n';
  }
  return text;
}

std::vector<ConfigError> CompleteConfig(Config* config, uint64_t machine_memory_bytes) {
  std::vector<ConfigError> errors;
  if (config->cluster.empty()) errors.push_back({"", "the cluster's name must not be empty"});
  if (auto ok = CheckSeeds(config->seeds); !ok) errors.push_back({"", ok.error().text});
  if (config->seeds.empty()) {
    if (config->name.empty()) config->name = "n1";
    if (config->host.empty()) config->host = "127.0.0.1";
    if (!config->peer) config->peer = 0;
  } else if (config->name.empty()) {
    errors.push_back({"",
                      "a node of a cluster needs a name: give it as --name, or as name in "
                      "[node]"});
    return errors;
  } else if (const auto own = std::ranges::find(config->seeds, config->name, &Seed::name);
             own != config->seeds.end()) {
    if (config->host.empty()) config->host = own->host;
    if (!config->peer) config->peer = own->peer_port;
    if (!config->zone.empty() && config->zone != own->zone) {
      errors.push_back({"", fmt::format("node '{}' has the zone '{}', and '{}' in its seed list: "
                                        "correct one of them",
                                        config->name, config->zone, own->zone)});
    }
    config->zone = own->zone;
  } else {
    if (config->host.empty()) {
      errors.push_back({"", fmt::format("node '{}' is none of its seeds, so it must be told where "
                                        "others reach it: give --host",
                                        config->name)});
    }
    if (!config->peer) config->peer = 7401;
  }
  if (!config->seeds.empty() && (config->host == "0.0.0.0" || config->host == "::")) {
    errors.push_back({"", fmt::format("others cannot reach a node at {0}: give --listen {0}, and "
                                      "as --host a name or address of this machine",
                                      config->host)});
  }
  if (config->listen.empty()) config->listen = config->host;
  if (!config->seeds.empty() && *config->peer == 0) {
    errors.push_back({"",
                      "the peer door of a node with other members cannot be closed: give "
                      "--peer-port a port other than 0"});
  }
  if (config->engine == EngineKind::kMemory && config->replaces.empty()) {
    // What it was before has gone with its memory.
    config->replaces = config->name;
  }
  ring::Member self{.id = NodeId{0, 1}, .name = config->name, .zone = config->zone};
  self.doors.host = config->host;
  if (auto ok = ring::CheckMembers({self}); !ok) {
    errors.push_back({"", fmt::format("this node cannot be a member: {}", ok.error().text)});
  }

  const std::pair<std::string_view, uint16_t> doors[] = {{"native", config->native},
                                                         {"peer", *config->peer},
                                                         {"resp", config->resp},
                                                         {"http", config->http}};
  for (size_t i = 0; i < std::size(doors); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (doors[i].second == 0 || doors[i].second != doors[j].second) continue;
      errors.push_back({"", fmt::format("the {} and the {} door have the same port {}: give one "
                                        "of them another",
                                        doors[j].first, doors[i].first, doors[i].second)});
    }
  }
  if (!config->memory_limit_bytes) {
    config->memory_limit_bytes = MemoryLimitFor(machine_memory_bytes);
  }
  if (const auto plan = PlanMemory(NeedsOf(*config)); !plan) {
    errors.push_back({"", plan.error().text});
  }
  if (config->deadline > config->deadline_max) {
    errors.push_back({"", fmt::format("deadline_ms = {} is over deadline_max_ms = {}",
                                      config->deadline.count(), config->deadline_max.count())});
  }
  return errors;
}

MemoryNeeds NeedsOf(const Config& config) {
  return {.limit_bytes = config.memory_limit_bytes.value_or(0),
          .partitions = uint64_t{1} << config.partition_bits,
          .replica_counts = config.buckets.ReplicaCounts().size()};
}

std::optional<storage::Durability> DurabilityFromText(std::string_view text) {
  for (const auto& [name, durability] : kDurabilities) {
    if (name == text) return durability;
  }
  return std::nullopt;
}

std::optional<uint64_t> BytesFromText(std::string_view text) {
  uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{}) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  static constexpr std::pair<std::string_view, unsigned> kUnits[] = {
      {"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  for (const auto& [name, shift] : kUnits) {
    if (unit != name) continue;
    if (number > (~uint64_t{0} >> shift)) return std::nullopt;
    return number << shift;
  }
  return std::nullopt;
}

}  // namespace eddy::server
