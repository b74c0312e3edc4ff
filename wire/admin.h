// A question or an order to one node about itself: a call by name, with arguments and a result that
// are JSON objects, for those who ask are people and scripts (docs/PROTOCOL.md lists the calls).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/status.h"

namespace eddy::wire {

inline constexpr size_t kAdminCallBytesMax = 64;
inline constexpr size_t kAdminArgumentsBytesMax = 128 * 1024;
inline constexpr size_t kAdminResultBytesMax = 8 * 1024 * 1024;
inline constexpr size_t kAdminDataBytesMax = 1024 * 1024;

struct AdminRequest {
  RequestId id;
  std::string call;
  std::string arguments;  // empty: none

  friend bool operator==(const AdminRequest&, const AdminRequest&) = default;
};

struct AdminReply {
  RequestId id;
  std::optional<Error> error;
  std::string result;
  std::string data;  // bytes that the result is about, of the calls that give some

  friend bool operator==(const AdminReply&, const AdminReply&) = default;
};

}  // namespace eddy::wire
