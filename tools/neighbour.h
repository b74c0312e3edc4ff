// The programs that were built or installed with this one, and where they may work. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace eddy::tools {

// The eddyd beside this eddyctl.
std::string NeighbourEddyd();

// A new directory for a cluster that goes again: its path.
[[nodiscard]] Result<std::string> MakeTemporaryDirectory(const std::string& prefix);

struct Ended {
  int exit_code = 0;
  std::string out;  // both streams, at most kEndedBytesMax
};
inline constexpr size_t kEndedBytesMax = 4 * 1024 * 1024;
// Runs a program to its end; words[0] is its path, its input is empty, and no
// EDDY_ variable is in its environment. kIo where it cannot be
// run or was killed.
[[nodiscard]] Result<Ended> RunToEnd(const std::vector<std::string>& words);

}  // namespace eddy::tools
