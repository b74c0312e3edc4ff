// The programs that were built or installed with this one, and where they may work. One thread.
#pragma once

#include <string>

#include "base/status.h"

namespace eddy::tools {

// The eddyd beside this eddyctl.
std::string NeighbourEddyd();

// A new directory for a cluster that goes again: its path.
[[nodiscard]] Result<std::string> MakeTemporaryDirectory(const std::string& prefix);

}  // namespace eddy::tools
