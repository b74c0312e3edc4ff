// What is wrong, or soon will be, with a cluster: a judgement on what its members say of
// themselves, each finding with what to do. Pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "tools/health.h"

namespace eddy::tools {

// How far a node's clock is ahead of ours (negative: behind), and how uncertain that is, since the
// question and the answer took time.
struct ClockReading {
  std::chrono::milliseconds ahead{0};
  std::chrono::milliseconds uncertain{0};
};

// One member, as it shows itself. What it did not answer is missing.
struct NodeFacts {
  NodeView view;
  std::optional<nlohmann::ordered_json> process;  // of process.show
  std::optional<nlohmann::ordered_json> config;   // of config.show
  std::optional<nlohmann::ordered_json> cluster;  // of cluster.show
  std::optional<ClockReading> clock;
};

enum class Weight { kGood, kWarning, kProblem };
std::string_view WeightName(Weight weight);

struct Finding {
  Weight weight = Weight::kGood;
  std::string subject;  // nodes, versions, clocks, disk, memory, layout, configuration, ..
  std::string text;     // what is so
  std::string advice;   // what to do; empty where it is good
};

// In the order of the subjects; each subject has at least one. `version`: eddyctl's own.
std::vector<Finding> Diagnose(const std::vector<NodeFacts>& nodes, std::string_view version);

}  // namespace eddy::tools
