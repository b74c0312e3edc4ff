#include "tools/rates.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tools/text.h"

namespace eddy::tools {

namespace {

std::optional<uint64_t> ValueOf(const wire::NodeStatus& status, std::string_view counter) {
  const auto found = std::ranges::find(status.counters, counter, &wire::Counter::name);
  return found == status.counters.end() ? std::nullopt : std::optional(found->value);
}

}  // namespace

std::optional<double> RateOf(const wire::NodeStatus& before, const wire::NodeStatus& after,
                             std::string_view counter, double seconds) {
  const auto first = ValueOf(before, counter);
  const auto second = ValueOf(after, counter);
  const bool same_life = after.uptime_seconds >= before.uptime_seconds;
  if (!first || !second || !same_life || *second < *first || seconds <= 0) return std::nullopt;
  return static_cast<double>(*second - *first) / seconds;
}

std::string FormatRate(std::optional<double> rate) {
  if (!rate) return "-";
  if (*rate == 0) return "0";
  if (*rate < 10) return fmt::format("{:.1f}", *rate);
  return FormatCount(static_cast<uint64_t>(std::llround(*rate)));
}

}  // namespace eddy::tools
