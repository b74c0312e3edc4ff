#include "tools/exit_code.h"

namespace eddy::tools {

ExitCode ExitCodeOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kUnsupported:
      return ExitCode::kUsage;
    case Code::kUnavailable:
    case Code::kBusy:
    case Code::kTimeout:
      return ExitCode::kUnavailable;
    case Code::kUnknownOutcome:
      return ExitCode::kUnknownOutcome;
    case Code::kWrongCluster:
    case Code::kConflict:
      return ExitCode::kRefused;
    case Code::kCorruption:
    case Code::kIo:
      return ExitCode::kFailed;
  }
  return ExitCode::kFailed;
}

}  // namespace eddy::tools
