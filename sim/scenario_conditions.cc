// What a scenario expects, or waits for.
#include <array>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "sim/scenario_parser.h"

namespace eddy::sim {

Action ScenarioParser::ParseCheck(Words& words, bool awaited) {
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

bool ScenarioParser::IsReply(const Words& words) const {
  const std::string_view first = words.Peek();
  if (first == "done" || first == "not" || first == "unknown" || first == "value") return true;
  if (first == "no") return words.Peek(1) != "hints";
  return first == "at" || (!first.empty() && first.front() >= '0' && first.front() <= '9');
}

Condition ScenarioParser::ParseReply(Words& words) {
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

Condition ScenarioParser::ParseState(Words& words) {
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

Condition ScenarioParser::ParseNodeState(Words& words) {
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

Condition ScenarioParser::ParseHolds(Words& words, std::string node) {
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

}  // namespace eddy::sim
