// ReadEnvironment: settings by environment variables, as containers are given them.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <utility>

#include <fmt/core.h>

#include "base/nearest.h"
#include "server/config.h"
#include "server/config_fields.h"

namespace eddy::server {

namespace {

constexpr std::string_view kPrefix = "EDDY_";
constexpr std::string_view kSeeds = "EDDY_SEEDS";
constexpr std::string_view kBucket = "EDDY_BUCKET_";
constexpr std::string_view kBucketDefaults = "EDDY_BUCKET_DEFAULTS_";
// Whose names begin like ours: the command line's, and eddyctl's.
constexpr std::string_view kOthers[] = {kConfigVariable, "EDDY_NODE"};

std::string Capitals(std::string_view text) {
  std::string capitals(text);
  std::ranges::transform(capitals, capitals.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return capitals;
}

std::string VariableOf(std::string_view section, std::string_view key) {
  const std::string name = Capitals(key);
  return section.empty() ? fmt::format("{}{}", kPrefix, name)
                         : fmt::format("{}{}_{}", kPrefix, Capitals(section), name);
}

// A variable has no type: what a file would say with or without quotes is the same here.
bool ReadText(const Field& field, std::string_view text) {
  if (field.read(toml::value<std::string>(std::string(text)))) return true;
  int64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, number);
  if (failed == std::errc{} && end == last) return field.read(toml::value<int64_t>(number));
  return (text == "true" || text == "false") && field.read(toml::value<bool>(text == "true"));
}

struct BucketVariable {
  std::string_view variable;
  std::string_view key;
  std::string_view text;
};

class EnvironmentReader {
 public:
  explicit EnvironmentReader(Config* config) : config_(config), sections_(SectionsOf(config)) {
    for (const Section& section : sections_) {
      for (const Field& field : section.fields) {
        settings_.emplace(VariableOf(section.name, field.key), &field);
      }
    }
  }

  std::vector<ConfigError> Read(std::span<const std::string> environment) {
    for (const std::string& variable : environment) {
      const std::string_view whole = variable;
      const size_t equals = whole.find('=');
      if (!whole.starts_with(kPrefix) || equals == std::string_view::npos) continue;
      const std::string_view name = whole.substr(0, equals);
      const std::string_view text = whole.substr(equals + 1);
      if (text.empty() || std::ranges::count(kOthers, name) > 0) continue;
      if (name.starts_with(kBucketDefaults)) {
        SortBucketVariable(name, kBucketDefaults, text);
      } else if (name.starts_with(kBucket)) {
        SortBucketVariable(name, kBucket, text);
      } else {
        ReadSetting(name, text);
      }
    }
    for (const auto& [name, variables] : buckets_) ReadBucket(name, variables);
    return std::move(errors_);
  }

 private:
  void Report(std::string_view variable, std::string text) {
    errors_.push_back({std::string(variable), std::move(text)});
  }

  void ReadField(std::string_view variable, const Field& field, std::string_view text) {
    if (ReadText(field, text)) return;
    Report(variable, fmt::format("expected {}, found '{}'", field.expects, text));
  }

  void ReadSetting(std::string_view variable, std::string_view text) {
    if (variable == kSeeds) {
      if (auto seeds = ParseSeeds(text)) {
        config_->seeds = *std::move(seeds);
      } else {
        Report(variable, seeds.error().text);
      }
      return;
    }
    const auto setting = settings_.find(variable);
    if (setting != settings_.end()) return ReadField(variable, *setting->second, text);
    std::vector<std::string> known = {std::string(kSeeds)};
    for (const std::string_view other : kOthers) known.emplace_back(other);
    for (const auto& [name, field] : settings_) known.push_back(name);
    ReportUnknown(variable, known);
  }

  void ReportUnknown(std::string_view variable, const std::vector<std::string>& known) {
    const auto nearest = Nearest(variable, known);
    Report(variable, fmt::format("there is no such setting; {}",
                                 nearest ? fmt::format("did you mean {}?", *nearest)
                                         : "take the variable away, or see the settings in "
                                           "docs/OPERATIONS.md"));
  }

  // Finds out which bucket's it is. `prefix` is that of all buckets, or that of the defaults.
  void SortBucketVariable(std::string_view variable, std::string_view prefix,
                          std::string_view text) {
    const std::string_view rest = variable.substr(prefix.size());
    node::BucketProperties ignored;
    std::vector<std::string> known;
    for (const Field& field : BucketFields(&ignored)) {
      const std::string key = Capitals(field.key);
      known.push_back(fmt::format("{}{}", prefix, key));
      if (prefix == kBucketDefaults) {
        if (rest == key) return buckets_[""].push_back({variable, field.key, text});
      } else if (rest.size() > key.size() + 1 && rest.ends_with(fmt::format("_{}", key))) {
        const std::string_view bucket = rest.substr(0, rest.size() - key.size() - 1);
        return buckets_[std::string(bucket)].push_back({variable, field.key, text});
      }
    }
    if (prefix == kBucketDefaults) return ReportUnknown(variable, known);
    Report(variable,
           "there is no such setting; a bucket's are EDDY_BUCKET_NAME_N, and so on with "
           "each of its keys");
  }

  void ReadBucket(const std::string& name, const std::vector<BucketVariable>& variables) {
    node::BucketProperties properties = config_->buckets.Find(name);
    const std::vector<Field> fields = BucketFields(&properties);
    const size_t errors_before = errors_.size();
    for (const auto& [variable, key, text] : variables) {
      ReadField(variable, *std::ranges::find(fields, key, &Field::key), text);
    }
    if (errors_.size() != errors_before) return;
    Status ok;
    if (!name.empty()) {
      ok = config_->buckets.Set(name, properties);
    } else if (auto quorum = node::ResolveQuorum(properties, {}, properties.n); !quorum) {
      ok = std::unexpected(quorum.error());
    } else {
      config_->buckets.SetDefault(properties);
    }
    if (!ok) Report(variables.front().variable, ok.error().text);
  }

  Config* const config_;
  const std::vector<Section> sections_;
  std::map<std::string, const Field*, std::less<>> settings_;  // by variable

  // By bucket; the empty name, which comes first, means the defaults.
  std::map<std::string, std::vector<BucketVariable>> buckets_;

  std::vector<ConfigError> errors_;
};

}  // namespace

std::vector<ConfigError> ReadEnvironment(std::span<const std::string> environment, Config* config) {
  return EnvironmentReader(config).Read(environment);
}

}  // namespace eddy::server
