// A run of `eddyctl chaos` from its first process to the last read: starts the cluster and its
// clients, makes the faults of the plan, heals everything, waits until all replicas are equal, and
// reads every key through every node. What it gives is judged elsewhere (tools/chaos_judge.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "tools/chaos_history.h"
#include "tools/chaos_machines.h"

namespace eddy::tools {

struct ChaosOptions {
  std::chrono::seconds seconds{300};
  uint64_t seed = 1;
  uint32_t nodes = 5;
  uint32_t clients = 32;
  uint32_t rate = 600;  // operations a second
  std::chrono::seconds converge_max{120};
};

// A fault as it was made; times since the run began.
struct ChaosBand {
  std::string kind;
  std::string what;  // to whom
  bool network = false;
  Duration began{};
  Duration ended{};
};

struct ChaosOutcome {
  ChaosHistory history;
  std::vector<ChaosBand> bands;
  Duration faults_ended{};  // when the healing began
  // From then until all replicas were found equal; nothing if that took too long.
  std::optional<Duration> converged_in;
  std::vector<std::string> crashes;  // processes that ended without being told to
  std::vector<std::string> notes;    // faults that were left out, and why
};

// A line for people, about once a second.
using ChaosProgress = std::function<void(const std::string&)>;

// On these machines, which have ended when it returns. Errors of the machines alone: no process can
// be started, say. Ctrl-C ends the faults early.
[[nodiscard]] Result<ChaosOutcome> RunChaos(const ChaosOptions& options, ChaosMachines* machines,
                                            const ChaosProgress& progress);

}  // namespace eddy::tools
