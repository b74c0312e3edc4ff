// Stands for the cluster in everything that gossip sends, so that what strays in from another
// cluster changes nothing.
#pragma once

#include <compare>
#include <cstdint>

#include "base/ids.h"

namespace eddy::gossip {

struct ClusterDigest {
  uint64_t value = 0;

  static ClusterDigest Of(ClusterId cluster);
  friend auto operator<=>(const ClusterDigest&, const ClusterDigest&) = default;
};

}  // namespace eddy::gossip
