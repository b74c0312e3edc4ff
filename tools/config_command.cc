// config describe, effective, check; log-level: what a node can be told, is told, and is told now.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "tools/admin_json.h"
#include "tools/command.h"
#include "tools/neighbour.h"
#include "tools/run_program.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

const Error kUnreadable{Code::kCorruption, "the answer is one that this eddyctl cannot read"};

std::string KeyOf(const Json& setting) {
  const std::string section = setting.at("section").get<std::string>();
  const std::string key = setting.at("key").get<std::string>();
  return section.empty() ? key : section + "." + key;
}

std::string ValueOf(const Json& value) { return value.is_null() ? "-" : value.dump(); }

// Those whose name is the filter, or begins with it up to a dot; all without one.
bool Chosen(const std::string& key, const std::string& filter) {
  return filter.empty() || key == filter || key.starts_with(filter + ".") ||
         key.ends_with("." + filter);
}

ExitCode NoSuchSetting(const Output& output, const std::string& filter,
                       const std::vector<std::string>& known) {
  const auto nearest = Nearest(filter, known);
  return output.Fail(
      {Code::kInvalidArgument,
       fmt::format("there is no setting {}{}: 'eddyctl config describe' lists all", Quoted(filter),
                   nearest ? fmt::format("; did you mean {}?", *nearest) : "")});
}

ExitCode Describe(const GlobalOptions& global, const std::string& filter) {
  const Output& output = global.output;
  const auto ended = RunToEnd({NeighbourEddyd(), "--describe-config"});
  if (!ended) return output.Fail(ended.error());
  const Json described = Json::parse(ended->out, nullptr, false);
  try {
    Json chosen = Json::array();
    std::vector<std::string> known;
    for (const Json& setting : described.at("settings")) {
      known.push_back(KeyOf(setting));
      if (Chosen(known.back(), filter)) chosen.push_back(setting);
    }
    if (chosen.empty()) return NoSuchSetting(output, filter, known);
    if (output.json()) {
      output.Json({{"settings", std::move(chosen)}});
      return ExitCode::kOk;
    }
    if (!filter.empty()) {
      for (const Json& setting : chosen) {
        output.Line(KeyOf(setting));
        output.Line("  " + setting.at("about").get<std::string>());
        output.Line("  takes     " + setting.at("expects").get<std::string>());
        output.Line("  default   " + ValueOf(setting.at("default")));
        output.Line("  variable  " + setting.at("variable").get<std::string>());
      }
      return ExitCode::kOk;
    }
    std::vector<std::vector<std::string>> rows = {{"setting", "default", "what it is for"}};
    for (const Json& setting : chosen) {
      rows.push_back(
          {KeyOf(setting), ValueOf(setting.at("default")), setting.at("about").get<std::string>()});
    }
    for (const std::string& line : FormatTable(rows)) output.Line(line);
    return ExitCode::kOk;
  } catch (const Json::exception&) {
    return output.Fail(kUnreadable);
  }
}

struct EffectiveOptions {
  std::string filter;
  bool changed = false;
};

// By node and setting; the settings in the order in which the nodes have them.
ExitCode Effective(const GlobalOptions& global, const EffectiveOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const std::vector<wire::MemberStatus> members = MembersByName(*status);
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : members) addresses.push_back(AddressOf(member));
  const auto answers = AskEachJson(global, addresses, "config.show", Json::object());
  try {
    std::vector<std::string> keys;
    std::map<std::string, Json> defaults;
    std::vector<std::map<std::string, Json>> values(members.size());
    Json nodes = Json::array();
    bool all = true;
    for (size_t i = 0; i < members.size(); ++i) {
      if (!answers[i]) {
        all = false;
        nodes.push_back({{"name", members[i].name}, {"error", answers[i].error().text}});
        output.Note(fmt::format("{}: {}", members[i].name, answers[i].error().text));
        continue;
      }
      Json settings = Json::object();
      for (const Json& setting : answers[i]->at("settings")) {
        const std::string key = KeyOf(setting);
        if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
        if (!Chosen(key, options.filter)) continue;
        if (options.changed && setting.at("value") == setting.at("default")) continue;
        defaults[key] = setting.at("default");
        values[i][key] = setting.at("value");
        settings[key] = setting.at("value");
      }
      nodes.push_back({{"name", members[i].name},
                       {"seeds", answers[i]->at("seeds")},
                       {"settings", std::move(settings)}});
    }
    if (!options.filter.empty() && !keys.empty() &&
        std::ranges::none_of(keys, [&](const auto& key) { return Chosen(key, options.filter); })) {
      return NoSuchSetting(output, options.filter, keys);
    }
    if (output.json()) {
      output.Json({{"nodes", std::move(nodes)}});
      return all ? ExitCode::kOk : ExitCode::kUnhealthy;
    }
    // What is the same on all nodes stands once.
    std::vector<std::vector<std::string>> rows = {{"setting", "node", "value", "default"}};
    for (const std::string& key : keys) {
      if (!defaults.contains(key)) continue;
      std::map<std::string, std::vector<std::string>> by_value;
      for (size_t i = 0; i < members.size(); ++i) {
        if (!answers[i]) continue;
        const auto found = values[i].find(key);
        by_value[found == values[i].end() ? ValueOf(defaults[key]) : ValueOf(found->second)]
            .push_back(members[i].name);
      }
      for (const auto& [value, names] : by_value) {
        rows.push_back({key,
                        by_value.size() == 1 ? "all" : fmt::format("{}", fmt::join(names, ",")),
                        value, value == ValueOf(defaults[key]) ? "" : ValueOf(defaults[key])});
      }
    }
    for (const std::string& line : FormatTable(rows)) output.Line(line);
    return all ? ExitCode::kOk : ExitCode::kUnhealthy;
  } catch (const Json::exception&) {
    return output.Fail(kUnreadable);
  }
}

