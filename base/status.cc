#include "base/status.h"

namespace eddy {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid-argument";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kUnknownOutcome:
      return "unknown-outcome";
    case Code::kBusy:
      return "busy";
    case Code::kTimeout:
      return "timeout";
    case Code::kCorruption:
      return "corruption";
    case Code::kIo:
      return "io";
    case Code::kTooLarge:
      return "too-large";
    case Code::kWrongCluster:
      return "wrong-cluster";
    case Code::kConflict:
      return "conflict";
    case Code::kUnsupported:
      return "unsupported";
  }
  return "unknown-code";
}

bool IsCode(uint8_t value) {
  return value >= static_cast<uint8_t>(Code::kInvalidArgument) &&
         value <= static_cast<uint8_t>(Code::kUnsupported);
}

}  // namespace eddy
