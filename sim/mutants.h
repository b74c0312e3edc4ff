// The judge is judged: a planted bug (sim/planted_bug.h) is run from seed to seed until some
// promise is seen to be broken.
#pragma once

#include <cstdint>
#include <string>

#include "sim/planted_bug.h"

namespace eddy::sim {

struct Mutant {
  PlantedBug bug = PlantedBug::kNone;
  uint64_t seeds = 0;     // that were run; the last one caught it, if one did
  std::string violation;  // empty: it escaped
};

// From seed 1 on, until it is caught or `seeds_max` seeds have been run.
Mutant HuntMutant(PlantedBug bug, uint64_t seeds_max);

}  // namespace eddy::sim
