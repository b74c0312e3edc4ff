// Rates of a node from two looks at its counters. Pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "wire/hello.h"

namespace eddy::tools {

// A second; nullopt where there is no such counter, or the node was started anew in between.
std::optional<double> RateOf(const wire::NodeStatus& before, const wire::NodeStatus& after,
                             std::string_view counter, double seconds);

// "1,234", "12.3", "0", "-".
std::string FormatRate(std::optional<double> rate);

}  // namespace eddy::tools
