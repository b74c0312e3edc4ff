// Keys and values on the HTTP door, /kv/BUCKET/KEY: from an HTTP request to a client's request, and
// from the reply back to HTTP (docs/HTTP.md is what clients are promised). Pure functions.
#pragma once

#include <expected>
#include <string_view>

#include "base/time.h"
#include "server/http_message.h"
#include "wire/client_message.h"

namespace eddy::server {

// The causal context, both ways, in the text form of wire/context_token.h.
inline constexpr std::string_view kContextHeader = "X-Eddy-Context";

bool IsKvPath(std::string_view path);

struct KvCall {
  wire::ClientRequest request;
  // Of a get: the list of siblings is wanted, however many there are, and not one value.
  bool all = false;
};
// The call, or the refusal of what is wrong with it. `now` is what a `ttl` counts from.
std::expected<KvCall, HttpReply> ReadKvCall(HttpRequest request, WallTime now);

// To a call's reply; `is_write` and `all` are those of the call.
HttpReply KvReply(const wire::ClientReply& reply, bool is_write, bool all);

}  // namespace eddy::server
