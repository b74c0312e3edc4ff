// Small conversions between bytes and what people type and read. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/status.h"

namespace eddy {

// As RFC 3629 has it: shortest forms only, no surrogates, nothing beyond U+10FFFF.
bool IsUtf8(std::string_view bytes);

// "250ms", "5s", "2m", "3h", "7d": a whole number and its unit.
[[nodiscard]] Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// A key or an error's culprit inside a sentence: quoted, unprintable bytes as \xNN, at most some
// 60 bytes of it.
std::string Quoted(std::string_view bytes);

}  // namespace eddy
