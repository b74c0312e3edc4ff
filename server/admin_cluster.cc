#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/admin_calls.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;
using ring::LayoutChange;

// What gossip says of a member.
std::string_view GossipName(const node::Node& node, NodeId member) {
  if (member == node.id()) return "alive";
  const gossip::Swim* swim = node.swim();
  const gossip::MemberState* found = swim == nullptr ? nullptr : swim->Find(member);
  if (found == nullptr) return "unknown";
  switch (found->liveness) {
    case gossip::Liveness::kAlive:
      return "alive";
    case gossip::Liveness::kSuspect:
      return "suspect";
    case gossip::Liveness::kDead:
      return "dead";
    case gossip::Liveness::kLeft:
      return "stopped";
  }
  return "unknown";
}

}  // namespace

AdminAnswer ShowCluster(node::Node* node, Now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  Json answer = {{"member", false},          {"versions", Json::array()},
                 {"reading", nullptr},       {"members", Json::array()},
                 {"orders", Json::array()},  {"staged", Json::array()},
                 {"askers", Json::array()},  {"fills", node->fills()},
                 {"filled", node->filled()}, {"handed_over", node->handed_over()}};
  for (const ring::Member& asker : node->Askers()) answer["askers"].push_back(asker.name);
  const ring::LayoutHistory* layouts = node->layouts();
  if (layouts == nullptr) return answer;
  const ring::Layout& newest = layouts->newest();
  answer["member"] = newest.Find(node->id()) != nullptr;
  answer["reading"] = node->layout().version();
  for (const ring::Layout& layout : layouts->live()) answer["versions"].push_back(layout.version());
  const auto replicas = ReplicasByMember(newest);
  for (const ring::Member& member : newest.members()) {
    const ring::LayoutProgress progress = layouts->ProgressOf(member.id);
    const auto held = replicas.find(member.id);
    answer["members"].push_back(
        {{"name", member.name},
         {"id", member.id.ToHex()},
         {"zone", member.zone},
         {"weight", member.weight},
         {"leaving", member.leaving},
         {"replicas", held == replicas.end() ? 0 : held->second},
         {"reachable", member.id == node->id() || node->Reachable(member.id)},
         {"gossip", GossipName(*node, member.id)},
         {"acked", progress.acked},
         {"synced", progress.synced},
         {"reading", progress.reading}});
  }
  for (const LayoutChange& order : node->orders()) {
    answer["orders"].push_back(Describe(newest, order));
  }
  if (answer["member"] == false) return answer;
  for (const LayoutChange& change : node->StagedWith({})) {
    answer["staged"].push_back(Describe(newest, change));
  }
  return answer;
}

AdminAnswer ShowTransfers(node::Node* node, Now now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  const ring::LayoutHistory* layouts = node->layouts();
  if (layouts == nullptr) {
    return Fail(Code::kUnavailable, "this node is no member of a cluster: ask one that is");
  }
  const node::NodeFilling filling = node->Filling();
  Json sources = Json::array();
  for (const node::FillSource& source : filling.sources) {
    const ring::Member* from = nullptr;
    for (const ring::Layout& layout : layouts->live()) {
      if (const ring::Member* found = layout.Find(source.from)) from = found;
    }
    sources.push_back({{"from", from == nullptr ? source.from.ToHex() : from->name},
                       {"comparisons", source.comparisons},
                       {"copied", source.copied},
                       {"checked", source.checked},
                       {"records", source.records},
                       {"bytes", source.bytes}});
  }
  Json elapsed_ms = nullptr;
  if (filling.since) {
    elapsed_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.monotonic - *filling.since)
            .count();
  }
  return Json{{"layout", layouts->newest().version()},
              {"elapsed_ms", elapsed_ms},
              {"partitions", filling.partitions},
              {"copied", filling.copied},
              {"checked", filling.checked},
              {"sources", sources},
              {"partitions_to_hand_over", node->partitions_to_hand_over()},
              {"handed_over", node->handed_over()},
              {"bytes_per_second", node->background_bytes_per_second()},
              {"background_percent", node->background_percent()}};
}

AdminAnswer ShowRing(node::Node* node, Now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"partition", "replicas"}); !ok) {
    return std::unexpected(ok.error());
  }
  const ring::LayoutHistory* layouts = node->layouts();
  if (layouts == nullptr) {
    return Fail(Code::kUnavailable, "this node is no member of a cluster: ask one that is");
  }
  const uint32_t count = layouts->newest().partition_count();
  const auto replicas = NumberWithin(arguments, "replicas", 1, ring::kWalkMax);
  if (!replicas) return std::unexpected(replicas.error());
  const auto partition = NumberWithin(arguments, "partition", 0, count - 1);
  if (!partition) return std::unexpected(partition.error());
  const auto first = static_cast<uint32_t>(partition->value_or(0));
  const uint32_t end = partition->has_value() ? first + 1 : count;
  Json live = Json::array();
  for (const ring::Layout& layout : layouts->live()) {
    Json members = Json::array();
    for (const ring::Member& member : layout.members()) {
      members.push_back({{"name", member.name}, {"zone", member.zone}});
    }
    Json lists = Json::array();
    for (uint32_t i = first; i < end; ++i) {
      Json list = Json::array();
      for (const ring::MemberIndex index :
           layout.PreferenceList(ring::PartitionId{i}, replicas->value_or(kShownReplicas))) {
        list.push_back(index.value);
      }
      lists.push_back(std::move(list));
    }
    live.push_back({{"version", layout.version()},
                    {"members", std::move(members)},
                    {"lists", std::move(lists)}});
  }
  return Json{{"partitions", count},
              {"first", first},
              {"reading", node->layout().version()},
              {"layouts", std::move(live)}};
}

}  // namespace eddy::server
