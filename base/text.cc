#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

namespace eddy {

bool IsUtf8(std::string_view bytes) {
  size_t i = 0;
  while (i < bytes.size()) {
    const auto first = static_cast<uint8_t>(bytes[i]);
    if (first < 0x80) {
      i++;
      continue;
    }
    size_t length = 0;
    uint32_t point = 0;
    uint32_t smallest = 0;
    if ((first & 0xe0) == 0xc0) {
      length = 2, point = first & 0x1f, smallest = 0x80;
    } else if ((first & 0xf0) == 0xe0) {
      length = 3, point = first & 0x0f, smallest = 0x800;
    } else if ((first & 0xf8) == 0xf0) {
      length = 4, point = first & 0x07, smallest = 0x10000;
    } else {
      return false;
    }
    if (bytes.size() - i < length) return false;
    for (size_t k = 1; k < length; k++) {
      const auto next = static_cast<uint8_t>(bytes[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3f);
    }
    if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, text.data() + text.size());
  uint64_t factor = 0;
  if (unit == "ms") factor = 1;
  if (unit == "s") factor = 1000;
  if (unit == "m" || unit == "min") factor = 60 * 1000;
  if (unit == "h") factor = 3600 * 1000;
  if (unit == "d") factor = 24 * 3600 * 1000;
  constexpr uint64_t kMax = uint64_t{100} * 366 * 24 * 3600 * 1000;
  if (error != std::errc() || factor == 0) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} is not a duration: write a whole number and a unit, such as 250ms, "
                            "5s, 2m, 3h or 7d",
                            Quoted(text)));
  }
  if (number > kMax / factor) {
    return Fail(Code::kInvalidArgument, fmt::format("{} is over a hundred years", Quoted(text)));
  }
  return std::chrono::milliseconds(number * factor);
}

std::string Quoted(std::string_view bytes) {
  constexpr size_t kShownMax = 60;
  const bool readable = IsUtf8(bytes);
  size_t shown = std::min(bytes.size(), kShownMax);
  if (readable && shown < bytes.size()) {
    // Not half of a character.
    while ((static_cast<uint8_t>(bytes[shown]) & 0xc0) == 0x80) shown--;
  }
  std::string text = "'";
  for (const char c : bytes.substr(0, shown)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !readable)) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text + (shown < bytes.size() ? "...'" : "'");
}

}  // namespace eddy
