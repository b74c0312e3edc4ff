// A whole cluster in one thread on virtual time, with its network, disks, clients, faults and
// judge. RunWorld lives through one seed: clients and faults as long as asked; then faults stop,
// what is down comes back, and every key must come to the same bytes on all its replicas.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/time.h"
#include "sim/plan.h"
#include "sim/planted_bug.h"
#include "sim/trace.h"

namespace eddy::sim {

struct RunOptions {
  PlanOptions plan;
  Duration length = std::chrono::seconds(20);  // of the part with faults
  PlantedBug bug = PlantedBug::kNone;
  Trace::Listener listener;  // may be empty
};

struct Report {
  uint64_t seed = 0;
  std::string violation;  // empty: every promise was kept
  uint64_t trace_hash = 0;
  Duration simulated{};
  uint32_t nodes = 0;
  uint64_t events = 0;
  uint64_t messages = 0;
  uint64_t operations = 0;
  uint64_t done = 0;
  uint64_t not_done = 0;
  uint64_t unknown = 0;
  uint64_t replies_checked = 0;
  std::array<uint64_t, kFaults> faults{};
  std::map<std::string, uint64_t> counters;  // of all nodes at the end, by the node's own names
};

Report RunWorld(const RunOptions& options);

}  // namespace eddy::sim
