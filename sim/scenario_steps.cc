// The steps of a scenario.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "sim/scenario_parser.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

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

}  // namespace

Status ScenarioParser::ParseStep(uint32_t line, Words words) {
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

Action ScenarioParser::ParseAction(Words& words) {
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

Action ScenarioParser::ParseRequest(Words& words, bool awaited) {
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

Action ScenarioParser::ParsePartition(Words& words) {
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

Action ScenarioParser::ParseCut(Words& words) {
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

Action ScenarioParser::ParseMachine(Words& words, MachineStep::What what) {
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

Action ScenarioParser::ParseClock(Words& words) {
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

Action ScenarioParser::ParseFail(Words& words) {
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

Action ScenarioParser::ParseOrder(Words& words, const std::string& verb) {
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

}  // namespace eddy::sim
