// tasks.show, tasks.cancel: what this node does that takes long, whoever began it.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "ring/partition.h"
#include "server/admin_calls.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;

// What becomes of one that cannot be cancelled.
struct Kind {
  std::string_view name;
  std::string_view why_not;  // empty: it can be
};
constexpr std::array<Kind, 7> kKinds = {{
    {"repair", ""},
    {"transfer", "a layout is not taken back half way: order another change when it has ended"},
    {"handover", "what this node holds for others goes to them, whatever is ordered"},
    {"hints", "it ends when the owner has them, or has been removed from the cluster"},
    {"trees",
     "without its hash trees nobody can compare this node's replicas with the others': "
     "bytes_per_second says how fast it reads"},
    {"scrub",
     "it comes again by itself: scrub_hours and reap_minutes say how often, and bytes_per_second "
     "how fast it reads"},
    {"mend", "until it has ended this node does not answer for what it has lost"},
}};

Json Task(std::string_view kind, Json progress) {
  Json task = {{"kind", kind}};
  task.update(progress);
  for (const Kind& each : kKinds) {
    if (each.name == kind) task["can_be_cancelled"] = each.why_not.empty();
  }
  return task;
}

}  // namespace

AdminAnswer ShowTasks(const node::Node& node, const storage::HintLedger& ledger,
                      const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  Json tasks = Json::array();
  if (const size_t left = node.syncs_left(); left > 0) {
    const size_t asked = std::max(node.syncs_asked(), left);
    tasks.push_back(
        Task("repair", {{"done", asked - left}, {"total", asked}, {"unit", "comparisons"}}));
  }
  if (node.filled() < node.fills()) {
    tasks.push_back(Task(
        "transfer", {{"done", node.filled()}, {"total", node.fills()}, {"unit", "comparisons"}}));
  }
  if (node.layouts() != nullptr && !node.handed_over()) {
    tasks.push_back(Task("handover", Json::object()));
  }
  if (const size_t missing = node.trees_missing(); missing > 0) {
    const size_t wanted = node.trees_wanted();
    tasks.push_back(
        Task("trees", {{"done", wanted - missing}, {"total", wanted}, {"unit", "partitions"}}));
  }
  if (const auto partition = node.scrubbing()) {
    tasks.push_back(Task("scrub", {{"done", *partition},
                                   {"total", ring::PartitionCount(node.layout().partition_bits())},
                                   {"unit", "partitions"},
                                   {"recurs", true}}));
  }
  if (const size_t partitions = node.damaged_partitions(); partitions > 0) {
    tasks.push_back(Task("mend", {{"left", partitions}, {"unit", "partitions"}}));
  }
  const ring::LayoutHistory* layouts = node.layouts();
  for (const auto& [owner, usage] : ledger.usage()) {
    const ring::Member* member = layouts == nullptr ? nullptr : layouts->newest().Find(owner);
    tasks.push_back(Task("hints", {{"for", member == nullptr ? owner.ToHex() : member->name},
                                   {"waits", member != nullptr && !node.Reachable(owner)},
                                   {"left", usage.rows},
                                   {"unit", "keys"}}));
  }
  return Json{{"tasks", std::move(tasks)}};
}

AdminAnswer CancelTask(node::Node* node, Now now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"kind"}); !ok) return std::unexpected(ok.error());
  const auto given = arguments.find("kind");
  const std::string name =
      given != arguments.end() && given->is_string() ? given->get<std::string>() : "";
  for (const Kind& kind : kKinds) {
    if (kind.name != name) continue;
    if (!kind.why_not.empty()) {
      return Fail(Code::kConflict,
                  fmt::format("{} cannot be cancelled: {}", kind.name, kind.why_not));
    }
    return Json{{"cancelled", node->StopSyncs(now)}};
  }
  std::vector<std::string_view> names;
  for (const Kind& kind : kKinds) names.push_back(kind.name);
  return Fail(Code::kInvalidArgument,
              fmt::format("kind must be one of {}", fmt::join(names, ", ")));
}

}  // namespace eddy::server
