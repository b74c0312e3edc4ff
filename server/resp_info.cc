#include "server/resp_info.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/limits.h"
#include "server/resp_call.h"
#include "server/resp_handlers.h"

namespace eddy::server {

namespace {

using Section = std::string (*)(const RespInfoFacts& facts);

std::string ServerSection(const RespInfoFacts& facts) {
  const wire::NodeStatus& status = facts.status;
  return fmt::format(
      "redis_version:{}\r\nredis_mode:cluster\r\nserver_name:eddy\r\neddy_version:{}\r\n"
      "process_id:{}\r\nrun_id:{}\r\ntcp_port:{}\r\nuptime_in_seconds:{}\r\n"
      "uptime_in_days:{}\r\n",
      kRespRedisVersion, status.software, getpid(), status.node.ToHex(), facts.port,
      status.uptime_seconds, status.uptime_seconds / 86400);
}

std::string ClientsSection(const RespInfoFacts& facts) {
  return fmt::format("connected_clients:{}\r\nblocked_clients:0\r\n",
                     facts.clients.clients().size());
}

std::string MemorySection(const RespInfoFacts&) {
  return "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n";
}

std::string PersistenceSection(const RespInfoFacts& facts) {
  std::string text = fmt::format("loading:{}\r\n", facts.status.ready ? 0 : 1);
  // Clients wait so long before they ask again.
  if (!facts.status.ready) text += "loading_eta_seconds:1\r\n";
  return text + fmt::format("data_bytes:{}\r\n", facts.status.data_bytes);
}

std::string StatsSection(const RespInfoFacts& facts) {
  return fmt::format("total_connections_received:{}\r\ntotal_commands_processed:{}\r\n",
                     facts.clients.connections_total(), facts.clients.commands_total());
}

std::string ReplicationSection(const RespInfoFacts& facts) {
  const auto others =
      std::ranges::count_if(facts.status.members, [&](const wire::MemberStatus& member) {
        return member.reachable && member.id != facts.status.node;
      });
  return fmt::format("role:master\r\nconnected_slaves:{}\r\nmaster_repl_offset:0\r\n", others);
}

std::string ClusterSection(const RespInfoFacts&) { return "cluster_enabled:1\r\n"; }

std::string KeyspaceSection(const RespInfoFacts& facts) {
  if (facts.status.keys_estimate == 0) return {};
  return fmt::format("db0:keys={},expires=0,avg_ttl=0\r\n", facts.status.keys_estimate);
}

std::string EddySection(const RespInfoFacts& facts) {
  const wire::NodeStatus& status = facts.status;
  std::string text = fmt::format(
      "cluster:{}\r\nnode:{}\r\nready:{}\r\nreason:{}\r\nlayout_version:{}\r\npartitions:{}\r\n"
      "partitions_owned:{}\r\nmembers:{}\r\nmembers_reachable:{}\r\noperations_in_flight:{}\r\n",
      status.cluster, status.name, status.ready ? 1 : 0, status.reason, status.layout_version,
      status.partitions, status.partitions_owned, status.members.size(),
      std::ranges::count_if(status.members, &wire::MemberStatus::reachable),
      status.operations_in_flight);
  for (const wire::Counter& counter : status.counters) {
    text += fmt::format("{}:{}\r\n", counter.name, counter.value);
  }
  return text;
}

constexpr auto kSections = std::to_array<std::pair<std::string_view, Section>>({
    {"Server", ServerSection},
    {"Clients", ClientsSection},
    {"Memory", MemorySection},
    {"Persistence", PersistenceSection},
    {"Stats", StatsSection},
    {"Replication", ReplicationSection},
    {"Cluster", ClusterSection},
    {"Keyspace", KeyspaceSection},
    {"Eddy", EddySection},
});

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameWord(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, ToLower, ToLower);
}

bool IsWanted(std::string_view section, std::span<const std::string_view> wanted) {
  return wanted.empty() || std::ranges::any_of(wanted, [&](std::string_view word) {
           return SameWord(word, section) || SameWord(word, "all") ||
                  SameWord(word, "everything") || SameWord(word, "default");
         });
}

uint16_t PortOf(const wire::NodeStatus& status) {
  const auto self = std::ranges::find(status.members, status.node, &wire::MemberStatus::id);
  return self == status.members.end() ? uint16_t{0} : self->doors.resp;
}

// What Eddy's way of doing things comes to in Redis's settings.
constexpr auto kSettings = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"appendfsync", "always"},
    {"appendonly", "yes"},
    {"cluster-enabled", "yes"},
    {"databases", "1"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"notify-keyspace-events", ""},
    {"save", ""},
    {"timeout", "0"},
});

}  // namespace

