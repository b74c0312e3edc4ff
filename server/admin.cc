#include "server/admin.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "server/admin_calls.h"
#include "server/admin_looks.h"
#include "server/admin_process.h"
#include "server/backup_keeper.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;
using Answer = AdminAnswer;

// By the node's own clock: to be compared with what the same node says, and nothing else.
int64_t Microseconds(MonotonicTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

Answer RepairStatus(node::Node* node, Now now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  Json partitions = Json::array();
  for (const node::SyncState& state : node->SyncStates()) {
    Json row = {{"partition", state.partition}, {"equal_ms_ago", nullptr}};
    if (state.equal_at) {
      row["equal_ms_ago"] =
          std::chrono::duration_cast<std::chrono::milliseconds>(now.monotonic - *state.equal_at)
              .count();
    }
    if (state.begun_equal_at != MonotonicTime::max()) {
      row["begun_equal_at_us"] = nullptr;
      if (state.begun_equal_at) row["begun_equal_at_us"] = Microseconds(*state.begun_equal_at);
    }
    row["under_way"] = state.under_way;
    partitions.push_back(std::move(row));
  }
  return Json{{"compares", node->compares()},
              {"trees_known", node->trees_known()},
              {"background_percent", node->background_percent()},
              {"partitions", std::move(partitions)}};
}

Answer RepairStart(node::Node* node, Now now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"partition"}); !ok)
    return std::unexpected(ok.error());
  const auto partition =
      NumberWithin(arguments, "partition", 0, node->layout().partition_count() - 1);
  if (!partition) return std::unexpected(partition.error());
  if (!node->compares()) {
    return Fail(Code::kConflict,
                "nothing begun: this node keeps no hash trees; set anti_entropy_seconds in "
                "[background] of its configuration and restart it");
  }
  return Json{{"begun", node->StartSync(now, *partition)},
              {"begun_at_us", Microseconds(now.monotonic)}};
}

struct Call {
  std::string_view name;
  Answer (*run)(node::Node* node, Now now, const Json& arguments);
};
constexpr std::array<Call, 12> kCalls = {{
    {"cluster.clear", ClearCluster},
    {"cluster.commit", CommitCluster},
    {"cluster.force", ForceCluster},
    {"cluster.order", OrderCluster},
    {"cluster.plan", PlanCluster},
    {"cluster.ring", ShowRing},
    {"cluster.show", ShowCluster},
    {"cluster.stage", StageCluster},
    {"cluster.transfers", ShowTransfers},
    {"repair.start", RepairStart},
    {"repair.status", RepairStatus},
    {"tasks.cancel", CancelTask},
}};

constexpr std::string_view kFaultCalls = "fault.";
constexpr std::array<std::string_view, 2> kFaultCallNames = {"fault.set", "fault.show"};
constexpr std::string_view kHintsCall = "hints.show";
constexpr std::string_view kTasksCall = "tasks.show";

Answer RunFaultCall(node::Node* node, FaultTable* faults, std::string_view call,
                    const Json& arguments) {
  if (faults == nullptr) {
    return Fail(Code::kUnsupported,
                "this node breaks nothing on purpose: only a test cluster should be started with "
                "--enable-fault-injection");
  }
  if (call == "fault.show") return ShowFaults(*faults, arguments);
  if (call == "fault.set") return SetFaults(*node, faults, arguments);
  return Fail(Code::kUnsupported,
              "this node does not know that call; of faults it knows fault.set, fault.show");
}

Answer Run(const AdminSubject& subject, const wire::AdminRequest& request) {
  const auto arguments = AdminArgumentsOf(request);
  if (!arguments) return std::unexpected(arguments.error());
  if (request.call.starts_with(kFaultCalls)) {
    return RunFaultCall(subject.node, subject.faults, request.call, *arguments);
  }
  if (request.call == kHintsCall) return ShowHints(*subject.node, *subject.hints, *arguments);
  if (request.call == kTasksCall) return ShowTasks(*subject.node, *subject.hints, *arguments);
  const auto call = std::ranges::find(kCalls, std::string_view(request.call), &Call::name);
  if (call != kCalls.end()) return call->run(subject.node, subject.now, *arguments);
  std::vector<std::string_view> known = AdminCalls();
  for (const std::string_view of_backups : kBackupCalls) known.push_back(of_backups);
  std::ranges::sort(known);
  return Fail(Code::kUnsupported, "this node does not know that call; it knows " +
                                      fmt::format("{}", fmt::join(known, ", ")));
}

}  // namespace

AdminAnswer AdminArgumentsOf(const wire::AdminRequest& request) {
  if (request.arguments.empty()) return Json::object();
  Json arguments = Json::parse(request.arguments, nullptr, false);
  if (!arguments.is_object()) {
    return Fail(Code::kInvalidArgument, "the arguments must be a JSON object");
  }
  return arguments;
}

Status CheckAdminNames(const nlohmann::ordered_json& arguments,
                       std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : arguments.items()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return Fail(
        Code::kInvalidArgument,
        known.size() == 0
            ? fmt::format("this call takes no arguments, and '{}' was given", name)
            : fmt::format("unknown argument '{}': known are {}", name, fmt::join(known, ", ")));
  }
  return {};
}

Result<std::optional<uint64_t>> NumberWithin(const nlohmann::ordered_json& arguments,
                                             const char* name, uint64_t least, uint64_t most) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return std::nullopt;
  if (!found->is_number_unsigned() || found->get<uint64_t>() < least ||
      found->get<uint64_t>() > most) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} must be an integer within {} to {}", name, least, most));
  }
  return found->get<uint64_t>();
}

wire::AdminReply AdminReplyOf(const wire::AdminRequest& request, const AdminAnswer& answer) {
  wire::AdminReply reply{.id = request.id, .error = {}, .result = {}};
  if (!answer) {
    reply.error = answer.error();
    return reply;
  }
  // Names and paths may be any bytes.
  reply.result = answer->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (reply.result.size() > wire::kAdminResultBytesMax) {
    reply.error = Error{Code::kTooLarge, "the answer is larger than a frame may be"};
    reply.result.clear();
  }
  return reply;
}

std::vector<std::string_view> AdminCalls() {
  std::vector<std::string_view> calls(kLooks.begin(), kLooks.end());
  calls.insert(calls.end(), kProcessCalls.begin(), kProcessCalls.end());
  calls.insert(calls.end(), kFaultCallNames.begin(), kFaultCallNames.end());
  calls.push_back(kHintsCall);
  calls.push_back(kTasksCall);
  for (const Call& each : kCalls) calls.push_back(each.name);
  std::ranges::sort(calls);
  return calls;
}

wire::AdminReply RunAdmin(const AdminSubject& subject, const wire::AdminRequest& request) {
  return AdminReplyOf(request, Run(subject, request));
}

}  // namespace eddy::server
