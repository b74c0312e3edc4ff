// A closed-loop load: every connection keeps its window of requests outstanding, and a reply is
// followed by the next request. One thread with epoll drives all connections; requests that become
// possible in one turn leave in one write.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "base/time.h"
#include "tools/load_protocol.h"
#include "wire/client_message.h"

namespace eddy::tools {

struct LoadTarget {
  std::string host;
  uint16_t port = 0;
};

struct LoadOptions {
  Door door = Door::kNative;
  std::vector<LoadTarget> targets;  // connections are spread over them
  std::string cluster;              // native only
  std::string bucket;               // native only
  wire::QuorumOptions quorum;       // native only
  uint32_t connections = 1;
  uint32_t window = 1;            // requests outstanding on each
  uint32_t set_per_mille = 1000;  // the rest are gets
  uint64_t keys = 100'000;
  size_t value_bytes = 100;
  uint64_t seed = 1;
  // True: every key is written once, in order, and the run ends. Otherwise keys are drawn uniformly
  // and the run takes warm-up and duration.
  bool fill = false;
  Duration warm_up{};
  Duration duration{};
};

struct LoadResult {
  uint64_t operations = 0;                 // answered without an error, after the warm-up
  uint64_t absent = 0;                     // of them, gets that found nothing
  std::map<std::string, uint64_t> errors;  // by text
  Duration elapsed{};
  Histogram latency_us;

  uint64_t error_count() const;
};

inline constexpr uint32_t kLoadConnectionsMax = 10'000;
inline constexpr uint32_t kLoadWindowMax = 4096;

// `measuring` is called when the warm-up is over, and `measured` when the measurement ends, before
// anything is closed. kIo, kUnavailable or what a server refused with, when a connection cannot be
// made or is lost.
[[nodiscard]] Result<LoadResult> RunLoad(const LoadOptions& options,
                                         const std::function<void()>& measuring,
                                         const std::function<void()>& measured);

}  // namespace eddy::tools
