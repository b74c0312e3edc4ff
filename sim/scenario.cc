#include "sim/scenario.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "sim/scenario_parser.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

bool IsWord(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace

Result<Scenario> ScenarioParser::Parse(std::string_view text) {
  bool settings = true;
  std::optional<uint32_t> repeat_line;  // of the one that is open
  uint32_t repeats = 0;
  std::vector<Line> repeated;
  uint32_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    Words words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (words.empty()) continue;
    if (settings && ParseSetting(words, number)) {
      if (words.wrong().empty() && !words.AtEnd()) {
        words.Wrong(fmt::format("{} is too much here", Quoted(words.Peek())));
      }
      if (!words.wrong().empty()) return Fail(number, words.wrong());
      continue;
    }
    if (settings) FinishSettings();
    settings = false;
    if (words.Accept("repeat")) {
      if (repeat_line) return Fail(number, "a repeat inside of another one: end that one first");
      repeats = static_cast<uint32_t>(words.TakeNumber("how often", 1, Scenario::kRepeatMax));
      repeat_line = number;
      repeated.clear();
      if (words.wrong().empty() && !words.AtEnd()) words.Wrong("repeat takes one number");
      if (!words.wrong().empty()) return Fail(number, words.wrong());
      continue;
    }
    if (words.Peek() == "end") {
      if (!repeat_line) return Fail(number, "an end without a repeat before it");
      repeat_line.reset();
      for (uint32_t turn = 1; turn <= repeats; ++turn) {
        for (const Line& line : repeated) {
          if (const Status parsed = ParseStep(line.number, line.words.With(turn)); !parsed) {
            return std::unexpected(parsed.error());
          }
        }
      }
      continue;
    }
    if (repeat_line) {
      repeated.push_back({number, std::move(words)});
      continue;
    }
    if (const Status parsed = ParseStep(number, std::move(words)); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  if (repeat_line) return Fail(*repeat_line, "this repeat has no end");
  const bool checks = std::ranges::any_of(scenario_.steps, [](const Step& step) {
    return std::holds_alternative<CheckStep>(step.action);
  });
  if (!checks)
    return Fail(std::max(number, 1u), "nothing is expected: such a scenario cannot fail");
  return std::move(scenario_);
}

// --- Settings

bool ScenarioParser::ParseSetting(Words& words, uint32_t line) {
  if (words.Accept("nodes")) {
    scenario_.founders =
        static_cast<uint32_t>(words.TakeNumber("how many nodes", 1, kScenarioNodesMax));
  } else if (words.Accept("spares")) {
    while (!words.AtEnd()) {
      scenario_.spares.push_back(words.Take("a name"));
      if (!IsWord(scenario_.spares.back())) words.Wrong("a name is of letters, digits and - _ .");
    }
  } else if (words.Accept("zones")) {
    scenario_.zones =
        static_cast<uint32_t>(words.TakeNumber("how many zones", 1, kScenarioNodesMax));
  } else if (words.Accept("joining")) {
    words.Need("by");
    words.Need("order");
    scenario_.joining_by_order = true;
  } else if (words.Accept("bucket")) {
    ParseBucket(words);
  } else if (words.Accept("place")) {
    ParsePlacement(words, line);
  } else if (words.Accept("anti-entropy")) {
    words.Need("every");
    scenario_.anti_entropy_period = words.TakeTime();
  } else if (words.Accept("reap")) {
    words.Need("after");
    scenario_.reap_after = words.TakeTime();
  } else if (words.Accept("hints")) {
    words.Need("at");
    words.Need("most");
    scenario_.hint_bytes_max = words.TakeNumber("how many bytes", 0, 1 << 30);
    words.Need("bytes");
  } else if (words.Accept("deadline")) {
    scenario_.deadline = words.TakeTime();
  } else if (words.Accept("fails")) {
    words.Need("with");
    ParseBugs(words);
  } else {
    return false;
  }
  if (words.wrong().empty() && scenario_.founders + scenario_.spares.size() > kScenarioNodesMax) {
    words.Wrong(fmt::format("more than {} nodes, spares included", kScenarioNodesMax));
  }
  return true;
}

void ScenarioParser::ParseBucket(Words& words) {
  if (!scenario_.placements.empty()) return words.Wrong("buckets come before the first place");
  BucketPlan bucket;
  bucket.name = words.Take("the bucket's name");
  if (!IsWord(bucket.name)) words.Wrong("a bucket's name is of letters, digits and - _ .");
  node::BucketProperties& has = bucket.properties;
  while (!words.AtEnd() && words.wrong().empty()) {
    const std::string word = words.Take("a property");
    if (word == "n") {
      has.n = TakeReplicas(words, "n");
    } else if (word == "r") {
      has.r = TakeReplicas(words, "r");
    } else if (word == "w") {
      has.w = TakeReplicas(words, "w");
    } else if (word == "pr") {
      has.pr = TakeReplicas(words, "pr", 0);
    } else if (word == "pw") {
      has.pw = TakeReplicas(words, "pw", 0);
    } else if (word == "lww") {
      has.conflict = node::Conflict::kLastWriter;
    } else if (word == "strict") {
      has.sloppy = false;
    } else if (word == "ttl") {
      has.ttl = std::chrono::duration_cast<milliseconds>(words.TakeTime());
    } else if (word == "siblings-max") {
      has.siblings_max = static_cast<uint32_t>(words.TakeNumber("siblings-max", 1, 10'000));
    } else {
      words.Wrong(
          fmt::format("{} is no property of a bucket: those are n, r, w, pr, pw, lww, "
                      "strict, ttl and siblings-max",
                      Quoted(word)));
    }
  }
  node::BucketTable table;
  if (const Status set = table.Set(bucket.name, has); !set) words.Wrong(set.error().text);
  if (std::ranges::any_of(scenario_.buckets,
                          [&](const auto& b) { return b.name == bucket.name; })) {
    words.Wrong(fmt::format("there is a bucket '{}' already", bucket.name));
  }
  scenario_.buckets.push_back(std::move(bucket));
}

void ScenarioParser::ParsePlacement(Words& words, uint32_t line) {
  if (scenario_.buckets.empty()) scenario_.buckets.push_back({"shop", {}});
  Placement placement{.line = line, .key = TakeKey(words), .nodes = {}};
  words.Need("on");
  while (!words.AtEnd()) {
    placement.nodes.push_back(words.Take("a name"));
    const std::string& name = placement.nodes.back();
    if (!IsWord(name)) words.Wrong("a name is of letters, digits and - _ .");
    if (std::ranges::count(placement.nodes, name) > 1) {
      words.Wrong(fmt::format("'{}' is named twice", name));
    }
  }
  if (placement.nodes.empty()) words.Wrong("place names the nodes that the key is to live on");
  if (placement.nodes.size() > scenario_.founders) {
    words.Wrong(
        fmt::format("more names than the {} nodes: say 'nodes N' before", scenario_.founders));
  }
  scenario_.placements.push_back(std::move(placement));
}

void ScenarioParser::ParseBugs(Words& words) {
  do {
    const std::string name = words.Take("a planted bug");
    const auto found = std::ranges::find(kPlantedBugNames, name);
    if (found == kPlantedBugNames.end() || found == kPlantedBugNames.begin()) {
      return words.Wrong(
          fmt::format("{} is no planted bug: eddy-sim --help lists them", Quoted(name)));
    }
    scenario_.fails_with.push_back(static_cast<PlantedBug>(found - kPlantedBugNames.begin()));
  } while (!words.AtEnd());
}

void ScenarioParser::FinishSettings() {
  if (scenario_.buckets.empty()) scenario_.buckets.push_back({"shop", {}});
  for (uint32_t i = 0; i < scenario_.founders; ++i) nodes_.insert(fmt::format("n{}", i));
  for (const Placement& placement : scenario_.placements) {
    nodes_.insert(placement.nodes.begin(), placement.nodes.end());
  }
  nodes_.insert(scenario_.spares.begin(), scenario_.spares.end());
}

// --- Names and numbers

Count ScenarioParser::TakeCount(Words& words) {
  Count count;
  if (words.Accept("no")) return count;
  if (words.Accept("at")) {
    const std::string which = words.Take("most or least");
    if (which != "most" && which != "least") words.Wrong("'at' goes on with most or least");
    count.kind = which == "most" ? Count::Kind::kAtMost : Count::Kind::kAtLeast;
  }
  count.number = words.TakeNumber("a count", 0, 1'000'000'000);
  return count;
}

std::vector<std::string> ScenarioParser::TakeValues(Words& words) {
  std::vector<std::string> values;
  do {
    values.push_back(words.Take("a value"));
  } while (!words.AtEnd() && words.Peek() != "within");
  std::ranges::sort(values);
  return values;
}

KeyName ScenarioParser::TakeKey(Words& words) {
  const std::string word = words.Take("a key");
  const size_t slash = word.find('/');
  KeyName name;
  name.key = slash == std::string::npos ? word : word.substr(slash + 1);
  if (slash != std::string::npos) {
    name.bucket = word.substr(0, slash);
  } else {
    name.bucket = scenario_.buckets.empty() ? "shop" : scenario_.buckets.front().name;
  }
  if (!IsWord(name.key) || !IsWord(name.bucket)) {
    words.Wrong(fmt::format(
        "a key is KEY or BUCKET/KEY, of letters, digits and - _ . alone; not {}", Quoted(word)));
  }
  const bool known = std::ranges::any_of(
      scenario_.buckets, [&](const BucketPlan& bucket) { return bucket.name == name.bucket; });
  if (!known && !(scenario_.buckets.empty() && name.bucket == "shop")) {
    words.Wrong(fmt::format("there is no bucket '{}': a setting says 'bucket {}'", name.bucket,
                            name.bucket));
  }
  return name;
}

void ScenarioParser::CheckNode(Words& words, const std::string& name) const {
  if (nodes_.contains(name)) return;
  words.Wrong(
      fmt::format("{} is no node here; those are {}", Quoted(name), fmt::join(nodes_, " ")));
}

std::string ScenarioParser::TakeNode(Words& words) {
  std::string name = words.Take("a node");
  CheckNode(words, name);
  return name;
}

Result<Scenario> ParseScenario(std::string file, std::string_view text) {
  return ScenarioParser(std::move(file)).Parse(text);
}

}  // namespace eddy::sim