std::string RespInfoText(const RespInfoFacts& facts, std::span<const std::string_view> sections) {
  std::string text;
  for (const auto& [name, section] : kSections) {
    if (!IsWanted(name, sections)) continue;
    if (!text.empty()) text += "\r\n";
    text += fmt::format("# {}\r\n{}", name, section(facts));
  }
  return text;
}

bool RespGlobMatches(std::string_view pattern, std::string_view text) {
  size_t at = 0;
  size_t seen = 0;
  // Where to go on when the characters after the last '*' do not match after all.
  size_t star = pattern.npos;
  size_t star_seen = 0;
  while (seen < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_seen = seen;
    } else if (at < pattern.size() &&
               (pattern[at] == '?' || ToLower(pattern[at]) == ToLower(text[seen]))) {
      ++at;
      ++seen;
    } else if (star != pattern.npos) {
      at = star + 1;
      seen = ++star_seen;
    } else {
      return false;
    }
  }
  return std::ranges::all_of(pattern.substr(at), [](char c) { return c == '*'; });
}

void RespRunInfo(const RespCall& call) {
  const wire::NodeStatus status = call.front.Status();
  call.pipeline.Answer().Verbatim(
      RespInfoText({status, call.clients, PortOf(status)}, call.arguments.subspan(1)));
}

void RespRunConfigGet(const RespCall& call) {
  const std::string port = fmt::format("{}", PortOf(call.front.Status()));
  const std::string bulk_max = fmt::format("{}", call.options.parser.bulk_bytes_max);
  std::vector<std::pair<std::string_view, std::string_view>> settings(kSettings.begin(),
                                                                      kSettings.end());
  settings.emplace_back("port", port);
  settings.emplace_back("proto-max-bulk-len", bulk_max);
  std::erase_if(settings, [&](const auto& setting) {
    return std::ranges::none_of(call.arguments.subspan(2), [&](std::string_view pattern) {
      return RespGlobMatches(pattern, setting.first);
    });
  });
  RespWriter writer = call.pipeline.Answer();
  writer.Map(settings.size());
  for (const auto& [name, value] : settings) {
    writer.Bulk(name);
    writer.Bulk(value);
  }
}

void RespRunDbSize(const RespCall& call) {
  call.pipeline.Answer().Integer(static_cast<int64_t>(call.front.Status().keys_estimate));
}

void RespRunTime(const RespCall& call) {
  const auto wall = call.front.now().wall.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall);
  RespWriter writer = call.pipeline.Answer();
  writer.Array(2);
  writer.Bulk(fmt::format("{}", seconds.count()));
  writer.Bulk(fmt::format("{}", std::chrono::microseconds(wall - seconds).count()));
}

void RespRunWait(const RespCall& call) {
  const auto replicas = RespInteger(call.arguments[1]);
  const auto timeout_ms = RespInteger(call.arguments[2]);
  if (!replicas || !timeout_ms) return call.Error(kRespNotAnInteger);
  if (*timeout_ms < 0) return call.Error("ERR timeout is negative");
  call.pipeline.AnswerReplicas();
}

}  // namespace eddy::server
