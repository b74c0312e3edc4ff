#include "server/resp_cluster.h"

#include <algorithm>
#include <map>
#include <span>

#include <fmt/format.h>

#include "ring/partition.h"
#include "ring/token.h"
#include "server/resp_call.h"
#include "server/resp_handlers.h"

namespace eddy::server {

namespace {

std::vector<ring::MemberIndex> NodesOf(const ring::Layout& layout, ring::PartitionId partition,
                                       const std::vector<bool>& reachable, NodeId self,
                                       size_t replicas) {
  std::vector<ring::MemberIndex> nodes;
  for (const ring::MemberIndex member : layout.PreferenceList(partition, replicas)) {
    if (reachable[member.value]) nodes.push_back(member);
  }
  if (!nodes.empty()) return nodes;
  for (const ring::MemberIndex member : layout.Walk(partition)) {
    if (reachable[member.value]) return {member};
  }
  return {layout.IndexOf(self).value_or(layout.OwnerOf(partition))};
}

// The ranges for which each set of nodes answers, in order of the first of them.
std::vector<std::pair<std::vector<ring::MemberIndex>, std::vector<ring::SlotRange>>> Shards(
    const std::vector<RespSlotRange>& ranges) {
  std::map<std::vector<ring::MemberIndex>, std::vector<ring::SlotRange>> shards;
  for (const RespSlotRange& range : ranges) {
    shards[range.nodes].push_back({range.first, range.last});
  }
  return {shards.begin(), shards.end()};
}

std::string SlotsText(const ring::SlotRange& range) {
  return range.first == range.last ? fmt::format("{}", range.first)
                                   : fmt::format("{}-{}", range.first, range.last);
}

struct RespRing {
  const ring::Layout& layout;
  wire::NodeStatus status;
  std::vector<RespSlotRange> ranges;
};

RespRing LookAtRing(const RespCall& call) {
  RespRing ring{call.front.layout(), call.front.Status(), {}};
  ring.ranges = RespSlotRanges(ring.layout, ring.status, call.options.replicas);
  return ring;
}

}  // namespace

std::vector<bool> RespReachable(const ring::Layout& layout, const wire::NodeStatus& status) {
  std::vector<bool> reachable(layout.members().size(), false);
  for (const wire::MemberStatus& member : status.members) {
    const auto index = layout.IndexOf(member.id);
    if (index) reachable[index->value] = member.reachable || member.id == status.node;
  }
  return reachable;
}

std::vector<RespSlotRange> RespSlotRanges(const ring::Layout& layout,
                                          const wire::NodeStatus& status, size_t replicas) {
  const std::vector<bool> reachable = RespReachable(layout, status);
  std::vector<RespSlotRange> ranges;
  for (uint32_t number = 0; number < layout.partition_count(); ++number) {
    const ring::PartitionId partition{number};
    const ring::SlotRange slots = ring::SlotsOf(partition, layout.partition_bits());
    auto nodes = NodesOf(layout, partition, reachable, status.node, replicas);
    if (!ranges.empty() && ranges.back().nodes == nodes) {
      ranges.back().last = slots.last;
    } else {
      ranges.push_back({slots.first, slots.last, std::move(nodes)});
    }
  }
  return ranges;
}

std::string RespNodeId(NodeId id) { return id.ToHex() + "00000000"; }

std::string RespClusterNodesText(const ring::Layout& layout, const wire::NodeStatus& status,
                                 size_t replicas) {
  const std::vector<bool> reachable = RespReachable(layout, status);
  std::vector<std::string> slots(layout.members().size());
  for (size_t index = 0; index < slots.size(); ++index) {
    // As one master has them: neighbouring ranges are one, whatever their replicas.
    std::vector<ring::SlotRange> own;
    for (const RespSlotRange& range : RespSlotRanges(layout, status, replicas)) {
      if (range.nodes.front().value != index) continue;
      if (!own.empty() && own.back().last + 1 == range.first) {
        own.back().last = range.last;
      } else {
        own.push_back({range.first, range.last});
      }
    }
    for (const ring::SlotRange& range : own) slots[index] += " " + SlotsText(range);
  }
  std::string text;
  for (size_t index = 0; index < slots.size(); ++index) {
    const ring::Member& member = layout.members()[index];
    text += fmt::format("{} {}:{}@{} {}master{} - 0 0 {} {}{}\n", RespNodeId(member.id),
                        member.doors.host, member.doors.resp, member.doors.peer,
                        member.id == status.node ? "myself," : "", reachable[index] ? "" : ",fail",
                        layout.version(), reachable[index] ? "connected" : "disconnected",
                        slots[index]);
  }
  return text;
}

std::string RespClusterInfoText(const ring::Layout& layout, const wire::NodeStatus& status,
                                size_t replicas) {
  const std::vector<bool> reachable = RespReachable(layout, status);
  const auto ranges = RespSlotRanges(layout, status, replicas);
  std::vector<bool> is_master(layout.members().size(), false);
  for (const RespSlotRange& range : ranges) is_master[range.nodes.front().value] = true;
  // What a client asks here is whether it may go on: that is for the node to say.
  return fmt::format(
      "cluster_enabled:1\r\ncluster_state:{}\r\ncluster_slots_assigned:{}\r\n"
      "cluster_slots_ok:{}\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n"
      "cluster_known_nodes:{}\r\ncluster_size:{}\r\ncluster_current_epoch:{}\r\n"
      "cluster_my_epoch:{}\r\ncluster_nodes_reachable:{}\r\n",
      status.ready ? "ok" : "fail", ring::kSlots, ring::kSlots, layout.members().size(),
      std::ranges::count(is_master, true), layout.version(), layout.version(),
      std::ranges::count(reachable, true));
}

void RespRunClusterSlots(const RespCall& call) {
  const RespRing ring = LookAtRing(call);
  RespWriter writer = call.pipeline.Answer();
  writer.Array(ring.ranges.size());
  for (const RespSlotRange& range : ring.ranges) {
    writer.Array(2 + range.nodes.size());
    writer.Integer(range.first);
    writer.Integer(range.last);
    for (const ring::MemberIndex index : range.nodes) {
      const ring::Member& member = ring.layout.member(index);
      writer.Array(4);
      writer.Bulk(member.doors.host);
      writer.Integer(member.doors.resp);
      writer.Bulk(RespNodeId(member.id));
      writer.Array(0);
    }
  }
}

void RespRunClusterShards(const RespCall& call) {
  const RespRing ring = LookAtRing(call);
  const auto shards = Shards(ring.ranges);
  RespWriter writer = call.pipeline.Answer();
  writer.Array(shards.size());
  for (const auto& [nodes, slots] : shards) {
    writer.Map(2);
    writer.Bulk("slots");
    writer.Array(2 * slots.size());
    for (const ring::SlotRange& range : slots) {
      writer.Integer(range.first);
      writer.Integer(range.last);
    }
    writer.Bulk("nodes");
    writer.Array(nodes.size());
    for (const ring::MemberIndex index : nodes) {
      const ring::Member& member = ring.layout.member(index);
      writer.Map(7);
      writer.Bulk("id");
      writer.Bulk(RespNodeId(member.id));
      writer.Bulk("port");
      writer.Integer(member.doors.resp);
      writer.Bulk("ip");
      writer.Bulk(member.doors.host);
      writer.Bulk("endpoint");
      writer.Bulk(member.doors.host);
      writer.Bulk("role");
      writer.Bulk(index == nodes.front() ? "master" : "replica");
      writer.Bulk("replication-offset");
      writer.Integer(0);
      writer.Bulk("health");
      writer.Bulk("online");
    }
  }
}

void RespRunClusterNodes(const RespCall& call) {
  call.pipeline.Answer().Verbatim(
      RespClusterNodesText(call.front.layout(), call.front.Status(), call.options.replicas));
}

void RespRunClusterInfo(const RespCall& call) {
  call.pipeline.Answer().Verbatim(
      RespClusterInfoText(call.front.layout(), call.front.Status(), call.options.replicas));
}

void RespRunClusterMyId(const RespCall& call) {
  call.pipeline.Answer().Bulk(RespNodeId(call.front.Status().node));
}

void RespRunClusterKeySlot(const RespCall& call) {
  call.pipeline.Answer().Integer(ring::SlotOf(call.arguments[2]));
}

}  // namespace eddy::server
