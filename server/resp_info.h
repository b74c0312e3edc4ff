// The state of a node in Redis's words: INFO and CONFIG GET, for the clients and dashboards that
// look there.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/resp_clients.h"
#include "wire/hello.h"

namespace eddy::server {

// The Redis whose protocol and commands this door follows; clients choose by it what to send.
inline constexpr std::string_view kRespRedisVersion = "7.0.15";

struct RespInfoFacts {
  const wire::NodeStatus& status;
  const RespClients& clients;
  uint16_t port;  // of this door
};

// The sections named (`all`, `everything` and `default` name them all); none named: all.
std::string RespInfoText(const RespInfoFacts& facts, std::span<const std::string_view> sections);

// Whether `text` matches the pattern, in which '*' stands for any characters and '?' for one;
// without regard to case.
bool RespGlobMatches(std::string_view pattern, std::string_view text);

}  // namespace eddy::server
