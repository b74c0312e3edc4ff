#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "server/admin_calls.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;

std::unexpected<Error> Bad(std::string text) {
  return Fail(Code::kInvalidArgument, "nothing changed: " + std::move(text));
}

// The address of a peer door, from a member's name or the address itself.
Status ReadPeer(const node::Node& node, const std::string& peer, FaultTable::Rule* rule) {
  const ring::LayoutHistory* layouts = node.layouts();
  if (layouts != nullptr) {
    const auto& members = layouts->newest().members();
    const auto member = std::ranges::find(members, peer, &ring::Member::name);
    if (member != members.end()) {
      rule->host = member->doors.host;
      rule->port = member->doors.peer;
      return {};
    }
  }
  const size_t colon = peer.rfind(':');
  if (colon != std::string::npos && colon > 0) {
    const char* end = peer.data() + peer.size();
    const auto [rest, failed] = std::from_chars(peer.data() + colon + 1, end, rule->port);
    rule->host = peer.substr(0, colon);
    if (failed == std::errc() && rest == end && rule->port != 0) return {};
  }
  return Bad(
      fmt::format("peer must be a member's name, or the HOST:PORT of a peer door, not '{}'", peer));
}

Result<FaultTable::Rule> ReadRule(const node::Node& node, const Json& json) {
  if (!json.is_object()) return Bad("each of the rules must be an object");
  if (Status ok = CheckAdminNames(json, {"peer", "way", "drop", "lose_per_mille", "delay_ms"});
      !ok) {
    return Bad(ok.error().text);
  }
  FaultTable::Rule rule;
  const auto peer = json.find("peer");
  if (peer == json.end() || !peer->is_string()) return Bad("a rule needs a peer");
  if (Status ok = ReadPeer(node, peer->get<std::string>(), &rule); !ok) {
    return std::unexpected(ok.error());
  }
  if (const auto way = json.find("way"); way != json.end()) {
    if (*way != "in" && *way != "out" && *way != "both") {
      return Bad("way must be in, out or both");
    }
    rule.in = *way != "out";
    rule.out = *way != "in";
  }
  if (const auto drop = json.find("drop"); drop != json.end()) {
    if (!drop->is_boolean()) return Bad("drop must be true or false");
    rule.drop = drop->get<bool>();
  }
  const auto lose = NumberWithin(json, "lose_per_mille", 0, FaultTable::kLosePerMilleMax);
  if (!lose) return std::unexpected(lose.error());
  const auto delay =
      NumberWithin(json, "delay_ms", 0, FaultTable::kDelayMax / std::chrono::milliseconds(1));
  if (!delay) return std::unexpected(delay.error());
  rule.lose_per_mille = static_cast<uint32_t>(lose->value_or(0));
  rule.delay = std::chrono::milliseconds(delay->value_or(0));
  return rule;
}

Result<FaultTable::Machine> ReadMachine(const Json& arguments) {
  FaultTable::Machine machine;
  if (const auto offset = arguments.find("clock_offset_ms"); offset != arguments.end()) {
    constexpr int64_t kMost = FaultTable::kClockOffsetMax.count();
    if (!offset->is_number_integer() || offset->get<int64_t>() < -kMost ||
        offset->get<int64_t>() > kMost) {
      return Bad(fmt::format("clock_offset_ms must be an integer within {} to {}", -kMost, kMost));
    }
    machine.clock_offset = std::chrono::milliseconds(offset->get<int64_t>());
  }
  if (const auto full = arguments.find("disk_full"); full != arguments.end()) {
    if (!full->is_boolean()) return Bad("disk_full must be true or false");
    machine.disk_full = full->get<bool>();
  }
  return machine;
}

}  // namespace

AdminAnswer ShowFaults(const FaultTable& faults, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  Json rules = Json::array();
  for (const FaultTable::Rule& rule : faults.rules()) {
    rules.push_back({{"peer", fmt::format("{}:{}", rule.host, rule.port)},
                     {"way", rule.in && rule.out ? "both"
                             : rule.in           ? "in"
                                                 : "out"},
                     {"drop", rule.drop},
                     {"lose_per_mille", rule.lose_per_mille},
                     {"delay_ms", rule.delay / std::chrono::milliseconds(1)}});
  }
  const FaultTable::Counters& counters = faults.counters();
  return Json{{"rules", std::move(rules)},
              {"clock_offset_ms", faults.machine().clock_offset.count()},
              {"disk_full", faults.machine().disk_full},
              {"dropped", counters.dropped},
              {"lost", counters.lost},
              {"delayed", counters.delayed}};
}

AdminAnswer SetFaults(const node::Node& node, FaultTable* faults, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"rules", "clock_offset_ms", "disk_full"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto list = arguments.find("rules");
  if (list == arguments.end() || !list->is_array()) {
    return Bad("rules must be a list; an empty one ends all faults");
  }
  std::vector<FaultTable::Rule> rules;
  for (const Json& json : *list) {
    auto rule = ReadRule(node, json);
    if (!rule) return std::unexpected(rule.error());
    rules.push_back(*std::move(rule));
  }
  const auto machine = ReadMachine(arguments);
  if (!machine) return std::unexpected(machine.error());
  const size_t count = rules.size();
  if (Status ok = faults->Set(std::move(rules)); !ok) return Bad(ok.error().text);
  faults->SetMachine(*machine);
  return Json{{"rules", count}};
}

}  // namespace eddy::server
