// Frames as a client of the native door makes and reads them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace eddy::server {

inline std::string HelloFrame(std::string cluster, uint32_t version = wire::kProtocolVersion,
                              uint32_t version_oldest = wire::kProtocolVersionOldest) {
  std::string out;
  wire::Encoder().AppendHello({.version = version,
                               .version_oldest = version_oldest,
                               .cluster = std::move(cluster),
                               .software = "test"},
                              &out);
  return out;
}

inline std::string GetFrame(uint64_t sequence, std::string key) {
  std::string out;
  const wire::ClientRequest request{.id = {.client = 7, .sequence = sequence},
                                    .bucket = "b",
                                    .key = std::move(key),
                                    .action = wire::GetAction{}};
  CHECK(wire::Encoder().AppendClientRequest(request, &out).has_value());
  return out;
}

inline std::string PutFrame(uint64_t sequence, std::string key, std::string value) {
  std::string out;
  const wire::ClientRequest request{.id = {.client = 7, .sequence = sequence},
                                    .bucket = "b",
                                    .key = std::move(key),
                                    .action = wire::PutAction{.value = std::move(value)}};
  CHECK(wire::Encoder().AppendClientRequest(request, &out).has_value());
  return out;
}

inline std::string StatusFrame(uint64_t sequence) {
  std::string out;
  wire::Encoder().AppendStatusRequest({.client = 7, .sequence = sequence}, &out);
  return out;
}

// The whole frames at the front of `bytes`, as kind and payload; what is left must be a part of
// one.
inline std::vector<std::pair<wire::FrameKind, std::string>> Frames(std::string_view bytes) {
  std::vector<std::pair<wire::FrameKind, std::string>> frames;
  for (;;) {
    const auto frame = wire::ParseFrame(bytes, wire::kPayloadBytesMax);
    CHECK(frame.has_value());
    if (!*frame) return frames;
    frames.emplace_back((*frame)->kind, std::string((*frame)->payload));
    bytes.remove_prefix((*frame)->size);
  }
}

}  // namespace eddy::server
