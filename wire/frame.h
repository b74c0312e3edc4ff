// A frame: what the native and the peer door exchange over TCP.
//
//   length   u32  bytes of payload that follow the header, without padding
//   kind     u32  what the payload is (FrameKind); unknown kinds are refused
//   checksum u64  XXH3-64 of the payload, seeded with kind << 32 | length
//   payload       a FlatBuffer
//   padding       zeros to a multiple of 8, so that every frame in an aligned buffer is aligned
//
// All little-endian. A length over the limit of the connection is refused before anything is
// allocated for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"

namespace eddy::wire {

inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr size_t kFrameAlignment = 8;

// The payload limits of a connection. A stranger gets little room; a client has room for the
// largest request; and everything else (replies, messages between nodes) is bounded by a record
// with its siblings.
inline constexpr size_t kHelloPayloadBytesMax = 16 * 1024;
inline constexpr size_t kRequestPayloadBytesMax = kValueBytesMax + 1024 * 1024;
inline constexpr size_t kPayloadBytesMax = kRecordBytesMax + 1024 * 1024;

// Numbers are stable: they are the protocol.
enum class FrameKind : uint32_t {
  kHello = 1,          // first frame of either side, both doors
  kClientRequest = 2,  // native door
  kClientReply = 3,
  kStatusRequest = 4,
  kStatusReply = 5,
  kPeerMessage = 6,     // peer door
  kRefusal = 7,         // an error, then the connection closes
  kKeyListRequest = 8,  // native door
  kKeyListReply = 9,
  kAdminRequest = 10,  // native door
  kAdminReply = 11,
};

struct Frame {
  FrameKind kind;
  std::string_view payload;  // borrowed from the input, 8-byte aligned if the input was
  size_t size;               // of the whole frame: how much of the input it took
};

// The frame at the front of `input`; nullopt when more bytes are needed. kTooLarge, kCorruption,
// kUnsupported: the stream cannot be trusted any more, close it. A header that is wrong is refused
// as soon as its wrong part is there, so a stranger who speaks another protocol is not kept
// waiting.
[[nodiscard]] Result<std::optional<Frame>> ParseFrame(std::string_view input,
                                                      size_t payload_bytes_max);

// Appends header, payload and padding. Requires a payload of at most kPayloadBytesMax.
void AppendFrame(FrameKind kind, std::string_view payload, std::string* out);

}  // namespace eddy::wire
