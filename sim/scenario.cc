#include "sim/scenario.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "sim/scenario_words.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

class Parser {
 public:
  explicit Parser(std::string file) { scenario_.file = std::move(file); }

  Result<Scenario> Parse(std::string_view text);

 private:
  struct Line {
    uint32_t number;
    Words words;
  };

  std::unexpected<Error> Fail(uint32_t line, std::string_view what) const {
    return eddy::Fail(Code::kInvalidArgument, fmt::format("{}:{}: {}", scenario_.file, line, what));
  }

  // False: not a setting.
  bool ParseSetting(Words& words, uint32_t line);
  void ParseBucket(Words& words);
  void ParsePlacement(Words& words, uint32_t line);
  void ParseBugs(Words& words);
  // Names that are there from the first step on.
  void FinishSettings();

  Status ParseStep(uint32_t line, Words words);
  Action ParseAction(Words& words);
  Action ParseRequest(Words& words, bool awaited);
  Action ParsePartition(Words& words);
  Action ParseCut(Words& words);
  Action ParseMachine(Words& words, MachineStep::What what);
  Action ParseClock(Words& words);
  Action ParseFail(Words& words);
  Action ParseOrder(Words& words, const std::string& verb);
  Action ParseCheck(Words& words, bool awaited);
  Condition ParseReply(Words& words);
  Condition ParseState(Words& words);
  Condition ParseNodeState(Words& words);
  Condition ParseHolds(Words& words, std::string node);
  // False: not a condition of a reply.
  bool IsReply(const Words& words) const;

  Count TakeCount(Words& words);
  std::vector<std::string> TakeValues(Words& words);
  KeyName TakeKey(Words& words);
  std::string TakeNode(Words& words);
  void CheckNode(Words& words, const std::string& name) const;
  uint8_t TakeReplicas(Words& words, std::string_view what, uint64_t least = 1) {
    return static_cast<uint8_t>(words.TakeNumber(what, least, kScenarioNodesMax));
  }

  Scenario scenario_;
  std::set<std::string> nodes_;
  std::set<std::string> contexts_;
  std::set<std::string> requests_;
  std::set<std::string> copies_;
};

