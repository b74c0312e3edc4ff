#include "server/http_door.h"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "server/http_admin.h"
#include "server/http_kv.h"
#include "wire/admin.h"

namespace eddy::server {

namespace {

constexpr std::string_view kStatusPath = "/admin/v1/status";
constexpr std::string_view kText = "text/plain; charset=utf-8";

// `text` is a line without its end.
HttpReply TextReply(int status, std::string_view text) {
  return {.status = status, .type = kText, .body = fmt::format("{}\n", text)};
}

// Everything but the keys.
HttpReply TellOf(Front* front, const HttpRequest& request) {
  const std::string_view path = request.path();
  const bool known =
      path == "/livez" || path == "/readyz" || path == "/metrics" || path == kStatusPath;
  if (!known) {
    return TextReply(404,
                     "there are /livez, /readyz, /metrics, /admin/v1/CALL (/admin/v1/ lists the "
                     "calls) and /kv/BUCKET/KEY");
  }
  if (request.method != HTTP_GET && request.method != HTTP_HEAD) {
    HttpReply reply = TextReply(405, "only GET and HEAD");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
  }
  if (path == "/livez") return TextReply(200, "live");
  if (path == "/metrics") {
    return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = front->Metrics()};
  }
  const wire::NodeStatus status = front->Status();
  if (path == kStatusPath) return {.type = "application/json", .body = StatusJson(status)};
  return status.ready ? TextReply(200, "ready")
                      : TextReply(503, fmt::format("not ready: {}", status.reason));
}

}  // namespace

class HttpSession final : public Session {
 public:
  HttpSession(HttpDoor* door, Outlet* outlet)
      : door_(door),
        outlet_(outlet),
        number_(door->next_session_++),
        reader_(door->options_.value_bytes_max, wire::kAdminArgumentsBytesMax) {
    door_->sessions_.emplace(number_, this);
  }
  ~HttpSession() override { door_->sessions_.erase(number_); }

  size_t Consume(std::string_view input) override {
    size_t used = 0;
    while (!asked_ && !ended_) {
      HttpReader::Step step = reader_.Read(input.substr(used));
      if (step.state == HttpReader::State::kMore) break;
      if (step.state == HttpReader::State::kBroken) {
        End(step.refusal, false);
        break;
      }
      used += step.size;
      OnRequest(reader_.Take());
    }
    if (!ended_ && reader_.TakeExpectation())
      outlet_->out()->append("HTTP/1.1 100 Continue\r\n\r\n");
    return ended_ ? input.size() : used;
  }
  bool paused() const override { return asked_.has_value(); }
  bool awaiting() const override { return asked_.has_value(); }

 private:
  // The request that the node works on.
  struct Asked {
    bool is_write = false;
    bool all = false;
    bool keep_alive = false;
    bool head = false;
  };

  void OnRequest(HttpRequest request) {
    const Asked asked{.keep_alive = request.keep_alive, .head = request.method == HTTP_HEAD};
    if (IsAdminPath(request.path()) && request.path() != kStatusPath) {
      return AskAdmin(ReadAdminCall(request), asked);
    }
    if (!IsKvPath(request.path())) return Reply(TellOf(door_->front_, request), asked);
    auto call = ReadKvCall(std::move(request), door_->front_->now().wall);
    if (!call) return Reply(call.error(), asked);
    asked_ = asked;
    asked_->is_write = call->request.IsWrite();
    asked_->all = call->all;
    // Small enough to need no allocation.
    door_->front_->Submit(std::move(call->request),
                          [door = door_, number = number_](const wire::ClientReply& reply) {
                            const auto session = door->sessions_.find(number);
                            if (session != door->sessions_.end()) session->second->OnReply(reply);
                          });
  }

  void OnReply(const wire::ClientReply& reply) {
    const Asked asked = *std::exchange(asked_, std::nullopt);
    Reply(KvReply(reply, asked.is_write, asked.all), asked);
    outlet_->Wake();
  }

  // What gives a reply, made of an answer that may come when the client has left.
  template <class Answer>
  auto Later(HttpReply (*read)(const Answer&)) {
    return [door = door_, number = number_, read](const Answer& answer) {
      const auto found = door->sessions_.find(number);
      if (found == door->sessions_.end()) return;
      HttpSession* session = found->second;
      session->Reply(read(answer), *std::exchange(session->asked_, std::nullopt));
      // From inside the asking, the session goes on by itself.
      if (!session->asking_) session->outlet_->Wake();
    };
  }

  void AskAdmin(HttpAdminCall call, const Asked& asked) {
    if (const auto* known = std::get_if<HttpReply>(&call)) return Reply(*known, asked);
    asked_ = asked;
    asking_ = true;
    if (auto* list = std::get_if<wire::KeyListRequest>(&call)) {
      door_->front_->ListKeys(std::move(*list), Later<wire::KeyListReply>(&KeyListHttpReply));
    } else {
      door_->front_->Admin(std::get<wire::AdminRequest>(std::move(call)),
                           Later<wire::AdminReply>(&AdminHttpReply));
    }
    asking_ = false;
  }

  void Reply(const HttpReply& reply, const Asked& asked) {
    if (!asked.keep_alive) return End(reply, asked.head);
    outlet_->out()->append(FormatHttp(reply, true, asked.head));
  }

  void End(const HttpReply& reply, bool head) {
    ended_ = true;
    outlet_->out()->append(FormatHttp(reply, false, head));
    outlet_->CloseAfterFlush();
  }

  HttpDoor* const door_;
  Outlet* const outlet_;
  const uint64_t number_;
  HttpReader reader_;
  std::optional<Asked> asked_;
  bool asking_ = false;
  bool ended_ = false;
};

std::unique_ptr<Session> HttpDoor::MakeSession(Outlet* outlet) {
  return std::make_unique<HttpSession>(this, outlet);
}

std::string HttpDoor::FullReply() {
  return FormatHttp(
      TextReply(503, "too many clients: close some, raise connections_max, or ask another node"),
      false, false);
}

std::string StatusJson(const wire::NodeStatus& status) {
  nlohmann::ordered_json json = {
      {"cluster", status.cluster},
      {"software", status.software},
      {"node", status.node.ToHex()},
      {"name", status.name},
      {"ready", status.ready},
      {"reason", status.reason},
      {"uptime_seconds", status.uptime_seconds},
      {"layout_version", status.layout_version},
      {"partitions", status.partitions},
      {"partitions_owned", status.partitions_owned},
      {"keys_estimate", status.keys_estimate},
      {"data_bytes", status.data_bytes},
      {"operations_in_flight", status.operations_in_flight},
      {"equal_seconds_ago", nullptr},
  };
  if (status.equal_seconds_ago) json["equal_seconds_ago"] = *status.equal_seconds_ago;
  json["members"] = nlohmann::ordered_json::array();
  for (const wire::MemberStatus& member : status.members) {
    json["members"].push_back({{"id", member.id.ToHex()},
                               {"name", member.name},
                               {"zone", member.zone},
                               {"weight", member.weight},
                               {"host", member.doors.host},
                               {"native", member.doors.native},
                               {"peer", member.doors.peer},
                               {"resp", member.doors.resp},
                               {"http", member.doors.http},
                               {"reachable", member.reachable}});
  }
  json["owners"] = status.owners;
  json["counters"] = nlohmann::ordered_json::object();
  for (const wire::Counter& counter : status.counters)
    json["counters"][counter.name] = counter.value;
  // Names may be any bytes; what is not UTF-8 is replaced.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace eddy::server
