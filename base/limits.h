// How large what a client stores may be: the same at every door, on the wire and in the store, so
// nothing enters at one place that another would have to refuse later.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace eddy {

inline constexpr size_t kBucketBytesMax = 255;
inline constexpr size_t kKeyBytesMax = 64 * 1024;
inline constexpr size_t kValueBytesMax = 16 * 1024 * 1024;
// A key's whole encoded record, all siblings and their context included. It is what one message
// between nodes must hold, so a write that would make a record larger is refused.
inline constexpr size_t kRecordBytesMax = 64 * 1024 * 1024;

// kInvalidArgument (empty) or kTooLarge, naming the limit, for a bucket or key that no record can
// have.
[[nodiscard]] Status CheckKey(std::string_view bucket, std::string_view key);
// kTooLarge, naming the limit.
[[nodiscard]] Status CheckValue(std::string_view value);

}  // namespace eddy
