#include "server/admin_process.h"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "server/admin_calls.h"
#include "server/config_show.h"
#include "server/process_figures.h"
#include "server/version.h"
#include "wire/hello.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;

// Null where the system does not say.
Json Known(std::optional<uint64_t> figure) { return figure ? Json(*figure) : Json(); }

Json DiskJson(const std::string& directory) {
  const auto disk = DiskOf(directory);
  if (!disk) return nullptr;
  return {{"bytes", disk->bytes}, {"bytes_free", disk->bytes_free}};
}

AdminAnswer ShowProcess(const Process& process, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  Json hints = Json::array();
  const ring::LayoutHistory* layouts = process.node.layouts();
  for (const NodeId owner : process.node.HintOwners()) {
    const ring::Member* member = layouts == nullptr ? nullptr : layouts->newest().Find(owner);
    hints.push_back(member != nullptr ? member->name : owner.ToHex());
  }
  const storage::EngineHealth health = process.engine.Health();
  const bool on_disk = process.config.engine == EngineKind::kRocksDb;
  return Json{
      {"name", process.config.name},
      {"software", kSoftware},
      {"protocol", wire::kProtocolVersion},
      {"pid", getpid()},
      {"wall_ms", process.now.wall.time_since_epoch().count()},
      {"uptime_seconds", (process.now.monotonic - process.started_at) / std::chrono::seconds(1)},
      {"data_dir", process.config.data_dir},
      {"disk", on_disk ? DiskJson(process.config.data_dir) : Json()},
      {"resident_bytes", Known(ResidentBytes())},
      {"open_files", Known(OpenFiles())},
      {"open_files_max", Known(OpenFilesMax())},
      {"store_refuses", health.refuses_writes ? Json(health.refuses_writes->text) : Json()},
      {"store_stalled", health.stalled},
      {"hints_for", std::move(hints)},
      {"log_level", process.levels == nullptr ? Json() : LogLevelName(process.levels->least())},
  };
}

AdminAnswer ShowSettings(const Process& process, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  return ShowConfig(process.config);
}

AdminAnswer LevelOfLog(const Process& process, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"level"}); !ok) return std::unexpected(ok.error());
  if (process.levels == nullptr) {
    return Fail(Code::kUnsupported, "this node's log has no level that could be changed");
  }
  const LogLevel before = process.levels->least();
  LogLevel level = before;
  if (const auto found = arguments.find("level"); found != arguments.end()) {
    const auto named =
        found->is_string() ? LogLevelFromName(found->get<std::string>()) : std::nullopt;
    if (!named) {
      return Fail(Code::kInvalidArgument, "level must be one of debug, info, warning, error");
    }
    level = *named;
  }
  if (level != before) {
    // Above any level, so that the log shows why it has changed.
    process.levels->SetLeast(level);
    process.log.Log(LogLevel::kError,
                    fmt::format("the log shows {} and above from here on, and not {}, until the "
                                "next start: as eddyctl log-level was told",
                                LogLevelName(level), LogLevelName(before)));
  }
  return Json{{"level", LogLevelName(level)}, {"before", LogLevelName(before)}};
}

AdminAnswer Run(const Process& process, const wire::AdminRequest& request) {
  const AdminAnswer arguments = AdminArgumentsOf(request);
  if (!arguments) return arguments;
  if (request.call == "process.show") return ShowProcess(process, *arguments);
  if (request.call == "config.show") return ShowSettings(process, *arguments);
  return LevelOfLog(process, *arguments);
}

}  // namespace

wire::AdminReply RunProcessCall(const Process& process, const wire::AdminRequest& request) {
  return AdminReplyOf(request, Run(process, request));
}

}  // namespace eddy::server
