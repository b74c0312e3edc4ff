#include "server/http_door.h"

#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <http_parser.h>
#include <nlohmann/json.hpp>

namespace eddy::server {

namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

class HttpSession final : public Session {
 public:
  HttpSession(Front* front, Outlet* outlet) : front_(front), outlet_(outlet) {
    http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
    http_parser_settings_init(&settings_);
    settings_.on_message_begin = [](http_parser* parser) {
      Self(parser)->path_.clear();
      return 0;
    };
    settings_.on_url = [](http_parser* parser, const char* at, size_t size) {
      Self(parser)->path_.append(at, size);
      return 0;
    };
    settings_.on_message_complete = [](http_parser* parser) {
      Self(parser)->Answer();
      return 0;
    };
  }

  size_t Consume(std::string_view input) override {
    if (ended_) return input.size();
    request_bytes_ += input.size();
    const size_t used = http_parser_execute(&parser_, &settings_, input.data(), input.size());
    if (ended_) return input.size();
    if (used != input.size() || request_bytes_ > kHttpHeadBytesMax) {
      End(HttpReply(400, kText, "this is no HTTP request, or one over the limit\n", false, false));
    }
    return input.size();
  }

 private:
  static HttpSession* Self(http_parser* parser) { return static_cast<HttpSession*>(parser->data); }

  void Answer() {
    if (ended_) return;
    request_bytes_ = 0;
    const bool head = parser_.method == HTTP_HEAD;
    const bool keep = http_should_keep_alive(&parser_) != 0;
    std::string reply = head || parser_.method == HTTP_GET
                            ? Get(path_.substr(0, path_.find('?')), keep, head)
                            : HttpReply(405, kText, "only GET and HEAD\n", keep, false);
    if (!keep) return End(reply);
    outlet_->out()->append(reply);
  }

  std::string Get(std::string_view path, bool keep, bool head) {
    const auto reply = [&](int status, std::string_view type, std::string_view body) {
      return HttpReply(status, type, body, keep, head);
    };
    if (path == "/livez") return reply(200, kText, "live\n");
    if (path == "/readyz") {
      const wire::NodeStatus status = front_->Status();
      if (status.ready) return reply(200, kText, "ready\n");
      return reply(503, kText, fmt::format("not ready: {}\n", status.reason));
    }
    if (path == "/metrics") {
      return reply(200, "text/plain; version=0.0.4; charset=utf-8", MetricsText(front_->Status()));
    }
    if (path == "/admin/v1/status") {
      return reply(200, "application/json", StatusJson(front_->Status()));
    }
    return reply(404, kText, "there are /livez, /readyz, /metrics and /admin/v1/status\n");
  }

  void End(std::string_view reply) {
    ended_ = true;
    outlet_->out()->append(reply);
    outlet_->CloseAfterFlush();
  }

  Front* const front_;
  Outlet* const outlet_;
  http_parser parser_;
  http_parser_settings settings_;
  std::string path_;
  size_t request_bytes_ = 0;  // since the last whole request
  bool ended_ = false;
};

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

std::unique_ptr<Session> MakeHttpSession(Front* front, Outlet* outlet) {
  return std::make_unique<HttpSession>(front, outlet);
}

std::string HttpReply(int status, std::string_view type, std::string_view body, bool keep_alive,
                      bool head_only) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{}",
      status, ReasonOf(status), type, body.size(), keep_alive ? "keep-alive" : "close",
      head_only ? "" : body);
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
