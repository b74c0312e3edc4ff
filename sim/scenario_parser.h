// Reads the text of a scenario (sim/scenario.h, which has the grammar) line by line: settings
// first, then steps, whose conditions are read apart. What it has read so far says which names
// there are, so a name that nothing bears is an error where it stands.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "sim/scenario.h"
#include "sim/scenario_words.h"

namespace eddy::sim {

class ScenarioParser {
 public:
  explicit ScenarioParser(std::string file) { scenario_.file = std::move(file); }

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

}  // namespace eddy::sim
