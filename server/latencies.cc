#include "server/latencies.h"

#include <algorithm>
#include <variant>

namespace eddy::server {

Operation OperationOf(const wire::ClientRequest& request) {
  if (std::holds_alternative<wire::GetAction>(request.action)) return Operation::kGet;
  if (std::holds_alternative<wire::PutAction>(request.action)) return Operation::kPut;
  return Operation::kDelete;
}

Ending EndingOf(const std::optional<Error>& error) {
  if (!error) return Ending::kOk;
  switch (error->code) {
    case Code::kUnavailable:
      return Ending::kUnavailable;
    case Code::kBusy:
      return Ending::kBusy;
    case Code::kTimeout:
      return Ending::kTimeout;
    case Code::kUnknownOutcome:
      return Ending::kUnknown;
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kWrongCluster:
    case Code::kConflict:
    case Code::kUnsupported:
      return Ending::kRefused;
    case Code::kCorruption:
    case Code::kIo:
      break;
  }
  return Ending::kError;
}

void Latencies::EndTurn(MonotonicTime now) {
  for (const EndedOne& one : ended_) {
    const Duration took = std::max(now - one.since, Duration::zero());
    histograms_[static_cast<size_t>(one.operation)][static_cast<size_t>(one.ending)].Add(
        static_cast<uint64_t>(took.count()));
  }
  ended_.clear();
}

}  // namespace eddy::server