// As a node would read it at its start, without variables and flags over it.
ExitCode Check(const GlobalOptions& global, const std::string& file) {
  const Output& output = global.output;
  const auto ended = RunToEnd({NeighbourEddyd(), "--check-config", "--config", file});
  if (!ended) return output.Fail(ended.error());
  std::string text = ended->out;
  while (text.ends_with('\n')) text.pop_back();
  if (ended->exit_code != 0) {
    return output.Fail(ExitCode::kUsage, CodeName(Code::kInvalidArgument), text);
  }
  if (output.json()) {
    output.Json({{"good", true}});
  } else {
    output.Line(fmt::format("{} is good", file));
  }
  return ExitCode::kOk;
}

ExitCode LogLevelOf(const GlobalOptions& global, const std::string& level, bool all) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  std::vector<wire::MemberStatus> members = MembersByName(*status);
  if (!all) {
    std::erase_if(members, [&](const auto& member) { return member.id != status->node; });
  }
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : members) addresses.push_back(AddressOf(member));
  const Json arguments = level.empty() ? Json::object() : Json{{"level", level}};
  const auto answers = AskEachJson(global, addresses, "log.level", arguments);
  Json nodes = Json::array();
  ExitCode exit = ExitCode::kOk;
  for (size_t i = 0; i < members.size(); ++i) {
    if (!answers[i]) {
      nodes.push_back({{"name", members[i].name}, {"error", answers[i].error().text}});
      if (!output.json()) {
        output.Aside(fmt::format("eddyctl: {}: {}", members[i].name, answers[i].error().text));
      }
      exit = answers[i].error().code == Code::kInvalidArgument ? ExitCode::kUsage
                                                               : ExitCode::kUnhealthy;
      continue;
    }
    const std::string now = answers[i]->value("level", "");
    const std::string before = answers[i]->value("before", "");
    nodes.push_back({{"name", members[i].name}, {"level", now}, {"before", before}});
    if (!output.json()) {
      output.Line(now == before ? fmt::format("{}  {}", members[i].name, now)
                                : fmt::format("{}  {}, was {}; until its next start",
                                              members[i].name, now, before));
    }
  }
  if (output.json()) output.Json({{"nodes", std::move(nodes)}});
  return exit;
}

}  // namespace

void AddConfigCommands(CLI::App* app, Commands* commands) {
  CLI::App* config = app->add_subcommand("config", "Settings: what there are, and what they are");
  (*commands)[config] = [](const GlobalOptions& global) {
    return global.output.Fail({Code::kInvalidArgument,
                               "say what to do: config describe, config effective or config check "
                               "FILE"});
  };
  CLI::App* describe =
      config->add_subcommand("describe", "Every setting, what it takes, and its default");
  const auto filter = std::make_shared<std::string>();
  describe->add_option("SETTING", *filter, "One of them, or a section: in full")->option_text(" ");
  (*commands)[describe] = [filter](const GlobalOptions& global) {
    return Describe(global, *filter);
  };

  CLI::App* effective =
      config->add_subcommand("effective", "What the nodes go by, and where they differ");
  const auto options = std::make_shared<EffectiveOptions>();
  effective->add_option("SETTING", options->filter, "One of them, or a section")->option_text(" ");
  effective->add_flag("--changed", options->changed, "Only what is not the default");
  (*commands)[effective] = [options](const GlobalOptions& global) {
    return Effective(global, *options);
  };

  CLI::App* check = config->add_subcommand("check", "Read a configuration file as eddyd would");
  const auto file = std::make_shared<std::string>();
  check->add_option("FILE", *file, "The file")->required()->option_text(" ");
  (*commands)[check] = [file](const GlobalOptions& global) { return Check(global, *file); };

  CLI::App* level = app->add_subcommand("log-level", "Show or change what a node logs");
  const auto name = std::make_shared<std::string>();
  const auto all = std::make_shared<bool>(false);
  level->add_option("LEVEL", *name, "debug, info, warning or error: until its next start")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->option_text(" ");
  level->add_flag("--all", *all, "Of every member, not only of the node that is asked");
  (*commands)[level] = [name, all](const GlobalOptions& global) {
    return LogLevelOf(global, *name, *all);
  };
}

}  // namespace eddy::tools
