// A load on one door: one thread with epoll drives all connections, and requests that become
// possible in one turn leave in one write. In a closed loop every connection keeps its window of
// requests outstanding, and a reply is followed by the next request; in an open loop requests leave
// at a fixed rate (tools/load_schedule.h), as far as the windows have room for them. A connection
// that breaks, or on which nothing comes for a while, is made anew to the next of the targets; what
// was outstanding on it counts as errors.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "tools/load_mix.h"
#include "tools/load_protocol.h"
#include "tools/load_schedule.h"
#include "tools/load_socket.h"
#include "tools/load_tally.h"
#include "wire/client_message.h"

namespace eddy::tools {

inline constexpr uint32_t kLoadConnectionsMax = 10'000;
inline constexpr uint32_t kLoadWindowMax = 4096;
// connections * window: each takes some dozens of bytes here.
inline constexpr uint64_t kLoadOutstandingMax = 1'000'000;

struct LoadOptions {
  Door door = Door::kNative;
  std::vector<LoadTarget> targets;  // connections are spread over them
  std::string cluster;              // native only
  std::string bucket;               // native only
  wire::QuorumOptions quorum;       // native only
  uint32_t connections = 1;
  uint32_t window = 1;  // requests outstanding on each
  LoadMix mix{"get", LoadKind::kRead};
  uint64_t rate = 0;  // requests a second, all connections together; zero: a closed loop
  uint64_t keys = 100'000;
  size_t value_bytes = 100;
  uint64_t seed = 1;
  // True: every key is written once, in order, and the run ends. Otherwise the run takes warm-up
  // and duration; in an open loop then `timeout` at most for what is outstanding.
  bool fill = false;
  Duration warm_up{};
  Duration duration{};
  Duration timeout = std::chrono::seconds(5);  // after it, a connection without a reply is given up
};

struct LoadEvents {
  std::function<void()> measuring = [] {};  // the warm-up is over
  std::function<void()> measured = [] {};   // the measurement is over, but nothing is closed
  // Seconds of the measurement that are over.
  std::function<void(const std::vector<LoadSecond>& seconds)> seconds = [](const auto&) {};
  // Asked some times a second: whether to end now, with what there is.
  std::function<bool()> stop = [] { return false; };
};

// kUnavailable when no connection can be made to begin with, or in a fill nothing answers for 30 s;
// what a server refused with; kIo. Later failures are in the result.
[[nodiscard]] Result<LoadResult> RunLoad(const LoadOptions& options, const LoadEvents& events);

}  // namespace eddy::tools
