#include "client/routing.h"

#include <bit>

namespace eddy::client {

Result<ring::Layout> LayoutOf(const wire::NodeStatus& status) {
  if (!std::has_single_bit(status.owners.size())) {
    return Fail(Code::kCorruption, "the status of a node names no owner for each partition");
  }
  ring::LayoutParts parts;
  parts.version = status.layout_version;
  // Of no interest to a client; any will do.
  if (parts.version > 1) parts.origin = Hash128(status.cluster);
  parts.partition_bits = static_cast<unsigned>(std::countr_zero(status.owners.size()));
  for (const wire::MemberStatus& member : status.members) {
    // One that was removed may have left its name to another, and holds its place until the data
    // has moved.
    const bool removed = member.standing == wire::Standing::kRemoved;
    parts.members.push_back({.id = member.id,
                             .name = removed ? member.id.ToHex() : member.name,
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
