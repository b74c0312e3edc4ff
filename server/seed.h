// The members as the configuration names them, and what follows from that list alone: ids and the
// layout. Every node is given the same list, so every node derives the same; a node that was given
// another one shows in the layout digest of its hello and is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "ring/layout.h"

namespace eddy::server {

// name@host:port/zone, where port is that of the peer door and the zone may be left out. An IPv6
// address stands in brackets.
struct Seed {
  std::string name;
  std::string host;
  uint16_t peer_port = 0;
  std::string zone;

  friend bool operator==(const Seed&, const Seed&) = default;
};

// kInvalidArgument, with an example of the right form.
[[nodiscard]] Result<Seed> ParseSeed(std::string_view text);
// Separated by commas.
[[nodiscard]] Result<std::vector<Seed>> ParseSeeds(std::string_view text);

// A member that comes from the seed list has no id but its name.
NodeId NodeIdOf(std::string_view cluster, std::string_view name);

// The layout of the members that `seeds` names, in any order. A seed tells only the peer door; the
// other doors are the default ones here, and what the member's hello says to whoever asks a node.
[[nodiscard]] Result<ring::Layout> LayoutOfSeeds(std::string_view cluster,
                                                 const std::vector<Seed>& seeds);

}  // namespace eddy::server
