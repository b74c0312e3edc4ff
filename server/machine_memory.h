// How much memory there is for this process: the machine's, or less where a control group (of a
// container, of a service) has a limit.
#pragma once

#include <cstdint>
#include <filesystem>

namespace eddy::server {

// `root` is where /proc and /sys are: "/", but in tests. Falls back on the machine's memory where a
// control group cannot be read.
uint64_t MachineMemoryBytes(const std::filesystem::path& root = "/");

}  // namespace eddy::server
