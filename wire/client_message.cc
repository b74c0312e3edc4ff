#include "wire/client_message.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "wire/context_token.h"

namespace eddy::wire {

namespace {

Status CheckContext(std::string_view context) {
  if (context.size() > kContextTokenBytesMax) {
    return Fail(Code::kInvalidArgument,
                "the context is longer than any that Eddy gives out; pass the context of a read "
                "of this key");
  }
  return {};
}

}  // namespace

Status CheckRequest(const ClientRequest& request) {
  if (Status status = CheckKey(request.bucket, request.key); !status) return status;
  if (request.deadline < Duration::zero() || request.deadline > kDeadlineMax) {
    return Fail(Code::kInvalidArgument, "the deadline is not between 0 and 24 hours");
  }
  if (const auto* put = std::get_if<PutAction>(&request.action)) {
    if (put->expires_at < WallTime{}) {
      return Fail(Code::kInvalidArgument, "the expiry is before 1970");
    }
    if (Status status = CheckValue(put->value); !status) return status;
    return CheckContext(put->context);
  }
  if (const auto* remove = std::get_if<DeleteAction>(&request.action)) {
    return CheckContext(remove->context);
  }
  if (const auto* restore = std::get_if<RestoreAction>(&request.action)) {
    if (restore->record.empty()) {
      return Fail(Code::kInvalidArgument, "there is no record to restore");
    }
    if (restore->record.size() > kRestoreRecordBytesMax) {
      return Fail(Code::kTooLarge,
                  fmt::format("the record has {} bytes, and one request restores at most {}: "
                              "restore it in parts",
                              restore->record.size(), kRestoreRecordBytesMax));
    }
  }
  return {};
}

}  // namespace eddy::wire
