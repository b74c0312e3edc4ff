// The frames of the bare quorum store, between its nodes and with its clients:
//
//   u32 size of what follows it | u8 verb | u8 nothing | u16 key bytes | u32 id | key | rest
//
// in the machine's own byte order, as nobody else will ever read them. An answer carries the id of
// what it answers. A stored value begins with 8 bytes of version; a client sees none of them.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace eddy::bench {

enum class FloorVerb : uint8_t {
  kHello = 1,     // between nodes: the id says who speaks
  kPut,           // client to coordinator: rest is the value
  kGet,           // likewise
  kDone,          // coordinator to client: W replicas have it
  kValue,         // coordinator to client: rest is the value; empty when there is none
  kReplicaPut,    // coordinator to replica: rest is version and value
  kReplicaGet,    // coordinator to replica
  kReplicaDone,   // replica to coordinator
  kReplicaValue,  // replica to coordinator: rest is version and value, or empty
};

struct FloorFrame {
  FloorVerb verb{};
  uint32_t id = 0;
  std::string_view key;
  std::string_view rest;
  size_t size = 0;  // of the whole frame
};

struct FloorHeader {
  uint32_t following = 0;
  FloorVerb verb{};
  uint8_t nothing = 0;
  uint16_t key_bytes = 0;
  uint32_t id = 0;
};
static_assert(sizeof(FloorHeader) == 12);

// `rest` comes in two pieces, so that a version and a value need not be put together first.
inline void AppendFloorFrame(FloorVerb verb, uint32_t id, std::string_view key,
                             std::string_view rest, std::string_view more, std::string* out) {
  const size_t following =
      sizeof(FloorHeader) - sizeof(uint32_t) + key.size() + rest.size() + more.size();
  const FloorHeader header{.following = static_cast<uint32_t>(following),
                           .verb = verb,
                           .key_bytes = static_cast<uint16_t>(key.size()),
                           .id = id};
  out->append(reinterpret_cast<const char*>(&header), sizeof(header));
  out->append(key).append(rest).append(more);
}

// The frame at the front of `input`, which it points into; nullopt when more bytes are needed.
inline std::optional<FloorFrame> ParseFloorFrame(std::string_view input) {
  FloorHeader header;
  if (input.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, input.data(), sizeof(header));
  const size_t size = sizeof(uint32_t) + header.following;
  if (input.size() < size || size < sizeof(header) + header.key_bytes) return std::nullopt;
  return FloorFrame{.verb = header.verb,
                    .id = header.id,
                    .key = input.substr(sizeof(header), header.key_bytes),
                    .rest = input.substr(sizeof(header) + header.key_bytes,
                                         size - sizeof(header) - header.key_bytes),
                    .size = size};
}

}  // namespace eddy::bench
