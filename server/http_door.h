// The HTTP door, for operators and their tools; it only tells, and changes nothing.
//
//   GET /livez            200 while the process serves
//   GET /readyz           200 when requests are served, else 503 and the reason
//   GET /metrics          counters and gauges in Prometheus' text format
//   GET /admin/v1/status  the node and what it sees of the others, as JSON
//
// Also answers HEAD. Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "server/front.h"
#include "server/session.h"
#include "wire/hello.h"

namespace eddy::server {

// Of a request's line and headers together.
inline constexpr size_t kHttpHeadBytesMax = 16 * 1024;

// `front` outlives the session.
std::unique_ptr<Session> MakeHttpSession(Front* front, Outlet* outlet);

// A whole reply without keep-alive, such as for a client over the limit of connections.
std::string HttpReply(int status, std::string_view type, std::string_view body, bool keep_alive,
                      bool head_only);

std::string MetricsText(const wire::NodeStatus& status);
std::string StatusJson(const wire::NodeStatus& status);

}  // namespace eddy::server
