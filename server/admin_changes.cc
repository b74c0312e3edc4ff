// Changes of the cluster: read from what eddyctl says, planned, staged, committed and ordered.
#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "server/admin_calls.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;
using ring::LayoutChange;
using Kind = LayoutChange::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 7> kKinds = {{
    {"join", Kind::kJoin},
    {"leave", Kind::kLeave},
    {"remove", Kind::kRemove},
    {"replace", Kind::kTakeOver},
    {"replace_lost", Kind::kReplace},
    {"weight", Kind::kWeight},
    {"zone", Kind::kZone},
}};

std::unexpected<Error> Bad(std::string text) {
  return Fail(Code::kInvalidArgument, std::move(text));
}

// A node that is no member, and wants to be one.
Result<ring::Member> FindAsker(const node::Node& node, const std::string& name) {
  const auto askers = node.Askers();
  const auto asker = std::ranges::find(askers, name, &ring::Member::name);
  if (asker != askers.end()) return *asker;
  // One that has asked another member is staged at all of them.
  for (LayoutChange& staged : node.StagedWith({})) {
    if (staged.kind == Kind::kJoin && staged.member.name == name) return std::move(staged.member);
  }
  const auto& members = node.layouts()->newest().members();
  if (std::ranges::find(members, name, &ring::Member::name) != members.end()) {
    return Bad(
        fmt::format("{} is a member already: what joins must be a node that waits to", name));
  }
  return Bad(
      fmt::format("no node named '{}' has asked to join: start it with seeds of this cluster, and "
                  "with auto_join = false (EDDY_AUTO_JOIN=false) if it is to wait for an order",
                  name));
}

