#include "server/http_json.h"

namespace eddy::server {

using Json = nlohmann::ordered_json;

int HttpStatusOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kTooLarge:
      return 413;
    case Code::kUnsupported:
      return 501;
    case Code::kTimeout:
    case Code::kUnknownOutcome:
      return 504;
    case Code::kCorruption:
    case Code::kIo:
    case Code::kConflict:
      return 500;
    case Code::kUnavailable:
    case Code::kBusy:
    case Code::kWrongCluster:
      return 503;
  }
  return 500;
}

Json ErrorObject(std::string_view code, std::string_view text) {
  return {{"error", {{"code", code}, {"text", text}}}};
}

HttpReply JsonReply(int status, const Json& json) {
  return {.status = status,
          .type = kJsonType,
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n",
          .headers = {{"Cache-Control", "no-store"}}};
}

HttpReply RefuseInJson(int status, std::string_view text, Code code) {
  return JsonReply(status, ErrorObject(CodeName(code), text));
}

}  // namespace eddy::server
