// Members and their layout for tests of what stands around a node.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "ring/planner.h"
#include "server/seed.h"

namespace eddy::server {

inline NodeId IdOf(std::string_view name) {
  const Digest digest = Hash128(name);
  return NodeId{digest.high, digest.low};
}

inline ring::Member MemberOf(const Seed& seed) {
  ring::Member member{.id = IdOf(seed.name), .name = seed.name, .zone = seed.zone};
  member.doors.host = seed.host;
  member.doors.peer = seed.peer_port;
  return member;
}

inline ring::Layout LayoutOf(const std::vector<Seed>& seeds) {
  ring::PlanRequest request;
  for (const Seed& seed : seeds) request.members.push_back(MemberOf(seed));
  auto plan = ring::PlanLayout(std::move(request));
  CHECK(plan.has_value());
  return std::move(plan->layout);
}

}  // namespace eddy::server