Result<LayoutChange> ReadChange(const node::Node& node, const Json& json) {
  if (!json.is_object()) return Bad("a change must be an object");
  if (Status ok = CheckAdminNames(json, {"kind", "node", "by", "weight", "zone"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto text = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  LayoutChange change;
  const auto kind =
      std::ranges::find(kKinds, text("kind"), &std::pair<std::string_view, Kind>::first);
  if (kind == kKinds.end())
    return Bad("kind must be join, leave, remove, replace, replace_lost, weight or zone");
  change.kind = kind->second;
  const std::string name = text("node");
  if (change.kind == Kind::kJoin) {
    auto asker = FindAsker(node, name);
    if (!asker) return std::unexpected(asker.error());
    change.id = asker->id;
    change.member = *std::move(asker);
    return change;
  }
  const auto& members = node.layouts()->newest().members();
  const auto member = std::ranges::find(members, name, &ring::Member::name);
  if (member == members.end()) {
    std::vector<std::string> known;
    for (const ring::Member& each : members) known.push_back(each.name);
    std::ranges::sort(known);
    return Bad(fmt::format("no member is named '{}': there are {}", name, fmt::join(known, ", ")));
  }
  change.id = member->id;
  if (change.kind == Kind::kTakeOver || change.kind == Kind::kReplace) {
    auto asker = FindAsker(node, text("by"));
    if (!asker) return std::unexpected(asker.error());
    change.member = *std::move(asker);
  }
  if (change.kind == Kind::kWeight) {
    const auto weight = json.find("weight");
    if (weight == json.end() || !weight->is_number_unsigned() || weight->get<uint64_t>() == 0 ||
        weight->get<uint64_t>() > ring::kMemberWeightMax) {
      return Bad(
          fmt::format("weight must be an integer within 1 to {}: to take everything from a "
                      "node, let it leave",
                      ring::kMemberWeightMax));
    }
    change.member.weight = weight->get<uint32_t>();
  }
  if (change.kind == Kind::kZone) change.member.zone = text("zone");
  return change;
}

Status CheckIsMember(const node::Node& node) {
  if (node.layouts() != nullptr && node.layouts()->newest().Find(node.id()) != nullptr) return {};
  return Fail(Code::kUnavailable, "this node is no member of a cluster: ask one that is");
}

// Those of the argument `changes`. `known`: the arguments that the call takes.
Result<std::vector<LayoutChange>> ReadChanges(const node::Node& node, const Json& arguments,
                                              std::initializer_list<std::string_view> known = {
                                                  "changes"}) {
  if (Status ok = CheckIsMember(node); !ok) return std::unexpected(ok.error());
  if (Status ok = CheckAdminNames(arguments, known); !ok) return std::unexpected(ok.error());
  const auto list = arguments.find("changes");
  if (list == arguments.end() || !list->is_array() || list->empty() ||
      list->size() > ring::kLayoutChangesMax) {
    return Bad(fmt::format("changes must be a list of 1 to {} changes", ring::kLayoutChangesMax));
  }
  std::vector<LayoutChange> changes;
  for (const Json& json : *list) {
    auto change = ReadChange(node, json);
    if (!change) return std::unexpected(change.error());
    changes.push_back(*std::move(change));
  }
  return changes;
}

// Replicas to be copied, by who gives and who gets: for each partition, those that gain it get it
// from those that lose it and are there still, or from its first owner that is.
Json MovesOf(const ring::Layout& before, const ring::Layout& after) {
  std::map<std::pair<std::string, std::string>, uint64_t> moves;
  const auto owners = [](const ring::Layout& layout, ring::PartitionId partition) {
    std::vector<NodeId> list;
    for (const ring::MemberIndex index : layout.PreferenceList(partition, kShownReplicas)) {
      list.push_back(layout.member(index).id);
    }
    return list;
  };
  for (uint32_t i = 0; i < before.partition_count(); ++i) {
    std::vector<NodeId> had = owners(before, ring::PartitionId{i});
    const std::vector<NodeId> has = owners(after, ring::PartitionId{i});
    std::vector<NodeId> gained;
    std::ranges::copy_if(has, std::back_inserter(gained),
                         [&](NodeId id) { return std::ranges::find(had, id) == had.end(); });
    std::erase_if(had, [&](NodeId id) { return after.Find(id) == nullptr; });
    if (had.empty()) continue;  // there is nobody to copy it from
    std::vector<NodeId> losers;
    std::ranges::copy_if(had, std::back_inserter(losers),
                         [&](NodeId id) { return std::ranges::find(has, id) == has.end(); });
    for (const NodeId id : gained) {
      const NodeId from = losers.empty() ? had.front() : losers.back();
      ++moves[{before.Find(from)->name, after.Find(id)->name}];
      if (!losers.empty()) losers.pop_back();
    }
  }
  Json list = Json::array();
  for (const auto& [pair, partitions] : moves) {
    list.push_back({{"from", pair.first}, {"to", pair.second}, {"partitions", partitions}});
  }
  return list;
}

std::optional<Digest> ReadDigest(std::string_view hex) {
  if (hex.size() != 32) return std::nullopt;
  Digest digest;
  for (uint64_t* half : {&digest.high, &digest.low}) {
    const std::string_view digits = hex.substr(half == &digest.high ? 0 : 16, 16);
    const auto read = std::from_chars(digits.data(), digits.data() + 16, *half, 16);
    if (read.ec != std::errc() || read.ptr != digits.data() + 16) return std::nullopt;
  }
  return digest;
}

// What an order breaks that no plan shows.
void WarnOfLoss(const ring::Layout& layout, const LayoutChange& change,
                std::vector<std::string>* warnings) {
  if (change.kind != Kind::kRemove && change.kind != Kind::kReplace) return;
  const ring::Member* lost = layout.Find(change.id);
  if (lost == nullptr) return;
  warnings->push_back(
      fmt::format("{} hands nothing over: what only it holds is lost. A node that may come back "
                  "should {} without --force.",
                  lost->name, change.kind == Kind::kRemove ? "leave" : "be replaced"));
}

AdminAnswer PlanOf(node::Node* node, const std::vector<LayoutChange>& changes) {
  const auto plan = node->PlanOf(changes);
  if (!plan) return std::unexpected(plan.error());
  const ring::Layout& before = node->layouts()->newest();
  const ring::Layout& after = plan->layout;
  const auto held = ReplicasByMember(before);
  const auto holds = ReplicasByMember(after);
  // By name and id: one that is lost may have a successor of its name.
  std::map<std::pair<std::string, NodeId>, std::pair<const ring::Member*, const ring::Member*>>
      members;
  for (const ring::Member& member : before.members()) {
    members[{member.name, member.id}].first = &member;
  }
  for (const ring::Member& member : after.members()) {
    members[{member.name, member.id}].second = &member;
  }
  const auto count = [](const std::map<NodeId, uint64_t>& replicas, const ring::Member* member) {
    const auto found = member == nullptr ? replicas.end() : replicas.find(member->id);
    return found == replicas.end() ? uint64_t{0} : found->second;
  };
  Json rows = Json::array();
  for (const auto& [key, known] : members) {
    const ring::Member& member = known.second != nullptr ? *known.second : *known.first;
    rows.push_back({{"name", key.first},
                    {"zone", member.zone},
                    {"weight", member.weight},
                    {"replicas_before", count(held, known.first)},
                    {"replicas_after", count(holds, known.second)},
                    {"change", known.first == nullptr    ? "joins"
                               : known.second == nullptr ? "removed"
                               : member.leaving          ? "leaves"
                                                         : ""}});
  }
  std::vector<std::string> warnings = plan->warnings;
  for (const LayoutChange& change : changes) WarnOfLoss(before, change, &warnings);
  Json described = Json::array();
  for (const LayoutChange& change : changes) described.push_back(Describe(before, change));
  return Json{{"version", after.version()},
              {"partitions", after.partition_count()},
              {"changes", described},
              {"members", rows},
              {"moves", MovesOf(before, after)},
              {"bytes_per_second", node->background_bytes_per_second()},
              {"warnings", warnings},
              {"digest", fmt::format("{:016x}{:016x}", after.digest().high, after.digest().low)}};
}

}  // namespace

std::map<NodeId, uint64_t> ReplicasByMember(const ring::Layout& layout) {
  std::map<NodeId, uint64_t> replicas;
  for (uint32_t i = 0; i < layout.partition_count(); ++i) {
    for (const ring::MemberIndex index :
         layout.PreferenceList(ring::PartitionId{i}, kShownReplicas)) {
      ++replicas[layout.member(index).id];
    }
  }
  return replicas;
}

AdminAnswer PlanCluster(node::Node* node, Now, const Json& arguments) {
  const bool is_staged = arguments.value("staged", Json(false)) == true;
  if (!arguments.contains("changes")) {
    if (Status ok = CheckAdminNames(arguments, {"changes", "staged"}); !ok) {
      return std::unexpected(ok.error());
    }
    if (Status ok = CheckIsMember(*node); !ok) return std::unexpected(ok.error());
    return PlanOf(node, node->StagedWith({}));
  }
  const auto changes = ReadChanges(*node, arguments, {"changes", "staged"});
  if (!changes) return std::unexpected(changes.error());
  return PlanOf(node, is_staged ? node->StagedWith(*changes) : *changes);
}

AdminAnswer StageCluster(node::Node* node, Now now, const Json& arguments) {
  const auto changes = ReadChanges(*node, arguments);
  if (!changes) return std::unexpected(changes.error());
  if (Status ok = node->Stage(now, *changes); !ok) return std::unexpected(ok.error());
  return PlanOf(node, node->StagedWith({}));
}

AdminAnswer CommitCluster(node::Node* node, Now now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"digest"}); !ok) return std::unexpected(ok.error());
  if (Status ok = CheckIsMember(*node); !ok) return std::unexpected(ok.error());
  const auto found = arguments.find("digest");
  const auto plan = found != arguments.end() && found->is_string()
                        ? ReadDigest(found->get<std::string>())
                        : std::nullopt;
  if (!plan) return Bad("digest must be that of the plan to be committed, 32 hexadecimal digits");
  const size_t staged = node->StagedWith({}).size();
  if (Status ok = node->Commit(now, *plan); !ok) return std::unexpected(ok.error());
  return Json{{"ordered", staged}};
}

AdminAnswer ClearCluster(node::Node* node, Now now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  if (Status ok = CheckIsMember(*node); !ok) return std::unexpected(ok.error());
  const size_t staged = node->StagedWith({}).size();
  if (Status ok = node->ClearStage(now); !ok) return std::unexpected(ok.error());
  return Json{{"cleared", staged}};
}

AdminAnswer ForceCluster(node::Node* node, Now now, const Json& arguments) {
  const auto changes = ReadChanges(*node, arguments);
  if (!changes) return std::unexpected(changes.error());
  if (Status ok = node->Force(now, *changes); !ok) return std::unexpected(ok.error());
  return Json{{"layout", node->layouts()->newest().version()}};
}

AdminAnswer OrderCluster(node::Node* node, Now, const Json& arguments) {
  const auto changes = ReadChanges(*node, arguments);
  if (!changes) return std::unexpected(changes.error());
  if (Status ok = node->Order(*changes); !ok) return std::unexpected(ok.error());
  return Json{{"ordered", changes->size()}};
}

}  // namespace eddy::server
