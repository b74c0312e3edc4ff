// The ring as Redis Cluster tells it, so that a cluster client finds a replica of each key in one
// hop. Slots are the top 14 bits of the token, so a partition is a range of slots; the first
// replica that can be reached stands as its master, the others that can be reached as its replicas.
// This is a hint for clients and nothing more: any node takes any key, and nobody is ever told
// MOVED.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ring/layout.h"
#include "wire/hello.h"

namespace eddy::server {

struct RespSlotRange {
  uint16_t first;
  uint16_t last;
  // The master first; at least one.
  std::vector<ring::MemberIndex> nodes;
};

// Covers every slot exactly once, in order; neighbours differ in their nodes. Where no replica of a
// partition can be reached, the next node of the walk stands in, and at last the node that tells.
std::vector<RespSlotRange> RespSlotRanges(const ring::Layout& layout,
                                          const wire::NodeStatus& status, size_t replicas);

// Which of layout.members() can be reached from the node that tells, itself included.
std::vector<bool> RespReachable(const ring::Layout& layout, const wire::NodeStatus& status);

// A node's id in the 40 hexadecimal digits that Redis Cluster has for one.
std::string RespNodeId(NodeId id);

// The text of CLUSTER NODES and of CLUSTER INFO.
std::string RespClusterNodesText(const ring::Layout& layout, const wire::NodeStatus& status,
                                 size_t replicas);
std::string RespClusterInfoText(const ring::Layout& layout, const wire::NodeStatus& status,
                                size_t replicas);

}  // namespace eddy::server
