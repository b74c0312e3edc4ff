#include "server/resp_error.h"

#include <string_view>

#include <fmt/format.h>

#include "base/check.h"

namespace eddy::server {

namespace {

std::string_view RespErrorPrefix(Code code, bool starting) {
  switch (code) {
    case Code::kUnavailable:
      return starting ? "LOADING" : "CLUSTERDOWN";
    case Code::kUnknownOutcome:
      return "EDDYUNKNOWN write outcome unknown:";
    case Code::kBusy:
      return "TRYAGAIN";
    case Code::kTimeout:
      return "TIMEOUT";
    case Code::kCorruption:
    case Code::kIo:
      return "IOERR";
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kWrongCluster:
    case Code::kConflict:
    case Code::kUnsupported:
      return "ERR";
  }
  return "ERR";
}

}  // namespace

std::string RespErrorText(const wire::ClientReply& reply, bool starting) {
  CHECK(reply.error);
  std::string text =
      fmt::format("{} {}", RespErrorPrefix(reply.error->code, starting), reply.error->text);
  if (reply.needed > 0) {
    text += fmt::format(" (needed {}, answered {})", reply.needed, reply.answered);
  }
  return text;
}

}  // namespace eddy::server
