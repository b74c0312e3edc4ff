#include "sim/mutants.h"

#include "sim/cluster.h"

namespace eddy::sim {

Mutant HuntMutant(PlantedBug bug, uint64_t seeds_max) {
  Mutant mutant{.bug = bug};
  while (mutant.seeds < seeds_max && mutant.violation.empty()) {
    RunOptions options;
    options.plan.seed = ++mutant.seeds;
    options.bug = bug;
    mutant.violation = RunWorld(options).violation;
  }
  return mutant;
}

}  // namespace eddy::sim
