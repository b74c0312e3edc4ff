#include <fmt/format.h>

#include "wire/codec.h"
#include "wire/context_token.h"
#include "wire/flat.h"

namespace eddy::wire {

namespace {

template <class T>
flatbuffers::Optional<T> ToOptional(std::optional<T> value) {
  return value ? flatbuffers::Optional<T>(*value) : flatbuffers::nullopt;
}
template <class T>
std::optional<T> FromOptional(flatbuffers::Optional<T> value) {
  return value ? std::optional(*value) : std::nullopt;
}

struct FlatAction {
  flat::Action type;
  Offset<void> value;
};

FlatAction ToAction(FlatBufferBuilder* builder, const GetAction& get) {
  return {flat::Action::GetAction, flat::CreateGetAction(*builder, get.all_siblings).Union()};
}
FlatAction ToAction(FlatBufferBuilder* builder, const PutAction& put) {
  const auto value = ToBytes(builder, put.value);
  const auto context = ToBytes(builder, put.context);
  return {flat::Action::PutAction,
          flat::CreatePutAction(*builder, value, context, ToMilliseconds(put.expires_at)).Union()};
}
FlatAction ToAction(FlatBufferBuilder* builder, const DeleteAction& remove) {
  const auto context = ToBytes(builder, remove.context);
  return {flat::Action::DeleteAction, flat::CreateDeleteAction(*builder, context).Union()};
}
FlatAction ToAction(FlatBufferBuilder* builder, const RestoreAction& restore) {
  const auto record = ToBytes(builder, restore.record);
  return {flat::Action::RestoreAction, flat::CreateRestoreAction(*builder, record).Union()};
}

// The reply's siblings fit into one frame, with room for what surrounds them.
bool FitsFrame(const ClientReply& reply) {
  constexpr size_t kSiblingOverheadBytes = 128;
  if (reply.siblings.size() > kReplySiblingsMax) return false;
  size_t bytes = reply.context.size();
  for (const ShownSibling& sibling : reply.siblings) {
    bytes += sibling.value.size() + kSiblingOverheadBytes;
  }
  return bytes <= kPayloadBytesMax - 64 * 1024;
}

Offset<flat::ClientReply> ToClientReplyTooLarge(FlatBufferBuilder* builder,
                                                const ClientReply& reply) {
  ClientReply instead;
  instead.id = reply.id;
  instead.needed = reply.needed;
  instead.answered = reply.answered;
  // A context beyond what a writer may pass would be of no use to the client.
  if (reply.context.size() <= kContextTokenBytesMax) instead.context = reply.context;
  instead.error = Error{
      Code::kTooLarge,
      fmt::format("the key has {} siblings, together more than a reply can hold; replace or delete "
                  "them all by a write with this reply's context",
                  reply.siblings.size())};
  return ToClientReply(builder, instead);
}

}  // namespace

Offset<flat::ClientRequest> ToClientRequest(FlatBufferBuilder* builder,
                                            const ClientRequest& request) {
  const FlatAction action = std::visit(
      [&](const auto& alternative) { return ToAction(builder, alternative); }, request.action);
  const auto bucket = ToBytesAlways(builder, request.bucket);
  const auto key = ToBytesAlways(builder, request.key);
  const flat::RequestId id = ToRequestId(request.id);
  const QuorumOptions& quorum = request.quorum;
  return flat::CreateClientRequest(
      *builder, &id, bucket, key, ToOptional(quorum.n), ToOptional(quorum.r), ToOptional(quorum.w),
      ToOptional(quorum.pr), ToOptional(quorum.pw), ToMicroseconds(request.deadline), action.type,
      action.value, ToOptional(quorum.sloppy));
}

Result<ClientRequest> FromClientRequest(const flat::ClientRequest* flat) {
  ClientRequest request;
  request.id = FromRequestId(flat->id());
  request.bucket = FromBytes(flat->bucket());
  request.key = FromBytes(flat->key());
  request.quorum = QuorumOptions{.n = FromOptional(flat->n()),
                                 .r = FromOptional(flat->r()),
                                 .w = FromOptional(flat->w()),
                                 .pr = FromOptional(flat->pr()),
                                 .pw = FromOptional(flat->pw()),
                                 .sloppy = FromOptional(flat->sloppy())};
  request.deadline = FromMicroseconds(flat->deadline_us());
  if (flat->action_type() > flat::Action::MAX) {
    return Fail(Code::kUnsupported,
                fmt::format("action {} is of a newer version; upgrade this node",
                            static_cast<unsigned>(flat->action_type())));
  }
  if (flat->action() == nullptr) return Malformed("request");
  switch (flat->action_type()) {
    case flat::Action::GetAction:
      request.action = GetAction{.all_siblings = flat->action_as_GetAction()->all_siblings()};
      break;
    case flat::Action::PutAction: {
      const flat::PutAction& put = *flat->action_as_PutAction();
      request.action = PutAction{.value = std::string(FromBytes(put.value())),
                                 .context = std::string(FromBytes(put.context())),
                                 .expires_at = FromMilliseconds(put.expires_at_ms())};
      break;
    }
    case flat::Action::DeleteAction:
      request.action = DeleteAction{
          .context = std::string(FromBytes(flat->action_as_DeleteAction()->context()))};
      break;
    case flat::Action::RestoreAction:
      request.action = RestoreAction{
          .record = std::string(FromBytes(flat->action_as_RestoreAction()->record()))};
      break;
    case flat::Action::NONE:
      return Malformed("request");
  }
  if (Status status = CheckRequest(request); !status) return std::unexpected(status.error());
  return request;
}

Status Encoder::AppendClientRequest(const ClientRequest& request, std::string* out) {
  if (Status status = CheckRequest(request); !status) return status;
  Finish(FrameKind::kClientRequest, ToClientRequest(builder_.get(), request).o, out);
  return {};
}

Result<ClientRequest> DecodeClientRequest(std::string_view payload, RequestId* id) {
  const auto root = Root<flat::ClientRequest>(payload, "request");
  if (!root) return std::unexpected(root.error());
  *id = FromRequestId((*root)->id());
  return FromClientRequest(*root);
}

Offset<flat::ClientReply> ToClientReply(FlatBufferBuilder* builder, const ClientReply& reply) {
  if (!FitsFrame(reply)) return ToClientReplyTooLarge(builder, reply);
  Offset<flatbuffers::Vector<Offset<flat::Sibling>>> siblings;
  if (!reply.siblings.empty()) {
    siblings = builder->CreateVector<Offset<flat::Sibling>>(reply.siblings.size(), [&](size_t i) {
      const ShownSibling& sibling = reply.siblings[i];
      const auto value = ToBytes(builder, sibling.value);
      const flat::Dot dot(ToId(sibling.dot.actor), sibling.dot.counter);
      return flat::CreateSibling(*builder, &dot, sibling.timestamp.value,
                                 ToMilliseconds(sibling.expires_at), value);
    });
  }
  const auto context = ToBytes(builder, reply.context);
  const auto error = ToError(builder, reply.error);
  const flat::RequestId id = ToRequestId(reply.id);
  return flat::CreateClientReply(*builder, &id, error, reply.needed, reply.answered, context,
                                 siblings, reply.primaries);
}

Result<ClientReply> FromClientReply(const flat::ClientReply* flat, size_t payload_bytes) {
  ClientReply reply;
  reply.id = FromRequestId(flat->id());
  if (Status status = FromError(flat->error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  reply.needed = flat->needed();
  reply.answered = flat->answered();
  reply.primaries = flat->primaries();
  reply.context = FromBytes(flat->context());
  if (flat->siblings() == nullptr) return reply;
  if (flat->siblings()->size() > kReplySiblingsMax) return Malformed("reply");
  reply.siblings.reserve(flat->siblings()->size());
  size_t value_bytes = 0;
  for (const flat::Sibling* sibling : *flat->siblings()) {
    const std::string_view value = FromBytes(sibling->value());
    value_bytes += value.size();
    // More bytes than came: many siblings that share one value, which no encoder of ours writes.
    if (sibling->dot() == nullptr || value_bytes > payload_bytes) return Malformed("reply");
    reply.siblings.push_back(
        ShownSibling{.dot = {FromId<ActorId>(&sibling->dot()->actor()), sibling->dot()->counter()},
                     .timestamp = Timestamp{sibling->timestamp()},
                     .expires_at = FromMilliseconds(sibling->expires_at_ms()),
                     .value = std::string(value)});
  }
  return reply;
}

void Encoder::AppendClientReply(const ClientReply& reply, std::string* out) {
  Finish(FrameKind::kClientReply, ToClientReply(builder_.get(), reply).o, out);
}

Result<ClientReply> DecodeClientReply(std::string_view payload) {
  const auto root = Root<flat::ClientReply>(payload, "reply");
  if (!root) return std::unexpected(root.error());
  return FromClientReply(*root, payload.size());
}

}  // namespace eddy::wire
