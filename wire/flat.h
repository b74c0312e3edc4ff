// What the codecs share: between FlatBuffers' types and ours. Internal to wire/.
//
// To* makes a FlatBuffers value, From* makes one of ours. Absent bytes and texts are empty ones. A
// verified buffer can still lack any table, union value or struct, and hold several offsets to one
// vector, so every From* takes null, and repeated bytes are counted where they could add up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flatbuffers/flatbuffers.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"
#include "ring/member.h"
#include "wire/codec.h"
#include "wire/eddy_generated.h"

namespace eddy::wire {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using FlatBytes = flatbuffers::Vector<uint8_t>;

inline std::unexpected<Error> Malformed(std::string_view what) {
  return Fail(Code::kCorruption, "a malformed " + std::string(what));
}

// The verified root of a payload. Small limits: our deepest message has five levels.
template <class Table>
Result<const Table*> Root(std::string_view payload, std::string_view what) {
  CHECK(reinterpret_cast<uintptr_t>(payload.data()) % kFrameAlignment == 0);
  flatbuffers::Verifier::Options options;
  options.max_depth = 8;
  options.max_tables = 2 * kReplySiblingsMax;
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(payload.data()), payload.size(),
                                 options);
  if (payload.size() > kPayloadBytesMax || !verifier.VerifyBuffer<Table>(nullptr)) {
    return Malformed(what);
  }
  return flatbuffers::GetRoot<Table>(payload.data());
}

// ---- Bytes and texts

inline Offset<FlatBytes> ToBytesAlways(FlatBufferBuilder* builder, std::string_view bytes) {
  return builder->CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}
inline Offset<FlatBytes> ToBytes(FlatBufferBuilder* builder, std::string_view bytes) {
  return bytes.empty() ? Offset<FlatBytes>() : ToBytesAlways(builder, bytes);
}
inline std::string_view FromBytes(const FlatBytes* bytes) {
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

inline Offset<flatbuffers::String> ToText(FlatBufferBuilder* builder, std::string_view text,
                                          size_t bytes_max = kNameBytesMax) {
  if (text.empty()) return {};
  return builder->CreateString(text.data(), std::min(text.size(), bytes_max));
}
inline std::string FromText(const flatbuffers::String* text, size_t bytes_max = kNameBytesMax) {
  if (text == nullptr) return {};
  return {text->c_str(), std::min<size_t>(text->size(), bytes_max)};
}

// ---- Ids, digests, durations, expiries

template <class Id>
flat::Id ToId(const Id& id) {
  return flat::Id(id.high, id.low);
}
template <class Id>
Id FromId(const flat::Id* id) {
  return id == nullptr ? Id{} : Id{.high = id->high(), .low = id->low()};
}

inline flat::RequestId ToRequestId(RequestId id) { return flat::RequestId(id.client, id.sequence); }
inline RequestId FromRequestId(const flat::RequestId* id) {
  return id == nullptr ? RequestId{}
                       : RequestId{.client = id->client(), .sequence = id->sequence()};
}

inline flat::Digest ToDigest(const Digest& digest) { return flat::Digest(digest.high, digest.low); }
inline Digest FromDigest(const flat::Digest* digest) {
  return digest == nullptr ? Digest{} : Digest{.high = digest->high(), .low = digest->low()};
}

// Time that has run out travels as the shortest time there is, since zero means "not given".
inline uint64_t ToMicroseconds(Duration duration) {
  return duration < Duration::zero() ? 1 : static_cast<uint64_t>(duration.count());
}
// Durations are bounded, so that whoever adds one to a clock cannot overflow; a longer one is as
// good as the longest.
inline Duration FromMicroseconds(uint64_t microseconds) {
  constexpr auto kMax = static_cast<uint64_t>(Duration(kDeadlineMax).count());
  return Duration(static_cast<int64_t>(std::min(microseconds, kMax)));
}

inline int64_t ToMilliseconds(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime FromMilliseconds(int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

// ---- Errors

inline Offset<flat::Error> ToError(FlatBufferBuilder* builder, const Error& error) {
  const auto text = ToText(builder, error.text, kErrorTextBytesMax);
  return flat::CreateError(*builder, static_cast<flat::ErrorCode>(error.code), text);
}
inline Offset<flat::Error> ToError(FlatBufferBuilder* builder, const std::optional<Error>& error) {
  return error ? ToError(builder, *error) : Offset<flat::Error>();
}

// Requires non-null.
inline Result<Error> FromError(const flat::Error* error) {
  std::string text = FromText(error->text(), kErrorTextBytesMax);
  const auto code = static_cast<uint8_t>(error->code());
  if (code == 0) return Malformed("error");
  if (!IsCode(code)) {
    return Fail(Code::kUnsupported, "an error of a newer version, number " + std::to_string(code) +
                                        (text.empty() ? "" : ": " + text));
  }
  return Error{static_cast<Code>(code), std::move(text)};
}
inline Status FromError(const flat::Error* error, std::optional<Error>* out) {
  if (error == nullptr) return {};
  auto decoded = FromError(error);
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  *out = std::move(*decoded);
  return {};
}

// ---- Doors, in hello and status

Offset<flat::Doors> ToDoors(FlatBufferBuilder* builder, const ring::Doors& doors);
// Requires non-null.
ring::Doors FromDoors(const flat::Doors* doors);

// ---- Requests and replies, on the native door and inside forwards

Offset<flat::ClientRequest> ToClientRequest(FlatBufferBuilder* builder,
                                            const ClientRequest& request);
Offset<flat::ClientReply> ToClientReply(FlatBufferBuilder* builder, const ClientReply& reply);
// Errors as DecodeClientRequest says, but for the id.
Result<ClientRequest> FromClientRequest(const flat::ClientRequest* flat);
// `payload_bytes`: of the message that holds the reply, a bound on what its siblings can be.
Result<ClientReply> FromClientReply(const flat::ClientReply* flat, size_t payload_bytes);

}  // namespace eddy::wire
