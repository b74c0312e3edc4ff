#include "gossip/packet.h"

#include <fmt/core.h>

#include "base/bytes.h"
#include "base/check.h"
#include "gossip/envelope.h"
#include "gossip/update_codec.h"

namespace eddy::gossip {

namespace {

constexpr uint32_t kMagic = 0x45644770;  // "EdGp"
constexpr size_t kIdBytes = 16;
// More do not fit, so the count has one byte.
constexpr size_t kUpdatesMax = 127;

bool HasTarget(PacketKind kind) {
  return kind == PacketKind::kPing || kind == PacketKind::kPingRequest;
}

bool IsPacketKind(uint8_t value) {
  return value >= static_cast<uint8_t>(PacketKind::kPing) &&
         value <= static_cast<uint8_t>(PacketKind::kGossip);
}

}  // namespace

size_t PacketBytes(const Packet& packet) {
  size_t bytes = kEnvelopeBytes + 1 + kIdBytes + VarintBytes(packet.sequence) + 1;
  if (HasTarget(packet.kind)) bytes += kIdBytes;
  if (packet.kind == PacketKind::kPingRequest) bytes += AddressBytes(packet.address);
  for (const Update& update : packet.updates) bytes += UpdateBytes(update);
  return bytes;
}

std::string EncodePacket(ClusterDigest cluster, const Packet& packet) {
  CHECK(packet.updates.size() <= kUpdatesMax);
  std::string bytes = OpenEnvelope(kMagic, cluster);
  AppendU8(&bytes, static_cast<uint8_t>(packet.kind));
  AppendId(&bytes, packet.sender);
  AppendVarint(&bytes, packet.sequence);
  if (HasTarget(packet.kind)) AppendId(&bytes, packet.target);
  if (packet.kind == PacketKind::kPingRequest) AppendAddress(&bytes, packet.address);
  AppendVarint(&bytes, packet.updates.size());
  for (const Update& update : packet.updates) AppendUpdate(&bytes, update);
  SealEnvelope(&bytes);
  CHECK(bytes.size() <= kPacketBytesMax);
  return bytes;
}

Result<Packet> DecodePacket(ClusterDigest cluster, std::string_view bytes) {
  if (bytes.size() > kPacketBytesMax) {
    return Fail(Code::kTooLarge, fmt::format("a packet of {} bytes; at most {} are allowed",
                                             bytes.size(), kPacketBytesMax));
  }
  const Result<std::string_view> content = ReadEnvelope(kMagic, cluster, bytes);
  if (!content) return std::unexpected(content.error());

  ByteReader reader(*content);
  Packet packet;
  const uint8_t kind = reader.U8();
  bool in_range = IsPacketKind(kind);
  packet.kind = static_cast<PacketKind>(kind);
  packet.sender = ReadId(&reader);
  packet.sequence = reader.Varint();
  if (HasTarget(packet.kind)) {
    packet.target = ReadId(&reader);
    in_range = in_range && !packet.target.IsNone();
  }
  if (packet.kind == PacketKind::kPingRequest) packet.address = ReadAddress(&reader, &in_range);
  const uint64_t count = reader.Varint();
  in_range = in_range && !packet.sender.IsNone() && count <= kUpdatesMax;
  for (uint64_t i = 0; i < count && in_range && reader.ok(); ++i) {
    packet.updates.push_back(ReadUpdate(&reader, &in_range));
  }
  if (!in_range) return Fail(Code::kCorruption, "a packet with a number or an id out of range");
  if (!reader.AtEnd()) return Fail(Code::kCorruption, "a packet that ends too early or too late");
  return packet;
}

}  // namespace eddy::gossip
