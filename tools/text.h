// Figures as people read them, beside what base/text.h has for every part. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/text.h"
#include "base/time.h"

namespace eddy::tools {

// "12,345", "4.2 GiB", "3 h 5 min", "2026-01-31T12:00:00.000Z".
std::string FormatCount(uint64_t count);
std::string FormatBytes(uint64_t bytes);
std::string FormatSeconds(uint64_t seconds);
std::string FormatWallTime(WallTime time);

}  // namespace eddy::tools
