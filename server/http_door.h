// The HTTP door: for operators and their tools, and for clients that have nothing but HTTP.
//
//   GET /livez            200 while the process serves
//   GET /readyz           200 when requests are served, else 503 and the reason
//   GET /metrics          what there is to measure, in Prometheus' text format
//   GET /admin/v1/status  the node and what it sees of the others, as JSON
//   /admin/v1/CALL        what eddyctl asks and orders, as JSON (server/http_admin.h)
//   GET PUT DELETE /kv/BUCKET/KEY  one key (server/http_kv.h)
//
// Also answers HEAD. A connection's requests are answered one after the other. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/limits.h"
#include "server/front.h"
#include "server/http_message.h"
#include "server/session.h"
#include "wire/hello.h"

namespace eddy::server {

struct HttpOptions {
  size_t value_bytes_max = kValueBytesMax;
};

class HttpSession;

// What the sessions of the door share. Outlives them.
class HttpDoor {
 public:
  // `front` outlives the door.
  explicit HttpDoor(Front* front, HttpOptions options = {}) : front_(front), options_(options) {}

  std::unique_ptr<Session> MakeSession(Outlet* outlet);
  // For a client over the limit of connections.
  static std::string FullReply();

 private:
  friend class HttpSession;

  Front* const front_;
  const HttpOptions options_;
  // By number, for replies that come when the client may have left.
  std::unordered_map<uint64_t, HttpSession*> sessions_;
  uint64_t next_session_ = 1;
};

std::string StatusJson(const wire::NodeStatus& status);

}  // namespace eddy::server
