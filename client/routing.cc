#include "client/routing.h"

#include <bit>

namespace eddy::client {

Result<ring::Layout> LayoutOf(const wire::NodeStatus& status) {
  if (!std::has_single_bit(status.owners.size())) {
    return Fail(Code::kCorruption, "the status of a node names no owner for each partition");
  }
  ring::LayoutParts parts;
  parts.version = status.layout_version;
  parts.partition_bits = static_cast<unsigned>(std::countr_zero(status.owners.size()));
  for (const wire::MemberStatus& member : status.members) {
    parts.members.push_back({.id = member.id,
                             .name = member.name,
                             .zone = member.zone,
                             .weight = member.weight,
                             .doors = member.doors});
  }
  for (const uint32_t owner : status.owners) {
    parts.owners.push_back(ring::MemberIndex{static_cast<uint16_t>(owner)});
  }
  auto layout = ring::Layout::Make(std::move(parts));
  if (!layout) {
    return Fail(Code::kCorruption, "the status of a node shows no layout: " + layout.error().text);
  }
  return layout;
}

}  // namespace eddy::client
