// JSON on the HTTP door: replies, and errors with the status that tells programs what to do. Pure
// functions.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "server/http_message.h"

namespace eddy::server {

inline constexpr std::string_view kJsonType = "application/json";

int HttpStatusOf(Code code);
// {"error": {"code": .., "text": ..}}
nlohmann::ordered_json ErrorObject(std::string_view code, std::string_view text);

HttpReply JsonReply(int status, const nlohmann::ordered_json& json);
HttpReply RefuseInJson(int status, std::string_view text, Code code = Code::kInvalidArgument);

}  // namespace eddy::server
