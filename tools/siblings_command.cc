// siblings top: the keys whose writers do not resolve what they write side by side.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "tools/command.h"
#include "tools/each_member.h"
#include "tools/interrupt.h"
#include "tools/json_lines.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

struct TopOptions {
  std::string bucket;
  size_t count = 10;
  uint64_t least = 2;
};

// By bucket and key; of its replicas, the one with the most.
struct Crowd {
  uint64_t siblings = 0;
  uint64_t bytes = 0;
};
using KeyName = std::pair<std::string, std::string>;
using Crowds = std::map<KeyName, Crowd>;

std::string Bytes(const Json& object, const char* name) {
  return DecodeBase64(object.at(name).get<std::string>(), Base64::kStandard).value_or("");
}

void Add(const Json& page, Crowds* crowds) {
  for (const Json& key : page.at("keys")) {
    Crowd& crowd = (*crowds)[{Bytes(key, "bucket_base64"), Bytes(key, "key_base64")}];
    crowd.siblings = std::max(crowd.siblings, key.at("siblings").get<uint64_t>());
    crowd.bytes = std::max(crowd.bytes, key.at("bytes").get<uint64_t>());
  }
}

// Keeps the `count` with the most siblings, the largest first.
std::vector<std::pair<KeyName, Crowd>> Top(const Crowds& crowds, size_t count) {
  std::vector<std::pair<KeyName, Crowd>> top(crowds.begin(), crowds.end());
  std::ranges::stable_sort(top, std::ranges::greater(), [](const auto& crowd) {
    return std::tuple(crowd.second.siblings, crowd.second.bytes);
  });
  if (top.size() > count) top.resize(count);
  return top;
}

ExitCode ShowTop(const GlobalOptions& global, const TopOptions& options) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const std::vector<AskedMember> members = MembersOf(*status);
  CatchInterrupt();
  Progress progress("records", output.err_is_terminal() && !output.quiet() && !output.json());
  Crowds crowds;
  uint64_t records = 0;
  std::vector<std::string> failed;
  Json silent = Json::array();
  for (const AskedMember& member : members) {
    Json arguments = {{"least", options.least}};
    if (!options.bucket.empty()) {
      arguments["bucket_base64"] = EncodeBase64(options.bucket, Base64::kStandard);
    }
    for (bool more = true; more && !Interrupted();) {
      const auto page = std::move(
          AskEach<Json>(global, {member}, "siblings.page", arguments, [&](Json json, size_t) {
            Add(json, &crowds);
            records += json.at("records").get<uint64_t>();
            return json;
          }).front());
      more = page && page->contains("cursor");
      if (more) arguments["cursor"] = page->at("cursor");
      if (!page) {
        failed.push_back(fmt::format("{}  {}", member.name, page.error().text));
        silent.push_back({{"name", member.name}, {"error", page.error().text}});
      }
      progress.Update(records, std::nullopt, records);
      // All but the largest are forgotten, so this needs little memory however many there are.
      if (crowds.size() > 100 * options.count) {
        const auto top = Top(crowds, 10 * options.count);
        crowds = Crowds(top.begin(), top.end());
      }
    }
  }
  progress.Hide();
  const auto top = Top(crowds, options.count);
  if (output.json()) {
    Json keys = Json::array();
    for (const auto& [name, crowd] : top) {
      Json key = Json::object();
      SetBytes("bucket", name.first, &key);
      SetBytes("key", name.second, &key);
      key["siblings"] = crowd.siblings;
      key["bytes"] = crowd.bytes;
      keys.push_back(std::move(key));
    }
    output.Json({{"records_read", records}, {"keys", std::move(keys)}, {"silent", silent}});
  } else {
    if (top.empty()) {
      output.Line(fmt::format("none of {} records has {} siblings or more", FormatCount(records),
                              options.least));
    } else {
      std::vector<std::vector<std::string>> rows = {{"siblings", "bytes", "bucket", "key"}};
      for (const auto& [name, crowd] : top) {
        rows.push_back({FormatCount(crowd.siblings), FormatBytes(crowd.bytes), Quoted(name.first),
                        Quoted(name.second)});
      }
      for (const std::string& line : FormatTable(rows)) output.Line(line);
      output.Line(
          "'eddyctl get --all KEY' shows the siblings of a key, and a put or del that "
          "follows with its context replaces them");
    }
    for (const std::string& line : failed) output.Line(line);
  }
  if (Interrupted()) return ExitCode::kInterrupted;
  return failed.empty() ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void AddSiblingsCommand(CLI::App* app, Commands* commands) {
  CLI::App* siblings = app->add_subcommand("siblings", "Keys with several concurrent values");
  siblings->require_subcommand(1);
  CLI::App* top = siblings->add_subcommand(
      "top", "The keys with the most siblings; reads every record of every node once");
  const auto options = std::make_shared<TopOptions>();
  top->add_option("--bucket", options->bucket, "Only keys of this bucket")->option_text("NAME");
  top->add_option("-n,--count", options->count, "How many keys to show [10]")
      ->check(CLI::Range(size_t{1}, size_t{10'000}))
      ->option_text("COUNT");
  top->add_option("--least", options->least, "Only keys with so many siblings or more [2]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}))
      ->option_text("COUNT");
  (*commands)[top] = [options](const GlobalOptions& global) { return ShowTop(global, *options); };
}

}  // namespace eddy::tools
