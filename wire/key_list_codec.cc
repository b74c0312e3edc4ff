#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "wire/codec.h"
#include "wire/flat.h"

namespace eddy::wire {

void Encoder::AppendKeyListRequest(const KeyListRequest& request, std::string* out) {
  CHECK(request.cursor.size() <= kKeyListCursorBytesMax);
  const auto bucket = ToBytes(builder_.get(), request.bucket);
  const auto cursor = ToBytes(builder_.get(), request.cursor);
  const flat::RequestId id = ToRequestId(request.id);
  Finish(FrameKind::kKeyListRequest, flat::CreateKeyListRequest(*builder_, &id, bucket, cursor).o,
         out);
}

Result<KeyListRequest> DecodeKeyListRequest(std::string_view payload) {
  const auto root = Root<flat::KeyListRequest>(payload, "key list request");
  if (!root) return std::unexpected(root.error());
  KeyListRequest request;
  request.id = FromRequestId((*root)->id());
  request.bucket = FromBytes((*root)->bucket());
  request.cursor = FromBytes((*root)->cursor());
  if (request.bucket.size() > kBucketBytesMax || request.cursor.size() > kKeyListCursorBytesMax) {
    return Malformed("key list request");
  }
  return request;
}

void Encoder::AppendKeyListReply(const KeyListReply& reply, std::string* out) {
  CHECK(reply.keys.size() <= kKeyListKeysMax && reply.cursor.size() <= kKeyListCursorBytesMax);
  Offset<flatbuffers::Vector<Offset<flat::ListedKey>>> keys;
  if (!reply.keys.empty()) {
    keys = builder_->CreateVector<Offset<flat::ListedKey>>(reply.keys.size(), [&](size_t i) {
      const auto bucket = ToBytesAlways(builder_.get(), reply.keys[i].bucket);
      const auto key = ToBytesAlways(builder_.get(), reply.keys[i].key);
      return flat::CreateListedKey(*builder_, bucket, key);
    });
  }
  const auto cursor = ToBytes(builder_.get(), reply.cursor);
  const auto error = ToError(builder_.get(), reply.error);
  const flat::RequestId id = ToRequestId(reply.id);
  Finish(FrameKind::kKeyListReply, flat::CreateKeyListReply(*builder_, &id, error, keys, cursor).o,
         out);
}

Result<KeyListReply> DecodeKeyListReply(std::string_view payload) {
  const auto root = Root<flat::KeyListReply>(payload, "key list");
  if (!root) return std::unexpected(root.error());
  KeyListReply reply;
  reply.id = FromRequestId((*root)->id());
  if (Status status = FromError((*root)->error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  reply.cursor = FromBytes((*root)->cursor());
  if (reply.cursor.size() > kKeyListCursorBytesMax) return Malformed("key list");
  if ((*root)->keys() == nullptr) return reply;
  if ((*root)->keys()->size() > kKeyListKeysMax) return Malformed("key list");
  size_t bytes = 0;
  for (const flat::ListedKey* listed : *(*root)->keys()) {
    const std::string_view bucket = FromBytes(listed->bucket());
    const std::string_view key = FromBytes(listed->key());
    bytes += bucket.size() + key.size();
    // More bytes than came: many keys that share one vector, which no encoder of ours writes.
    if (bytes > payload.size() || !CheckKey(bucket, key)) return Malformed("key list");
    reply.keys.push_back({.bucket = std::string(bucket), .key = std::string(key)});
  }
  return reply;
}

}  // namespace eddy::wire
