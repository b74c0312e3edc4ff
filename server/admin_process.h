// The admin calls about the process rather than the node: what it runs on, its configuration, its
// log. They answer whether the node is ready or not. Loop thread only.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "base/log.h"
#include "base/time.h"
#include "node/node.h"
#include "server/config.h"
#include "server/log_sink.h"
#include "storage/engine.h"
#include "wire/admin.h"

namespace eddy::server {

// What the calls look at.
struct Process {
  const node::Node& node;
  storage::Engine& engine;
  const Config& config;
  LineLog* levels = nullptr;  // null: the level cannot be changed
  LogSink& log;
  Now now;
  MonotonicTime started_at;
};

inline constexpr std::array<std::string_view, 3> kProcessCalls = {"config.show", "log.level",
                                                                  "process.show"};
inline bool IsProcessCall(std::string_view call) {
  return std::ranges::find(kProcessCalls, call) != kProcessCalls.end();
}

// Requires IsProcessCall. kInvalidArgument for arguments that the call does not take.
wire::AdminReply RunProcessCall(const Process& process, const wire::AdminRequest& request);

}  // namespace eddy::server
