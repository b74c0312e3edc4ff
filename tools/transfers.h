// What the members say of the data that they move (the admin call cluster.transfers), put together
// and put into words. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace eddy::tools {

struct TransferEstimate {
  uint64_t bytes_per_second = 0;  // so far
  // What the part that is done says of the rest, partitions being much alike; nullopt before any of
  // them is.
  std::optional<uint64_t> bytes_left;
  std::optional<uint64_t> seconds_left;
};

struct TransferProgress {
  uint64_t partitions = 0;
  uint64_t copied = 0;  // of them
  uint64_t bytes = 0;
  uint64_t elapsed_ms = 0;
};

TransferEstimate EstimateTransfer(const TransferProgress& progress);

// One object for all: `moving`, `receivers`, `handing_over` and `silent`, the members that did not
// answer. `answers`: each member's name with what it said, or null. Throws Json::exception where an
// answer is not what a node gives.
nlohmann::ordered_json MergeTransfers(
    const std::vector<std::pair<std::string, nlohmann::ordered_json>>& answers);

// The same for people.
std::vector<std::string> DescribeTransfers(const nlohmann::ordered_json& transfers);

}  // namespace eddy::tools
