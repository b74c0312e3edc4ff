#include "server/native_door.h"

#include <utility>

#include <fmt/core.h>

#include "server/handshake.h"

namespace eddy::server {

std::unique_ptr<Session> NativeDoor::MakeSession(Outlet* outlet) {
  return std::make_unique<NativeSession>(this, outlet);
}

std::string NativeDoor::FullReply() {
  std::string reply;
  encoder_.AppendRefusal(
      Error{Code::kBusy, fmt::format("node {} has as many clients as it takes: close some, raise "
                                     "connections_max, or ask another node",
                                     options_.hello.node_name)},
      &reply);
  return reply;
}

NativeSession::NativeSession(NativeDoor* door, Outlet* outlet)
    : door_(door), outlet_(outlet), number_(door->next_session_++) {
  door_->sessions_.emplace(number_, this);
}

NativeSession::~NativeSession() { door_->sessions_.erase(number_); }

bool NativeSession::paused() const {
  return in_flight_ >= door_->options_.pipeline_max ||
         pipeline_bytes_ >= door_->options_.pipeline_bytes_max ||
         (in_flight_ > 0 && outlet_->crowded());
}

size_t NativeSession::Consume(std::string_view input) {
  size_t used = 0;
  while (!paused() && !ended_) {
    const size_t payload_max =
        greeted_ ? wire::kRequestPayloadBytesMax : wire::kHelloPayloadBytesMax;
    const auto frame = wire::ParseFrame(input.substr(used), payload_max);
    Status ok;
    if (!frame) {
      ok = std::unexpected(frame.error());
    } else if (!*frame) {
      break;
    } else {
      used += (*frame)->size;
      ok = OnFrame(**frame);
    }
    if (ok) continue;
    ended_ = true;
    door_->encoder_.AppendRefusal(ok.error(), outlet_->out());
    outlet_->CloseAfterFlush();
  }
  return used;
}

Status NativeSession::OnFrame(const wire::Frame& frame) {
  if (greeted_ != (frame.kind != wire::FrameKind::kHello)) {
    return Fail(Code::kInvalidArgument,
                "a connection begins with one hello: is this a client of the native protocol?");
  }
  pipeline_bytes_ += frame.size;
  switch (frame.kind) {
    case wire::FrameKind::kHello:
      return OnHello(frame.payload);
    case wire::FrameKind::kClientRequest:
      return OnRequest(frame.payload);
    case wire::FrameKind::kStatusRequest:
      return OnStatusRequest(frame.payload);
    case wire::FrameKind::kKeyListRequest:
      return OnKeyListRequest(frame.payload);
    case wire::FrameKind::kAdminRequest:
      return OnAdminRequest(frame.payload);
    default:
      return Fail(Code::kUnsupported,
                  fmt::format("the native door takes no frames of kind {}: peers have a door of "
                              "their own",
                              static_cast<uint32_t>(frame.kind)));
  }
}

Status NativeSession::OnHello(std::string_view payload) {
  const auto hello = wire::DecodeHello(payload);
  if (!hello) return std::unexpected(hello.error());
  if (auto ok = JudgeClient(door_->options_.hello, *hello); !ok) return ok;
  greeted_ = true;
  pipeline_bytes_ = 0;
  door_->encoder_.AppendHello(door_->options_.hello, outlet_->out());
  return {};
}

Status NativeSession::OnRequest(std::string_view payload) {
  RequestId id;
  auto request = wire::DecodeClientRequest(payload, &id);
  if (!request) {
    if (request.error().code == Code::kCorruption) return std::unexpected(request.error());
    // Well formed, and not to be served: the connection is sound.
    door_->encoder_.AppendClientReply({.id = id, .error = std::move(request.error())},
                                      outlet_->out());
    return {};
  }
  ++in_flight_;
  // Small enough to need no allocation.
  door_->front_->Submit(*std::move(request),
                        [door = door_, number = number_](const wire::ClientReply& reply) {
                          const auto session = door->sessions_.find(number);
                          if (session != door->sessions_.end()) session->second->OnReply(reply);
                        });
  return {};
}

Status NativeSession::OnStatusRequest(std::string_view payload) {
  const auto id = wire::DecodeStatusRequest(payload);
  if (!id) return std::unexpected(id.error());
  door_->encoder_.AppendStatusReply(*id, door_->front_->Status(), outlet_->out());
  if (in_flight_ == 0) pipeline_bytes_ = 0;
  return {};
}

Status NativeSession::OnKeyListRequest(std::string_view payload) {
  auto request = wire::DecodeKeyListRequest(payload);
  if (!request) return std::unexpected(request.error());
  ++in_flight_;
  door_->front_->ListKeys(*std::move(request),
                          [door = door_, number = number_](const wire::KeyListReply& reply) {
                            const auto session = door->sessions_.find(number);
                            if (session != door->sessions_.end()) session->second->OnKeyList(reply);
                          });
  return {};
}

Status NativeSession::OnAdminRequest(std::string_view payload) {
  auto request = wire::DecodeAdminRequest(payload);
  if (!request) return std::unexpected(request.error());
  ++in_flight_;
  door_->front_->Admin(*std::move(request),
                       [door = door_, number = number_](const wire::AdminReply& reply) {
                         const auto session = door->sessions_.find(number);
                         if (session != door->sessions_.end()) session->second->OnAdmin(reply);
                       });
  return {};
}

bool NativeSession::Land() {
  --in_flight_;
  if (in_flight_ == 0) pipeline_bytes_ = 0;
  return !ended_;
}

void NativeSession::OnReply(const wire::ClientReply& reply) {
  if (!Land()) return;
  door_->encoder_.AppendClientReply(reply, outlet_->out());
  outlet_->Wake();
}

void NativeSession::OnAdmin(const wire::AdminReply& reply) {
  if (!Land()) return;
  door_->encoder_.AppendAdminReply(reply, outlet_->out());
  outlet_->Wake();
}

void NativeSession::OnKeyList(const wire::KeyListReply& reply) {
  if (!Land()) return;
  door_->encoder_.AppendKeyListReply(reply, outlet_->out());
  outlet_->Wake();
}

}  // namespace eddy::server
