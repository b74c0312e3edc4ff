// Decides who owns which partition. A pure function: the same members give the same layout on every
// node, whatever order they are named in.
//
// Who takes over from another one owns what that one did, and if nothing else has changed nothing
// else moves. Otherwise every member owns its weighted share (ring/quota.h) rounded down or up, and
// replicas move about as little as the plan's own shares make necessary, which is what the members
// hold more by it than they held before: with one zone, or as many as replicas, at most 1.1 times
// that and one replica, when one member joins or leaves. Otherwise lists have a zone twice or leave
// some out, and which those are may have to change for the shares to:
// docs/decisions/what-a-plan-moves.md has figures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "ring/layout.h"
#include "ring/member.h"
#include "ring/partition.h"

namespace eddy::ring {

// `to` comes in the place of `from` and owns what that one owned.
struct Succession {
  NodeId from;
  NodeId to;
};

struct PlanRequest {
  std::vector<Member> members;  // in any order
  unsigned partition_bits = kPartitionBitsDefault;
  // The number of replicas that the plan balances for: 1 to kWalkMax.
  uint32_t n = 3;
  // The layout to start from, so that as little as possible moves; null to plan from nothing. Must
  // have the same number of partitions. Borrowed for the call.
  const Layout* previous = nullptr;
  // Who of `members` takes over from whom of the previous layout. If nobody else's share changes,
  // nobody else's replicas move: see ring/layout_change.h.
  std::vector<Succession> successions = {};
};

struct Plan {
  // Its version follows the previous one's, or is 1.
  Layout layout;
  // What the members cannot give, each a sentence for people. A plan is made all the same.
  std::vector<std::string> warnings;
};

// kInvalidArgument if the members break a rule of Layout::Make, or n or partition_bits are out of
// range; kUnsupported if the previous layout has another number of partitions.
Result<Plan> PlanLayout(PlanRequest request);

}  // namespace eddy::ring
