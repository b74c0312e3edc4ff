#include "base/ids.h"

#include <charconv>

#include <fmt/core.h>

namespace eddy {

std::string IdToHex(uint64_t high, uint64_t low) {
  return fmt::format("{:016x}{:016x}", high, low);
}

bool IdFromHex(std::string_view hex, uint64_t* high, uint64_t* low) {
  if (hex.size() != 32) return false;
  const char* begin = hex.data();
  const auto first = std::from_chars(begin, begin + 16, *high, 16);
  const auto second = std::from_chars(begin + 16, begin + 32, *low, 16);
  return first.ec == std::errc() && first.ptr == begin + 16 && second.ec == std::errc() &&
         second.ptr == begin + 32;
}

}  // namespace eddy
