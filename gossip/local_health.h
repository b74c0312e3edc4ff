// How well this node itself does, by its own experience (Lifeguard, section IV.A): probes that fail
// without a word from the helpers, and suspicions of itself that it must refute, say that it is
// this node that is slow, and not all the others. The worse its health, the more time it gives
// them.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace eddy::gossip {

class LocalHealth {
 public:
  // Timeouts grow up to `multiplier_max`-fold.
  explicit LocalHealth(unsigned multiplier_max) : score_max_(multiplier_max - 1) {}

  void Worsen(unsigned by) { score_ = std::min(score_ + by, score_max_); }
  void Improve() { score_ -= score_ > 0 ? 1 : 0; }

  Duration Scale(Duration duration) const { return duration * (score_ + 1); }
  // 0: healthy.
  unsigned score() const { return score_; }

 private:
  const unsigned score_max_;

  unsigned score_ = 0;
};

}  // namespace eddy::gossip
