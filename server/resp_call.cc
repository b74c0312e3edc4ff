#include "server/resp_call.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "node/bucket.h"

namespace eddy::server {

namespace {

char ToUpper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

void RespCall::WrongArity() const {
  Error(fmt::format("ERR wrong number of arguments for '{}' command", command.LowerName()));
}

wire::ClientRequest RespGet(std::string_view key) {
  wire::ClientRequest request;
  request.bucket = node::BucketTable::kRedisBucket;
  request.key = key;
  return request;
}

wire::ClientRequest RespPut(std::string_view key, std::string_view value, WallTime expires_at) {
  wire::ClientRequest request = RespGet(key);
  request.action =
      wire::PutAction{.value = std::string(value), .context = {}, .expires_at = expires_at};
  return request;
}

bool RespWordIs(std::string_view word, std::string_view upper) {
  return std::ranges::equal(word, upper, {}, ToUpper);
}

std::optional<int64_t> RespInteger(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.starts_with('0') && text != "0") return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace eddy::server
