#include "wire/frame.h"

#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace eddy::wire {

namespace {

constexpr size_t kKindOffset = 4;
constexpr size_t kChecksumOffset = 8;
static_assert(kPayloadBytesMax < (uint64_t{1} << 31), "FlatBuffers address 2 GiB");

bool IsFrameKind(uint32_t kind) {
  return kind >= static_cast<uint32_t>(FrameKind::kHello) &&
         kind <= static_cast<uint32_t>(FrameKind::kAdminReply);
}

uint64_t Checksum(uint32_t kind, std::string_view payload) {
  return Hash64(payload, uint64_t{kind} << 32 | payload.size());
}

size_t PaddingAfter(size_t payload_bytes) { return (0 - payload_bytes) % kFrameAlignment; }

}  // namespace

Result<std::optional<Frame>> ParseFrame(std::string_view input, size_t payload_bytes_max) {
  if (input.size() < kKindOffset) return std::nullopt;
  const size_t length = ByteReader(input).U32();
  if (length > payload_bytes_max) {
    return Fail(Code::kTooLarge,
                fmt::format("a frame claims {} bytes, and at most {} are allowed here: too large a "
                            "message, or not Eddy's protocol",
                            length, payload_bytes_max));
  }
  if (input.size() < kChecksumOffset) return std::nullopt;
  const uint32_t kind = ByteReader(input.substr(kKindOffset)).U32();
  if (!IsFrameKind(kind)) {
    return Fail(Code::kUnsupported, fmt::format("a frame of unknown kind {}", kind));
  }
  const size_t size = kFrameHeaderBytes + length + PaddingAfter(length);
  if (input.size() < size) return std::nullopt;

  const uint64_t checksum = ByteReader(input.substr(kChecksumOffset)).U64();
  const std::string_view payload = input.substr(kFrameHeaderBytes, length);
  const std::string_view padding = input.substr(kFrameHeaderBytes + length, PaddingAfter(length));
  if (Checksum(kind, payload) != checksum ||
      padding.find_first_not_of('\0') != std::string_view::npos) {
    return Fail(Code::kCorruption, "a frame fails its checksum: it was damaged on its way");
  }
  return Frame{static_cast<FrameKind>(kind), payload, size};
}

void AppendFrame(FrameKind kind, std::string_view payload, std::string* out) {
  CHECK(payload.size() <= kPayloadBytesMax);
  const auto length = static_cast<uint32_t>(payload.size());
  const auto number = static_cast<uint32_t>(kind);
  const uint64_t checksum = Checksum(number, payload);
  char header[kFrameHeaderBytes];
  std::memcpy(header, &length, sizeof(length));
  std::memcpy(header + kKindOffset, &number, sizeof(number));
  std::memcpy(header + kChecksumOffset, &checksum, sizeof(checksum));
  out->append(header, sizeof(header));
  out->append(payload);
  out->append(PaddingAfter(payload.size()), '\0');
}

}  // namespace eddy::wire
