// How much processor time other processes of this machine have used: what a benchmark divides by
// the operations it did.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace eddy::tools {

// User and system time of all threads since the process began, in steps of 10 ms. kInvalidArgument
// when there is no such process.
[[nodiscard]] Result<Duration> ProcessCpu(pid_t pid);
// Of several, summed.
[[nodiscard]] Result<Duration> ProcessCpu(const std::vector<pid_t>& pids);

// The nodes that `./dev up` started in `cluster_dir`: from DIR/*/eddyd.pid, those that run. None:
// empty.
std::vector<pid_t> FindNodes(const std::string& cluster_dir);

}  // namespace eddy::tools
