#include "tools/chaos_machines.h"

#include <fmt/format.h>

namespace eddy::tools {

std::string ChaosNodeName(size_t node) { return fmt::format("n{}", node + 1); }

std::string ChaosZone(size_t node) { return fmt::format("z{}", node % 3 + 1); }

Status ChaosMachines::Unplug(size_t) { return Fail(Code::kUnsupported, "there is no cable"); }

Status ChaosMachines::Plug(size_t) { return Fail(Code::kUnsupported, "there is no cable"); }

}  // namespace eddy::tools
