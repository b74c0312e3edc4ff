#include "gossip/suspicion.h"

#include <algorithm>

#include "gossip/logarithm.h"

namespace eddy::gossip {

namespace {

Duration Fraction(Duration duration, uint64_t numerator, uint64_t denominator) {
  return duration * static_cast<Duration::rep>(numerator) / static_cast<Duration::rep>(denominator);
}

}  // namespace

SuspicionLimits SuspicionLimitsFor(const SuspicionOptions& options, Duration probe_period,
                                   size_t members) {
  const uint64_t scale = Logarithm(std::max<uint64_t>(members, 10));
  SuspicionLimits limits;
  limits.min = Fraction(probe_period * options.multiplier, scale, Logarithm(10));
  limits.max = limits.min * options.max_factor;
  limits.confirmations = std::min(options.confirmations, members > 2 ? members - 2 : 0);
  return limits;
}

Suspicion::Suspicion(MonotonicTime now, NodeId from, const SuspicionLimits& limits)
    : limits_(limits), since_(now), authors_{from} {}

bool Suspicion::Confirm(NodeId from) {
  if (authors_.size() > limits_.confirmations) return false;
  if (std::ranges::find(authors_, from) != authors_.end()) return false;
  authors_.push_back(from);
  return true;
}

MonotonicTime Suspicion::Deadline() const {
  const size_t confirmed = authors_.size() - 1;
  if (confirmed >= limits_.confirmations) return since_ + limits_.min;
  return since_ + limits_.max -
         Fraction(limits_.max - limits_.min, Logarithm(confirmed + 1),
                  Logarithm(limits_.confirmations + 1));
}

}  // namespace eddy::gossip
