// ReadConfig: the configuration file.
#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "server/config.h"
#include "server/config_fields.h"

namespace eddy::server {

namespace {

std::string Describe(const toml::node& node) {
  if (const auto text = node.value_exact<std::string_view>()) {
    return fmt::format("the string '{}'", *text);
  }
  if (const auto number = node.value_exact<int64_t>())
    return fmt::format("the integer {}", *number);
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return node.value_or(false) ? "the boolean true" : "the boolean false";
    default:
      return "a date or time";
  }
}

class FileReader {
 public:
  FileReader(std::string_view file, Config* config) : file_(file), config_(config) {}

  std::vector<ConfigError> Read(const toml::table& top) {
    const std::vector<Section> sections = SectionsOf(config_);
    for (const auto& [key, node] : top) ReadTop(sections, key, node);
    return std::move(errors_);
  }

  void Report(const toml::source_region& at, std::string text) {
    errors_.push_back(
        {fmt::format("{}:{}:{}", file_, at.begin.line, at.begin.column), std::move(text)});
  }

  std::vector<ConfigError> TakeErrors() { return std::move(errors_); }

 private:
  void ReadTop(const std::vector<Section>& sections, const toml::key& key, const toml::node& node) {
    if (key == "seeds") return ReadSeeds(node);
    if (key == "bucket") return ReadBuckets(node);
    if (key == "bucket_defaults") {
      node::BucketProperties properties;
      if (ReadBucket("bucket_defaults", node, &properties)) {
        config_->buckets.SetDefault(properties);
      }
      return;
    }
    for (const Section& section : sections) {
      if (section.name == key.str()) return ReadTable(section.name, section.fields, node);
    }
    for (const Field& field : sections.front().fields) {
      if (field.key == key.str()) return ReadField(field, node);
    }
    std::vector<std::string> known = {"cluster", "seeds", "bucket", "bucket_defaults"};
    for (const Section& section : sections) {
      for (const Field& field : section.fields) {
        if (!section.name.empty() && field.key == key.str()) {
          return Report(key.source(),
                        fmt::format("'{}' stands in the section [{}]", key.str(), section.name));
        }
      }
      if (!section.name.empty()) known.emplace_back(section.name);
    }
    ReportUnknown(key, "the file", known);
  }

  void ReadTable(std::string_view name, const std::vector<Field>& fields, const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      return Report(node.source(),
                    fmt::format("expected [{}] to be a section, found {}", name, Describe(node)));
    }
    for (const auto& [key, value] : *table) {
      const auto field = std::ranges::find(fields, key.str(), &Field::key);
      if (field != fields.end()) {
        ReadField(*field, value);
        continue;
      }
      std::vector<std::string> known;
      for (const Field& each : fields) known.emplace_back(each.key);
      ReportUnknown(key, fmt::format("[{}]", name), known);
    }
  }

  void ReadField(const Field& field, const toml::node& node) {
    if (field.read(node)) return;
    Report(node.source(),
           fmt::format("{}: expected {}, found {}", field.key, field.expects, Describe(node)));
  }

  void ReportUnknown(const toml::key& key, std::string_view where,
                     const std::vector<std::string>& known) {
    const auto nearest = Nearest(key.str(), known);
    Report(key.source(),
           fmt::format("unknown key '{}' in {}; {}", key.str(), where,
                       nearest ? fmt::format("did you mean '{}'?", *nearest)
                               : fmt::format("known are {}", fmt::join(known, ", "))));
  }

  void ReadSeeds(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      return Report(node.source(),
                    fmt::format("seeds: expected a list of strings, found {}", Describe(node)));
    }
    config_->seeds.clear();
    for (const toml::node& element : *list) {
      const auto text = element.value_exact<std::string_view>();
      if (!text) {
        Report(element.source(),
               fmt::format("seeds: expected a string, found {}", Describe(element)));
        continue;
      }
      auto seed = ParseSeed(*text);
      if (seed) {
        config_->seeds.push_back(*std::move(seed));
      } else {
        Report(element.source(), seed.error().text);
      }
    }
  }

  void ReadBuckets(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      return Report(node.source(), "a bucket's section is [bucket.NAME]");
    }
    for (const auto& [key, value] : *table) {
      const std::string name(key.str());
      node::BucketProperties properties = config_->buckets.Find(name);
      if (!ReadBucket(fmt::format("bucket.{}", name), value, &properties)) continue;
      if (auto ok = config_->buckets.Set(name, properties); !ok) {
        Report(key.source(), ok.error().text);
      }
    }
  }

  // False, with errors reported, unless the properties are good each by itself and together.
  bool ReadBucket(const std::string& name, const toml::node& node,
                  node::BucketProperties* properties) {
    const size_t errors_before = errors_.size();
    ReadTable(name, BucketFields(properties), node);
    if (errors_.size() != errors_before) return false;
    if (auto ok = node::ResolveQuorum(*properties, {}, properties->n); !ok) {
      Report(node.source(), fmt::format("{}: {}", name, ok.error().text));
      return false;
    }
    return true;
  }

  const std::string file_;
  Config* const config_;
  std::vector<ConfigError> errors_;
};

}  // namespace

std::vector<ConfigError> ReadConfig(std::string_view toml, std::string_view file, Config* config) {
  FileReader reader(file, config);
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    reader.Report(parsed.error().source(), std::string(parsed.error().description()));
    return reader.TakeErrors();
  }
  return reader.Read(parsed.table());
}

}  // namespace eddy::server
