// Where a node's native door is, as people write it: HOST, HOST:PORT, [IPv6] or [IPv6]:PORT.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace eddy::client {

inline constexpr uint16_t kNativePortDefault = 7400;

struct Address {
  std::string host;  // a name or a number; IPv6 without brackets
  uint16_t port = kNativePortDefault;

  friend auto operator<=>(const Address&, const Address&) = default;
};

// kInvalidArgument, saying what is wrong with `text`.
[[nodiscard]] Result<Address> ParseAddress(std::string_view text,
                                           uint16_t port_default = kNativePortDefault);

// HOST:PORT or [IPv6]:PORT, which ParseAddress takes back.
std::string ToString(const Address& address);

}  // namespace eddy::client
