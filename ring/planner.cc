#include "ring/planner.h"

#include <algorithm>
#include <map>
#include <utility>

namespace eddy::ring {

// Deals the partitions, in ring order, to the members in turn, taking a member of another zone each
// time, so that neighbours on the ring are in different zones.
Result<Plan> PlanLayout(PlanRequest request) {
  std::ranges::sort(request.members, {}, &Member::id);
  std::map<std::string, std::vector<MemberIndex>> zones;
  for (uint16_t i = 0; i < request.members.size(); ++i) {
    if (request.members[i].weight > 0) zones[request.members[i].zone].push_back(MemberIndex{i});
  }
  std::vector<MemberIndex> turns;
  for (size_t round = 0; round < request.members.size(); ++round) {
    for (const auto& [zone, members] : zones) {
      if (round < members.size()) turns.push_back(members[round]);
    }
  }
  if (turns.empty()) return Fail(Code::kInvalidArgument, "no member has weight");
  LayoutParts parts;
  parts.partition_bits = request.partition_bits;
  parts.members = std::move(request.members);
  parts.owners.resize(PartitionCount(parts.partition_bits));
  size_t turn = 0;
  for (const PartitionId partition : RingOrder(parts.partition_bits)) {
    parts.owners[partition.value] = turns[turn++ % turns.size()];
  }
  auto layout = Layout::Make(std::move(parts));
  if (!layout) return std::unexpected(layout.error());
  return Plan{.layout = *std::move(layout), .warnings = {}};
}

}  // namespace eddy::ring
