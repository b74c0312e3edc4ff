// A dot names one write for ever: the actor that minted it and that actor's counter (Almeida et
// al., Dotted version vectors). Counters start at 1, and no counter is minted twice by one actor,
// whatever crashes.
#pragma once

#include <compare>
#include <cstdint>

#include "base/ids.h"

namespace eddy::lattice {

struct Dot {
  ActorId actor;
  uint64_t counter = 0;

  friend auto operator<=>(const Dot&, const Dot&) = default;
};

}  // namespace eddy::lattice
