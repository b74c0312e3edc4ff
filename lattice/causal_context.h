// A causal context: the set of dots that somebody has seen, held as disjoint intervals of counters
// per actor (almost always one). It is Dynamo's vector clock (paper, section 4.4) made exact: where
// a version vector says "all up to m", an interval (after, last] says which dots, so a node that
// forgot something can never claim to have seen it.
//
// Invariant: intervals are sorted by (actor, after), non-empty, and neither overlap nor touch. One
// set of dots has one representation, and one encoding.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "lattice/dot.h"

namespace eddy::lattice {

// The dots of one actor with counters in (after, last].
struct Interval {
  ActorId actor;
  uint64_t after = 0;
  uint64_t last = 0;

  friend auto operator<=>(const Interval&, const Interval&) = default;
};

class CausalContext {
 public:
  // A context read from bytes may hold no more than this; one made here by joins may (it is never
  // cut, since a cut context would forget), and is then refused where it enters from outside.
  static constexpr size_t kIntervalsMax = 4096;

  CausalContext() = default;

  bool empty() const { return intervals_.empty(); }
  std::span<const Interval> intervals() const { return intervals_; }

  bool Covers(const Dot& dot) const;
  // Every dot of `other` is in this context.
  bool Covers(const CausalContext& other) const;
  // The actor's last interval, or an empty one (last == 0) when it has none.
  Interval LastOf(ActorId actor) const;

  // Set union. Requires after < last.
  void Add(const Interval& interval);
  void Join(const CausalContext& other);

  friend bool operator==(const CausalContext&, const CausalContext&) = default;

  // Canonical encoding: the number of actors; per actor its id, the number of intervals, and per
  // interval the gap since the last one and its length, as varints.
  void AppendTo(std::string* out) const;
  // Refuses (kCorruption) everything that AppendTo would not have written, and more than
  // kIntervalsMax intervals.
  [[nodiscard]] static Result<CausalContext> ReadFrom(ByteReader* reader);

 private:
  std::vector<Interval> intervals_;
};

}  // namespace eddy::lattice
