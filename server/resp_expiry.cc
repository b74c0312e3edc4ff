#include "server/resp_expiry.h"

#include <fmt/format.h>

#include "lattice/record.h"

namespace eddy::server {

std::optional<RespExpiryUnit> RespExpiryUnitOf(std::string_view word) {
  if (RespWordIs(word, "EX")) return RespExpiryUnit{.seconds = true, .absolute = false};
  if (RespWordIs(word, "PX")) return RespExpiryUnit{.seconds = false, .absolute = false};
  if (RespWordIs(word, "EXAT")) return RespExpiryUnit{.seconds = true, .absolute = true};
  if (RespWordIs(word, "PXAT")) return RespExpiryUnit{.seconds = false, .absolute = true};
  return std::nullopt;
}

std::expected<WallTime, std::string> RespExpiry(const RespCall& call, std::string_view number,
                                                RespExpiryUnit unit, RespExpirySign sign) {
  const auto parsed = RespInteger(number);
  if (!parsed) return std::unexpected(std::string(kRespNotAnInteger));
  int64_t when = *parsed;
  const int64_t base = unit.absolute ? 0 : call.front.now().wall.time_since_epoch().count();
  if ((sign == RespExpirySign::kPositive && when <= 0) ||
      (unit.seconds && __builtin_mul_overflow(when, 1000, &when)) ||
      __builtin_add_overflow(when, base, &when) ||
      WallTime(std::chrono::milliseconds(when)) == lattice::Sibling::kNever) {
    return std::unexpected(
        fmt::format("ERR invalid expire time in '{}' command", call.command.LowerName()));
  }
  return WallTime(std::chrono::milliseconds(when));
}

}  // namespace eddy::server
