// The nodes that the configuration names, so that a node finds others at its start. Those of an
// empty cluster form it together, and the first of them founds it, so the order is the same in
// every node's list; afterwards any of them will do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

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
// As ParseSeed takes it.
std::string FormatSeed(const Seed& seed);
// Separated by commas.
[[nodiscard]] Result<std::vector<Seed>> ParseSeeds(std::string_view text);

// kInvalidArgument, naming the culprits, where two have one name, or one address.
[[nodiscard]] Status CheckSeeds(const std::vector<Seed>& seeds);

}  // namespace eddy::server
