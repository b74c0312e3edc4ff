// The form in which keys travel between clusters and programs: JSON Lines, one object a line.
//
//   {"bucket":"default","key":"greeting","value":"hello"}
//
// "bucket" may be missing where the reader has a default. A key or value that is not UTF-8 stands
// in Base64 (RFC 4648, padded) under "key_base64" or "value_base64" (or "bucket_base64") instead;
// the writer does so exactly then, a reader takes either for any bytes. "expires_at_ms" (since the
// Unix epoch) is there when the value expires. A key with several concurrent values has
//
//   "siblings":[{"value":..},{"value":..}]
//
// in place of "value", each with its own expiry. Other members are refused, so that a misspelt one
// is not lost in silence. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"
#include "base/time.h"
#include "lattice/record.h"
#include "wire/key_list.h"

namespace eddy::tools {

// A line beyond this is an error: the largest value in the longest form of it fits.
inline constexpr size_t kJsonLineBytesMax = 128 * 1024 * 1024;

struct Entry {
  struct Value {
    std::string bytes;
    WallTime expires_at = lattice::Sibling::kNever;

    friend bool operator==(const Value&, const Value&) = default;
  };

  std::string bucket;
  std::string key;
  std::vector<Value> values;  // one, or the siblings

  friend bool operator==(const Entry&, const Entry&) = default;
};

using wire::ListedKey;

// kInvalidArgument, saying where and what to do, for anything else than an entry within the limits
// of base/limits.h. `bucket_default` is for lines without a bucket.
[[nodiscard]] Result<Entry> ParseJsonLine(std::string_view line, std::string_view bucket_default);
// The key of a line, whose values may be missing and are not looked at.
[[nodiscard]] Result<ListedKey> ParseKeyLine(std::string_view line,
                                             std::string_view bucket_default);
// Without a newline.
std::string FormatJsonLine(const Entry& entry);

// Sets object["name"], or object["name_base64"] where the bytes are not UTF-8.
void SetBytes(std::string_view name, std::string_view bytes, nlohmann::ordered_json* object);
std::string ToText(const nlohmann::ordered_json& json);

}  // namespace eddy::tools
