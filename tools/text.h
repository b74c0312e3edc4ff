// Small conversions between values and what people type and read. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace eddy::tools {

// As RFC 3629 has it: shortest forms only, no surrogates, nothing beyond U+10FFFF.
bool IsUtf8(std::string_view bytes);

// "250ms", "5s", "2m", "3h", "7d": a whole number and its unit.
[[nodiscard]] Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// "12,345", "4.2 GiB", "3 h 5 min", "2026-01-31T12:00:00.000Z".
std::string FormatCount(uint64_t count);
std::string FormatBytes(uint64_t bytes);
std::string FormatSeconds(uint64_t seconds);
std::string FormatWallTime(WallTime time);

// A key or an error's culprit inside a sentence: quoted, unprintable bytes as \xNN, at most some
// 60 bytes of it.
std::string Quoted(std::string_view bytes);

}  // namespace eddy::tools
