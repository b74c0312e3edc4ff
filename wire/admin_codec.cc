#include "base/check.h"
#include "wire/codec.h"
#include "wire/flat.h"

namespace eddy::wire {

void Encoder::AppendAdminRequest(const AdminRequest& request, std::string* out) {
  CHECK(request.call.size() <= kAdminCallBytesMax &&
        request.arguments.size() <= kAdminArgumentsBytesMax);
  const auto call = ToBytes(builder_.get(), request.call);
  const auto arguments = ToBytes(builder_.get(), request.arguments);
  const flat::RequestId id = ToRequestId(request.id);
  Finish(FrameKind::kAdminRequest, flat::CreateAdminRequest(*builder_, &id, call, arguments).o,
         out);
}

Result<AdminRequest> DecodeAdminRequest(std::string_view payload) {
  const auto root = Root<flat::AdminRequest>(payload, "admin request");
  if (!root) return std::unexpected(root.error());
  AdminRequest request;
  request.id = FromRequestId((*root)->id());
  request.call = FromBytes((*root)->call());
  request.arguments = FromBytes((*root)->arguments());
  if (request.call.size() > kAdminCallBytesMax ||
      request.arguments.size() > kAdminArgumentsBytesMax) {
    return Malformed("admin request");
  }
  return request;
}

void Encoder::AppendAdminReply(const AdminReply& reply, std::string* out) {
  CHECK(reply.result.size() <= kAdminResultBytesMax && reply.data.size() <= kAdminDataBytesMax);
  const auto result = ToBytes(builder_.get(), reply.result);
  const auto data = ToBytes(builder_.get(), reply.data);
  const auto error = ToError(builder_.get(), reply.error);
  const flat::RequestId id = ToRequestId(reply.id);
  Finish(FrameKind::kAdminReply, flat::CreateAdminReply(*builder_, &id, error, result, data).o,
         out);
}

Result<AdminReply> DecodeAdminReply(std::string_view payload) {
  const auto root = Root<flat::AdminReply>(payload, "admin reply");
  if (!root) return std::unexpected(root.error());
  AdminReply reply;
  reply.id = FromRequestId((*root)->id());
  if (Status status = FromError((*root)->error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  reply.result = FromBytes((*root)->result());
  reply.data = FromBytes((*root)->data());
  if (reply.result.size() > kAdminResultBytesMax || reply.data.size() > kAdminDataBytesMax) {
    return Malformed("admin reply");
  }
  return reply;
}

}  // namespace eddy::wire
