// The program's name and version, as hellos, logs and --version show it.
#pragma once

#include <string_view>

namespace eddy::server {

// EDDY_VERSION comes from the build, which has it from the one place where it is written.
inline constexpr std::string_view kSoftware = "eddyd " EDDY_VERSION;

}  // namespace eddy::server