bool IsWord(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<Scenario> Parser::Parse(std::string_view text) {
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

bool Parser::ParseSetting(Words& words, uint32_t line) {
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

void Parser::ParseBucket(Words& words) {
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

void Parser::ParsePlacement(Words& words, uint32_t line) {
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

void Parser::ParseBugs(Words& words) {
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

void Parser::FinishSettings() {
  if (scenario_.buckets.empty()) scenario_.buckets.push_back({"shop", {}});
  for (uint32_t i = 0; i < scenario_.founders; ++i) nodes_.insert(fmt::format("n{}", i));
  for (const Placement& placement : scenario_.placements) {
    nodes_.insert(placement.nodes.begin(), placement.nodes.end());
  }
  nodes_.insert(scenario_.spares.begin(), scenario_.spares.end());
}

// --- Steps

Status Parser::ParseStep(uint32_t line, Words words) {
  if (scenario_.steps.size() == Scenario::kStepsMax) {
    return Fail(line, fmt::format("more than {} steps", Scenario::kStepsMax));
  }
  Step step{.line = line, .text = words.Text(), .action = {}};
  step.action = ParseAction(words);
  if (words.wrong().empty() && !words.AtEnd()) {
    words.Wrong(fmt::format("{} is too much here", Quoted(words.Peek())));
  }
  if (!words.wrong().empty()) return Fail(line, words.wrong());
  scenario_.steps.push_back(std::move(step));
  return {};
}

constexpr std::array<std::pair<std::string_view, MachineStep::What>, 9> kMachineVerbs = {{
    {"kill", MachineStep::What::kKill},
    {"power-loss", MachineStep::What::kLosePower},
    {"stop", MachineStep::What::kStop},
    {"wipe", MachineStep::What::kWipe},
    {"start", MachineStep::What::kStart},
    {"slow-disk", MachineStep::What::kSlowDisk},
    {"quick-disk", MachineStep::What::kQuickDisk},
    {"full-disk", MachineStep::What::kFullDisk},
    {"free-disk", MachineStep::What::kFreeDisk},
}};

Action Parser::ParseAction(Words& words) {
  if (words.Accept("begin")) return ParseRequest(words, false);
  const std::string_view next = words.Peek();
  if (next == "put" || next == "get" || next == "delete") return ParseRequest(words, true);
  const std::string verb = words.Take("a step");
  for (const auto& [name, what] : kMachineVerbs) {
    if (verb == name) return ParseMachine(words, what);
  }
  if (verb == "await" || verb == "retry") {
    std::string name = words.Take("a request's name");
    if (!requests_.contains(name)) {
      words.Wrong(fmt::format("no request before was named {}: say 'as NAME' there", Quoted(name)));
    }
    if (verb == "await") return AwaitStep{std::move(name)};
    words.Need("at");
    return RetryStep{std::move(name), TakeNode(words)};
  }
  if (verb == "partition") return ParsePartition(words);
  if (verb == "cut") return ParseCut(words);
  if (verb == "heal") return HealStep{};
  if (verb == "pause") {
    PauseStep pause{.node = TakeNode(words)};
    words.Need("for");
    pause.length = words.TakeTime();
    return pause;
  }
  if (verb == "clock") return ParseClock(words);
  if (verb == "leap") return LeapStep{words.TakeLeap()};
  if (verb == "fail") return ParseFail(words);
  if (verb == "forget") {
    ForgetStep forget{.key = TakeKey(words), .node = {}};
    words.Need("at");
    forget.node = TakeNode(words);
    return forget;
  }
  if (verb == "rot") {
    RotStep rot{.key = TakeKey(words), .node = {}};
    words.Need("at");
    rot.node = TakeNode(words);
    return rot;
  }
  if (verb == "copy" || verb == "restore") {
    CopyStep copy{.node = TakeNode(words), .name = {}, .restore = verb == "restore"};
    words.Need(copy.restore ? "from" : "to");
    copy.name = words.Take("the copy's name");
    if (!copy.restore) copies_.insert(copy.name);
    if (!copies_.contains(copy.name)) {
      words.Wrong(fmt::format("no copy named {} was made before", Quoted(copy.name)));
    }
    return copy;
  }
  if (verb == "join" || verb == "leave" || verb == "remove" || verb == "take-over" ||
      verb == "replace") {
    return ParseOrder(words, verb);
  }
  if (verb == "expect") return ParseCheck(words, false);
  if (verb == "wait") {
    if (words.Accept("until")) return ParseCheck(words, true);
    return WaitStep{words.TakeTime()};
  }
  static constexpr std::array<std::string_view, 10> kSettings = {
      "nodes", "spares",       "zones", "joining", "bucket",
      "place", "anti-entropy", "reap",  "hints",   "deadline"};
  const bool setting = verb == "fails" || std::ranges::find(kSettings, verb) != kSettings.end();
  words.Wrong(setting ? fmt::format("the setting '{}' comes after the first step: move it up", verb)
                      : fmt::format("{} is neither a setting nor a step: docs/SIMULATOR.md lists "
                                    "them",
                                    Quoted(verb)));
  return HealStep{};
}

Action Parser::ParseRequest(Words& words, bool awaited) {
  RequestStep request;
  request.awaited = awaited;
  const std::string verb = words.Take("put, get or delete");
  if (verb == "put") {
    request.kind = RequestStep::Kind::kPut;
  } else if (verb == "delete") {
    request.kind = RequestStep::Kind::kDelete;
  } else if (verb != "get") {
    words.Wrong(fmt::format("put, get or delete must come here, not {}", Quoted(verb)));
  }
  request.key = TakeKey(words);
  if (request.kind == RequestStep::Kind::kPut) {
    request.value = words.Take("a value");
    if (request.value == "at") words.Wrong("a value is missing here");
  }
  words.Need("at");
  request.node = TakeNode(words);
  while (!words.AtEnd() && words.wrong().empty()) {
    const std::string word = words.Take("an option");
    if (word == "r") {
      request.quorum.r = TakeReplicas(words, "r");
    } else if (word == "w") {
      request.quorum.w = TakeReplicas(words, "w");
    } else if (word == "pr") {
      request.quorum.pr = TakeReplicas(words, "pr", 0);
    } else if (word == "pw") {
      request.quorum.pw = TakeReplicas(words, "pw", 0);
    } else if (word == "strict") {
      request.quorum.sloppy = false;
    } else if (word == "seen" && request.kind != RequestStep::Kind::kGet) {
      request.seen = words.Take("a context's name");
      if (!contexts_.contains(request.seen)) {
        words.Wrong(fmt::format("no context named {} was kept before: say 'keep NAME' with a get",
                                Quoted(request.seen)));
      }
    } else if (word == "keep") {
      request.keep = words.Take("a name for the context");
    } else if (word == "within") {
      request.deadline = words.TakeTime();
    } else if (word == "expires" && request.kind == RequestStep::Kind::kPut) {
      request.expires_in = std::chrono::duration_cast<milliseconds>(words.TakeTime());
    } else if (word == "as") {
      request.name = words.Take("a name for the request");
    } else {
      words.Wrong(
          fmt::format("{} is no option of {}: those are r, w, pr, pw, strict, seen, keep, "
                      "expires, within and as",
                      Quoted(word), verb));
    }
  }
  if (!awaited && request.name.empty()) {
    words.Wrong("a request that begins and is not waited for needs a name: say 'as NAME'");
  }
  // Not before: a request cannot pass what it is to bring.
  if (!request.keep.empty()) contexts_.insert(request.keep);
  if (!request.name.empty()) requests_.insert(request.name);
  return request;
}

Action Parser::ParsePartition(Words& words) {
  PartitionStep partition;
  partition.groups.emplace_back();
  std::set<std::string> all;
  while (!words.AtEnd() && words.wrong().empty()) {
    if (words.Accept("|")) {
      partition.groups.emplace_back();
      continue;
    }
    partition.groups.back().push_back(TakeNode(words));
    if (!all.insert(partition.groups.back().back()).second) {
      words.Wrong(fmt::format("'{}' cannot be on two sides", partition.groups.back().back()));
    }
  }
  const bool hollow = std::ranges::any_of(partition.groups, &std::vector<std::string>::empty);
  if (partition.groups.size() < 2 || hollow) {
    words.Wrong("partition takes groups of nodes with | between them: partition A B | C D");
  }
  return partition;
}

Action Parser::ParseCut(Words& words) {
  CutStep cut;
  while (!words.AtEnd() && words.Peek() != "->") cut.from.push_back(TakeNode(words));
  words.Need("->");
  while (!words.AtEnd()) cut.to.push_back(TakeNode(words));
  if (cut.from.empty() || cut.to.empty()) {
    words.Wrong("cut takes who is not heard any more and by whom: cut A B -> C");
  }
  for (const std::string& from : cut.from) {
    if (std::ranges::find(cut.to, from) != cut.to.end()) {
      words.Wrong(fmt::format("'{}' cannot be cut off from itself", from));
    }
  }
  return cut;
}

Action Parser::ParseMachine(Words& words, MachineStep::What what) {
  MachineStep step{.what = what, .nodes = {}};
  if (what == MachineStep::What::kWipe) {
    step.nodes.push_back(TakeNode(words));
    if (words.Accept("as-stranger")) step.what = MachineStep::What::kWipeAsStranger;
    return step;
  }
  while (!words.AtEnd() && words.Peek() != "keeping-tail") step.nodes.push_back(TakeNode(words));
  if (what == MachineStep::What::kLosePower && words.Accept("keeping-tail")) {
    step.what = MachineStep::What::kLosePowerKeepingTail;
  }
  if (step.nodes.empty()) words.Wrong("a node is missing here");
  return step;
}

Action Parser::ParseClock(Words& words) {
  ClockStep clock{.node = TakeNode(words)};
  const std::string jump = words.Take("+TIME, -TIME or right");
  if (jump == "right") return clock;
  if (jump.empty() || (jump.front() != '+' && jump.front() != '-')) {
    words.Wrong(
        fmt::format("a clock jumps by +TIME or -TIME, or is right again; not {}", Quoted(jump)));
    return clock;
  }
  const auto by =
      std::chrono::duration_cast<milliseconds>(words.TimeOf(std::string_view(jump).substr(1)));
  clock.ahead = jump.front() == '+' ? by : -by;
  return clock;
}

Action Parser::ParseFail(Words& words) {
  FailStep fail;
  const std::string call = words.Take("get, write or sync");
  if (call == "write") {
    fail.call = storage::MemoryEngine::Call::kWrite;
  } else if (call == "sync") {
    fail.call = storage::MemoryEngine::Call::kSync;
  } else if (call != "get") {
    words.Wrong(fmt::format("get, write or sync must come here, not {}", Quoted(call)));
  }
  words.Need("at");
  fail.node = TakeNode(words);
  return fail;
}

Action Parser::ParseOrder(Words& words, const std::string& verb) {
  OrderStep order;
  if (verb == "join") {
    order.kind = ring::LayoutChange::Kind::kJoin;
    order.newcomer = TakeNode(words);
  } else if (verb == "leave" || verb == "remove") {
    order.kind =
        verb == "leave" ? ring::LayoutChange::Kind::kLeave : ring::LayoutChange::Kind::kRemove;
    order.member = TakeNode(words);
  } else if (verb == "take-over") {
    order.kind = ring::LayoutChange::Kind::kTakeOver;
    order.newcomer = TakeNode(words);
    words.Need("for");
    order.member = TakeNode(words);
  } else {
    order.kind = ring::LayoutChange::Kind::kReplace;
    order.member = TakeNode(words);
    words.Need("with");
    order.newcomer = TakeNode(words);
  }
  words.Need("at");
  order.at = TakeNode(words);
  return order;
}

// --- Conditions

Action Parser::ParseCheck(Words& words, bool awaited) {
  CheckStep check;
  if (!awaited) {
    check.condition = IsReply(words) ? ParseReply(words) : ParseState(words);
    return check;
  }
  if (IsReply(words)) {
    words.Wrong("a reply is there as soon as its request is: say expect in place of wait until");
    return check;
  }
  check.condition = ParseState(words);
  check.within = words.Accept("within") ? words.TakeTime() : Scenario::kWithinDefault;
  return check;
}

bool Parser::IsReply(const Words& words) const {
  const std::string_view first = words.Peek();
  if (first == "done" || first == "not" || first == "unknown" || first == "value") return true;
  if (first == "no") return words.Peek(1) != "hints";
  return first == "at" || (!first.empty() && first.front() >= '0' && first.front() <= '9');
}

Condition Parser::ParseReply(Words& words) {
  Condition condition;
  if (words.Accept("done")) return condition;
  if (words.Accept("not")) {
    words.Need("done");
    condition.kind = Condition::Kind::kNotDone;
    if (words.AtEnd()) return condition;
    condition.name = words.Take("a code");
    for (uint8_t code = 1; IsCode(code); ++code) {
      if (CodeName(static_cast<Code>(code)) == condition.name) return condition;
    }
    words.Wrong(
        fmt::format("{} is no code, such as unavailable, busy or timeout", Quoted(condition.name)));
    return condition;
  }
  if (words.Accept("unknown")) {
    condition.kind = Condition::Kind::kUnknown;
    return condition;
  }
  if (words.Accept("value")) {
    condition.kind = Condition::Kind::kValues;
    condition.values = TakeValues(words);
    return condition;
  }
  if (words.Peek() == "no" && words.Peek(1) == "value") {
    words.Need("no");
    words.Need("value");
    condition.kind = Condition::Kind::kValues;
    return condition;
  }
  condition.count = TakeCount(words);
  if (words.Accept("siblings")) {
    condition.kind = Condition::Kind::kSiblings;
  } else if (words.Accept("primaries")) {
    condition.kind = Condition::Kind::kPrimaries;
  } else {
    words.Wrong("siblings or primaries must come behind the number");
  }
  return condition;
}

Condition Parser::ParseState(Words& words) {
  static constexpr std::array<std::pair<std::string_view, Condition::Kind>, 3> kOfAll = {{
      {"settled", Condition::Kind::kSettled},
      {"healthy", Condition::Kind::kHealthy},
      {"converged", Condition::Kind::kConverged},
  }};
  Condition condition;
  for (const auto& [word, kind] : kOfAll) {
    if (!words.Accept(word)) continue;
    condition.kind = kind;
    return condition;
  }
  if (words.Accept("no")) {
    words.Need("hints");
    condition.kind = Condition::Kind::kNoHints;
    return condition;
  }
  if (words.Peek(1) == "is" && words.Peek(2) == "gone") {
    condition.kind = Condition::Kind::kGone;
    condition.key = TakeKey(words);
    words.Need("is");
    words.Need("gone");
    return condition;
  }
  return ParseNodeState(words);
}

Condition Parser::ParseNodeState(Words& words) {
  Condition condition;
  condition.node = TakeNode(words);
  if (words.Accept("holds")) return ParseHolds(words, std::move(condition.node));
  if (words.Accept("keeps")) {
    condition.kind = Condition::Kind::kHints;
    condition.count = TakeCount(words);
    if (!words.Accept("hint")) words.Need("hints");
    if (words.Accept("for")) condition.other = TakeNode(words);
  } else if (words.Accept("is")) {
    if (words.Accept("ready")) {
      condition.kind = Condition::Kind::kReady;
    } else if (words.Accept("starting")) {
      condition.kind = Condition::Kind::kStarting;
    } else if (words.Accept("waiting")) {
      condition.kind = Condition::Kind::kWaiting;
    } else {
      words.Need("down");
      condition.kind = Condition::Kind::kDown;
    }
  } else if (words.Accept("believes")) {
    condition.kind = Condition::Kind::kBelieves;
    condition.other = TakeNode(words);
  } else if (words.Accept("knows")) {
    if (words.Accept("layout")) {
      condition.kind = Condition::Kind::kLayout;
      condition.count = TakeCount(words);
    } else {
      condition.kind = Condition::Kind::kMembers;
      condition.count = TakeCount(words);
      words.Need("members");
    }
  } else if (words.Accept("counts")) {
    condition.kind = Condition::Kind::kCounter;
    condition.name = words.Take("a counter's name");
    condition.count = TakeCount(words);
  } else {
    words.Wrong("holds, keeps, is, believes, knows or counts must come behind the node");
  }
  return condition;
}

Condition Parser::ParseHolds(Words& words, std::string node) {
  Condition condition;
  condition.kind = Condition::Kind::kHolds;
  condition.node = std::move(node);
  condition.key = TakeKey(words);
  if (words.Accept("nothing")) return condition;
  if (words.Accept("tombstone")) {
    condition.tombstone = true;
    return condition;
  }
  condition.values = TakeValues(words);
  return condition;
}

Count Parser::TakeCount(Words& words) {
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

std::vector<std::string> Parser::TakeValues(Words& words) {
  std::vector<std::string> values;
  do {
    values.push_back(words.Take("a value"));
  } while (!words.AtEnd() && words.Peek() != "within");
  std::ranges::sort(values);
  return values;
}

KeyName Parser::TakeKey(Words& words) {
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

void Parser::CheckNode(Words& words, const std::string& name) const {
  if (nodes_.contains(name)) return;
  words.Wrong(
      fmt::format("{} is no node here; those are {}", Quoted(name), fmt::join(nodes_, " ")));
}

std::string Parser::TakeNode(Words& words) {
  std::string name = words.Take("a node");
  CheckNode(words, name);
  return name;
}

}  // namespace

Result<Scenario> ParseScenario(std::string file, std::string_view text) {
  return Parser(std::move(file)).Parse(text);
}

}  // namespace eddy::sim
