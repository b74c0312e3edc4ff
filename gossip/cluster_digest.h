// Stands for the cluster in everything that gossip sends, so that what strays in from another
// cluster changes nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace eddy::gossip {

struct ClusterDigest {
  uint64_t value = 0;

  // By its name.
  static ClusterDigest Of(std::string_view cluster);
  friend auto operator<=>(const ClusterDigest&, const ClusterDigest&) = default;
};

}  // namespace eddy::gossip
