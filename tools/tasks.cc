#include "tools/tasks.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "base/text.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> kKinds = {"repair", "transfer", "handover", "trees",
                                         "scrub",  "mend",     "hints"};

std::optional<uint64_t> NumberOf(const Json& task, const char* name) {
  const auto found = task.find(name);
  return found == task.end() ? std::nullopt : std::optional(found->get<uint64_t>());
}

}  // namespace

std::vector<LongTask> ReadTasks(const std::string& node, const Json& answer) {
  std::vector<LongTask> tasks;
  for (const Json& json : answer.at("tasks")) {
    tasks.push_back({.node = node,
                     .kind = json.at("kind").get<std::string>(),
                     .for_node = json.value("for", ""),
                     .waits = json.value("waits", false),
                     .recurs = json.value("recurs", false),
                     .can_be_cancelled = json.at("can_be_cancelled").get<bool>(),
                     .done = NumberOf(json, "done"),
                     .total = NumberOf(json, "total"),
                     .left = NumberOf(json, "left"),
                     .unit = json.value("unit", "")});
  }
  return tasks;
}

Result<TaskName> ParseTaskName(std::string_view text, const std::vector<std::string>& nodes) {
  TaskName name;
  const size_t slash = text.rfind('/');
  name.kind = text.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (slash != std::string_view::npos) {
    name.node = text.substr(0, slash);
    if (std::ranges::find(nodes, name.node) == nodes.end()) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: no member is named {}: there are {}", Quoted(text),
                              Quoted(name.node), fmt::join(nodes, ", ")));
    }
  }
  if (std::ranges::find(kKinds, name.kind) == kKinds.end()) {
    const auto nearest = Nearest(std::string_view(name.kind).substr(0, 60), kKinds);
    return Fail(
        Code::kInvalidArgument,
        fmt::format("{} is no task{}: name it NODE/KIND, or KIND for that of every node; "
                    "kinds are {}",
                    Quoted(text), nearest ? fmt::format(" (did you mean {}?)", *nearest) : "",
                    fmt::join(kKinds, ", ")));
  }
  return name;
}

std::string NameOf(const LongTask& task) { return task.node + "/" + task.kind; }

std::string SayProgress(const LongTask& task) {
  if (task.done && task.total) {
    return fmt::format("{} of {} {} ({} %)", FormatCount(*task.done), FormatCount(*task.total),
                       task.unit, *task.total == 0 ? 100 : *task.done * 100 / *task.total);
  }
  if (task.left) return fmt::format("{} {} left", FormatCount(*task.left), task.unit);
  return "";
}

}  // namespace eddy::tools
