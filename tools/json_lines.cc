#include "tools/json_lines.h"

#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kSiblingsMax = 1000;

std::unexpected<Error> Malformed(std::string text) {
  return Fail(Code::kInvalidArgument, std::move(text));
}

// The bytes under "name" or "name_base64"; nothing when neither is there.
Result<std::optional<std::string>> TakeBytes(const Json& object, const std::string& name) {
  const std::string name_base64 = name + "_base64";
  const auto plain = object.find(name);
  const auto encoded = object.find(name_base64);
  if (plain == object.end() && encoded == object.end()) return std::nullopt;
  if (plain != object.end() && encoded != object.end()) {
    return Malformed(fmt::format("both \"{}\" and \"{}\": keep one", name, name_base64));
  }
  const auto& found = plain != object.end() ? plain : encoded;
  if (!found->is_string()) {
    return Malformed(fmt::format("\"{}\" is {}, not a string: put it in quotes", found.key(),
                                 found->type_name()));
  }
  const auto& text = found->get_ref<const std::string&>();
  if (plain != object.end()) return text;
  std::optional<std::string> bytes = DecodeBase64(text, Base64::kStandard);
  if (!bytes) {
    return Malformed(fmt::format(
        "\"{}\" is not Base64: expected the alphabet with + and /, padded with =", name_base64));
  }
  return bytes;
}

Result<Entry::Value> TakeValue(const Json& object) {
  auto bytes = TakeBytes(object, "value");
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return Malformed("no \"value\" (or \"value_base64\")");
  Entry::Value value{.bytes = std::move(**bytes)};
  if (const Status fits = CheckValue(value.bytes); !fits) return std::unexpected(fits.error());
  const auto expires_at = object.find("expires_at_ms");
  if (expires_at != object.end()) {
    if (!expires_at->is_number_unsigned() ||
        expires_at->get<uint64_t>() >
            static_cast<uint64_t>(lattice::Sibling::kNever.time_since_epoch().count())) {
      return Malformed("\"expires_at_ms\" is not a number of milliseconds since 1970");
    }
    value.expires_at = WallTime(std::chrono::milliseconds(expires_at->get<uint64_t>()));
  }
  return value;
}

Status CheckMembers(const Json& object, std::span<const std::string> known) {
  for (const auto& [name, value] : object.items()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::optional<std::string> nearest = Nearest(name, known);
    return Malformed(fmt::format(
        "unknown member {}{}", Quoted(name),
        nearest ? fmt::format("; did you mean \"{}\"?", *nearest) : std::string("; remove it")));
  }
  return {};
}

const std::array<std::string, 8> kEntryMembers = {"bucket",        "bucket_base64", "key",
                                                  "key_base64",    "value",         "value_base64",
                                                  "expires_at_ms", "siblings"};
const std::array<std::string, 3> kSiblingMembers = {"value", "value_base64", "expires_at_ms"};

Json ValueMembers(const Entry::Value& value, Json object) {
  SetBytes("value", value.bytes, &object);
  if (value.expires_at != lattice::Sibling::kNever) {
    object["expires_at_ms"] = value.expires_at.time_since_epoch().count();
  }
  return object;
}

Result<Json> ParseJson(std::string_view line) {
  // The parser is iterative, so deep nesting costs memory in proportion to the line and no stack.
  try {
    return Json::parse(line);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ...": from "column" on.
    const std::string_view text = error.what();
    const size_t column = text.find("column");
    return Malformed(
        fmt::format("not JSON: {}", column == std::string_view::npos ? text : text.substr(column)));
  }
}

Result<Json> ParseObject(std::string_view line) {
  Result<Json> object = ParseJson(line);
  if (!object) return object;
  if (!object->is_object()) {
    return Malformed(
        fmt::format("{} where an object is expected: {{\"bucket\":..,\"key\":..,\"value\":..}}",
                    object->type_name()));
  }
  if (const Status known = CheckMembers(*object, kEntryMembers); !known) {
    return std::unexpected(known.error());
  }
  return object;
}

Result<ListedKey> TakeKey(const Json& object, std::string_view bucket_default) {
  auto bucket = TakeBytes(object, "bucket");
  if (!bucket) return std::unexpected(bucket.error());
  auto key = TakeBytes(object, "key");
  if (!key) return std::unexpected(key.error());
  if (!*key) return Malformed("no \"key\" (or \"key_base64\")");
  ListedKey listed{.bucket = bucket->value_or(std::string(bucket_default)),
                   .key = std::move(**key)};
  if (const Status fits = CheckKey(listed.bucket, listed.key); !fits) {
    return std::unexpected(fits.error());
  }
  return listed;
}

}  // namespace

Result<ListedKey> ParseKeyLine(std::string_view line, std::string_view bucket_default) {
  const Result<Json> object = ParseObject(line);
  if (!object) return std::unexpected(object.error());
  return TakeKey(*object, bucket_default);
}

Result<Entry> ParseJsonLine(std::string_view line, std::string_view bucket_default) {
  const Result<Json> object = ParseObject(line);
  if (!object) return std::unexpected(object.error());
  auto key = TakeKey(*object, bucket_default);
  if (!key) return std::unexpected(key.error());
  Entry entry{.bucket = std::move(key->bucket), .key = std::move(key->key), .values = {}};

  const auto siblings = object->find("siblings");
  if (siblings == object->end()) {
    auto value = TakeValue(*object);
    if (!value) return std::unexpected(value.error());
    entry.values.push_back(std::move(*value));
    return entry;
  }
  if (object->contains("value") || object->contains("value_base64") ||
      object->contains("expires_at_ms")) {
    return Malformed("both \"siblings\" and a value of its own: keep one");
  }
  if (!siblings->is_array() || siblings->empty() || siblings->size() > kSiblingsMax) {
    return Malformed(fmt::format("\"siblings\" is not an array of 1 to {} values", kSiblingsMax));
  }
  for (const Json& sibling : *siblings) {
    if (!sibling.is_object()) return Malformed("a sibling is not an object with a \"value\"");
    if (const Status known = CheckMembers(sibling, kSiblingMembers); !known) {
      return std::unexpected(known.error());
    }
    auto value = TakeValue(sibling);
    if (!value) return std::unexpected(value.error());
    entry.values.push_back(std::move(*value));
  }
  return entry;
}

std::string FormatJsonLine(const Entry& entry) {
  Json object;
  SetBytes("bucket", entry.bucket, &object);
  SetBytes("key", entry.key, &object);
  if (entry.values.size() == 1) return ToText(ValueMembers(entry.values.front(), object));
  Json siblings = Json::array();
  for (const Entry::Value& value : entry.values) siblings.push_back(ValueMembers(value, {}));
  object["siblings"] = std::move(siblings);
  return ToText(object);
}

void SetBytes(std::string_view name, std::string_view bytes, Json* object) {
  if (IsUtf8(bytes)) {
    (*object)[std::string(name)] = bytes;
  } else {
    (*object)[std::string(name) + "_base64"] = EncodeBase64(bytes, Base64::kStandard);
  }
}

std::string ToText(const Json& json) {
  // Never strict: what is not UTF-8 was put into Base64 before, and a text from elsewhere that is
  // not must not end the program.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace eddy::tools
