#include "server/http_door.h"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "server/http_kv.h"

namespace eddy::server {

namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

// `text` is a line without its end.
HttpReply TextReply(int status, std::string_view text) {
  return {.status = status, .type = kText, .body = fmt::format("{}\n", text)};
}

// Everything but the keys.
HttpReply TellOf(Front* front, const HttpRequest& request) {
  const std::string_view path = request.path();
  const bool known =
      path == "/livez" || path == "/readyz" || path == "/metrics" || path == "/admin/v1/status";
  if (!known) {
    return TextReply(404,
                     "there are /livez, /readyz, /metrics, /admin/v1/status and /kv/BUCKET/KEY");
  }
  if (request.method != HTTP_GET && request.method != HTTP_HEAD) {
    HttpReply reply = TextReply(405, "only GET and HEAD");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
  }
  if (path == "/livez") return TextReply(200, "live");
  const wire::NodeStatus status = front->Status();
  if (path == "/metrics") {
    return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText(status)};
  }
  if (path == "/admin/v1/status") return {.type = "application/json", .body = StatusJson(status)};
  return status.ready ? TextReply(200, "ready")
                      : TextReply(503, fmt::format("not ready: {}", status.reason));
}

// A label's value, escaped as Prometheus wants it.
std::string Label(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

class HttpSession final : public Session {
 public:
  HttpSession(HttpDoor* door, Outlet* outlet)
      : door_(door),
        outlet_(outlet),
        number_(door->next_session_++),
        reader_(door->options_.value_bytes_max) {
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
  // Of the request that the node works on.
  struct Asked {
    bool is_write = false;
    bool all = false;
    bool keep_alive = false;
    bool head = false;
  };

  void OnRequest(HttpRequest request) {
    const Asked asked{.keep_alive = request.keep_alive, .head = request.method == HTTP_HEAD};
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

std::string MetricsText(const wire::NodeStatus& status) {
  std::string text;
  const auto describe = [&](std::string_view name, std::string_view type, std::string_view help) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  };
  const auto gauge = [&](std::string_view name, std::string_view help, uint64_t value) {
    describe(name, "gauge", help);
    text += fmt::format("{} {}\n", name, value);
  };
  describe("eddy_node_info", "gauge", "Always 1: which node this is.");
  text += fmt::format("eddy_node_info{{cluster=\"{}\",node=\"{}\",software=\"{}\"}} 1\n",
                      Label(status.cluster), Label(status.name), Label(status.software));
  gauge("eddy_ready", "Whether this node serves requests.", status.ready ? 1 : 0);
  gauge("eddy_uptime_seconds", "Time since the start of the process.", status.uptime_seconds);
  gauge("eddy_layout_version", "Version of the ring's layout by which reads go.",
        status.layout_version);
  gauge("eddy_layout_newest", "Version of the newest layout; a greater one while data moves.",
        status.layout_newest);
  gauge("eddy_partitions", "Partitions of the ring.", status.partitions);
  gauge("eddy_partitions_owned", "Partitions of which this node is the owner.",
        status.partitions_owned);
  gauge("eddy_keys_estimate", "Records held here, replicas and tombstones included.",
        status.keys_estimate);
  gauge("eddy_data_bytes", "Bytes of records held here.", status.data_bytes);
  gauge("eddy_operations_in_flight", "Operations that this node works on.",
        status.operations_in_flight);
  if (status.equal_seconds_ago) {
    gauge("eddy_equal_seconds_ago",
          "Time since the least lately compared of what this node shares with other owners was "
          "found equal on both; absent while something never was since the start.",
          *status.equal_seconds_ago);
  }
  describe("eddy_peer_reachable", "gauge", "Whether messages to the member have a way.");
  for (const wire::MemberStatus& member : status.members) {
    if (member.id == status.node) continue;
    text += fmt::format("eddy_peer_reachable{{peer=\"{}\",zone=\"{}\"}} {}\n", Label(member.name),
                        Label(member.zone), member.reachable ? 1 : 0);
  }
  for (const wire::Counter& counter : status.counters) {
    // Not a total, but how it is now.
    if (constexpr std::string_view kNow = "now_"; counter.name.starts_with(kNow)) {
      const std::string what = counter.name.substr(kNow.size());
      gauge(fmt::format("eddy_{}", what), fmt::format("How much of {} there is now.", what),
            counter.value);
      continue;
    }
    const std::string name = fmt::format("eddy_{}_total", counter.name);
    describe(name, "counter", fmt::format("Total of {} since the start.", counter.name));
    text += fmt::format("{} {}\n", name, counter.value);
  }
  return text;
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
