// What the members of a cluster do that takes long, as a list that people can name. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"

namespace eddy::tools {

struct LongTask {
  std::string node;      // that does it
  std::string kind;      // repair, transfer, handover, trees, scrub, mend, hints
  std::string for_node;  // of hints
  bool waits = false;    // for a node that cannot be reached
  bool recurs = false;   // it comes again and again, as a matter of routine
  bool can_be_cancelled = false;
  std::optional<uint64_t> done;
  std::optional<uint64_t> total;
  std::optional<uint64_t> left;
  std::string unit;  // of the three
};

// A node's answer to tasks.show. Throws what the JSON library throws where it is not one.
std::vector<LongTask> ReadTasks(const std::string& node, const nlohmann::ordered_json& answer);

// "KIND", of every node, or "NODE/KIND".
struct TaskName {
  std::string node;  // empty: every
  std::string kind;

  bool Means(const LongTask& task) const {
    return (node.empty() || node == task.node) && kind == task.kind;
  }
};
// kInvalidArgument names what there is. `nodes`: the members' names.
Result<TaskName> ParseTaskName(std::string_view text, const std::vector<std::string>& nodes);

std::string NameOf(const LongTask& task);       // "n1/repair"
std::string SayProgress(const LongTask& task);  // "12 of 40 comparisons (30 %)"

}  // namespace eddy::tools
