// Lives through a scenario (sim/scenario.h): a cluster of the simulator's machines on virtual time,
// to which nothing happens but what the text says. The steps follow each other at once: a request
// takes until its reply, `wait` what it says, everything else no time at all. Before the first step
// all founders are up and have found each other.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "sim/planted_bug.h"
#include "sim/scenario.h"
#include "sim/trace.h"

namespace eddy::sim {

struct ScenarioOptions {
  uint64_t seed = 1;  // of ids and of whom gossip asks next: no scenario may depend on it
  PlantedBug bug = PlantedBug::kNone;
  Trace::Listener listener;  // may be empty
};

struct ScenarioReport {
  // Empty: all was as expected. Otherwise "FILE:LINE: what was expected and what was found".
  std::string failure;
  uint32_t line = 0;   // of the failure
  uint64_t steps = 0;  // that were taken
  uint64_t trace_hash = 0;
  Duration simulated{};
};

ScenarioReport RunScenario(const Scenario& scenario, const ScenarioOptions& options);

}  // namespace eddy::sim
