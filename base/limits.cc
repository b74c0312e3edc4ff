#include "base/limits.h"

#include <fmt/format.h>

namespace eddy {

Status CheckKey(std::string_view bucket, std::string_view key) {
  if (bucket.empty()) return Fail(Code::kInvalidArgument, "the bucket is empty; name one");
  if (key.empty()) return Fail(Code::kInvalidArgument, "the key is empty; give at least one byte");
  if (bucket.size() > kBucketBytesMax) {
    return Fail(Code::kTooLarge, fmt::format("the bucket has {} bytes; at most {} are allowed",
                                             bucket.size(), kBucketBytesMax));
  }
  if (key.size() > kKeyBytesMax) {
    return Fail(Code::kTooLarge, fmt::format("the key has {} bytes; at most {} are allowed",
                                             key.size(), kKeyBytesMax));
  }
  return {};
}

Status CheckValue(std::string_view value) {
  if (value.size() > kValueBytesMax) {
    return Fail(Code::kTooLarge, fmt::format("the value has {} bytes; at most {} are allowed",
                                             value.size(), kValueBytesMax));
  }
  return {};
}

}  // namespace eddy
