#include "tools/text.h"

#include <ctime>

#include <fmt/format.h>

namespace eddy::tools {

std::string FormatCount(uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string FormatBytes(uint64_t bytes) {
  static constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto figure = static_cast<double>(bytes);
  size_t unit = 0;
  while (figure >= 1024 && unit + 1 < std::size(kUnits)) figure /= 1024, unit++;
  return fmt::format("{:.{}f} {}", figure, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string FormatSeconds(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 24 * 3600) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / (24 * 3600), seconds / 3600 % 24);
}

std::string FormatWallTime(WallTime time) {
  const int64_t ms = time.time_since_epoch().count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  if (gmtime_r(&seconds, &utc) == nullptr) return fmt::format("{} ms", ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

}  // namespace eddy::tools
