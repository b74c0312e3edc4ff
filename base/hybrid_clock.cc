#include "base/hybrid_clock.h"

#include <algorithm>

namespace eddy {

namespace {

Timestamp FromWall(WallTime wall) {
  const auto ms = std::max<WallTime::rep>(wall.time_since_epoch().count(), 0);
  return Timestamp{static_cast<uint64_t>(ms) << 16};
}

}  // namespace

Timestamp HybridClock::Tick(WallTime wall) {
  // Adding one carries from the logical part into the milliseconds when 65,536 writes share one.
  last_ = std::max(FromWall(wall), Timestamp{last_.value + 1});
  return last_;
}

void HybridClock::Observe(Timestamp seen, WallTime wall) {
  if (seen <= FromWall(wall + kMaxDrift)) last_ = std::max(last_, seen);
}

}  // namespace eddy
