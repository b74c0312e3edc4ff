// Expiry as Redis commands give it: a number of seconds or milliseconds, from now or since 1970.
// Kept as the absolute wall time in milliseconds, which travels with the value, so that replicas
// agree on it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "server/resp_call.h"

namespace eddy::server {

struct RespExpiryUnit {
  bool seconds = true;
  bool absolute = false;

  friend bool operator==(const RespExpiryUnit&, const RespExpiryUnit&) = default;
};

// The unit that the words EX, PX, EXAT and PXAT name.
std::optional<RespExpiryUnit> RespExpiryUnitOf(std::string_view word);

enum class RespExpirySign { kPositive, kAny };

// The moment, or the text of the error as Redis gives it: for what is no number, what is not
// positive where it must be, and what overflows.
[[nodiscard]] std::expected<WallTime, std::string> RespExpiry(const RespCall& call,
                                                              std::string_view number,
                                                              RespExpiryUnit unit,
                                                              RespExpirySign sign);

}  // namespace eddy::server
