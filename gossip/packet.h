// What nodes say to each other in single datagrams, as values and as bytes. Every packet, whatever
// it is for, also carries news of members as far as they fit. The encoding is canonical: what is
// decoded encodes to the same bytes. Nothing in it is authenticated: the checksum finds accidents,
// not forgers. In an envelope (envelope.h), with ids, addresses and updates as in update_codec.h:
//   packet := kind(1) sender sequence body count(1) update*
//   body   := target            for a ping
//           | target address    for a ping-request
//           |                   for the others
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "gossip/cluster_digest.h"
#include "gossip/member.h"

namespace eddy::gossip {

// Fits into one Ethernet frame, whatever the tunnels on its way.
inline constexpr size_t kPacketBytesMax = 1400;

// Numbers travel; never renumber.
enum class PacketKind : uint8_t {
  kPing = 1,         // answer me, if you are `target`
  kPingRequest = 2,  // ping `target` at `address` and pass its answer on under my sequence
  kAck = 3,          // the answer to the ping or ping-request of this sequence
  kNack = 4,         // your ping-request's target has not answered me so far
  kGossip = 5,       // nothing but the updates
};

struct Packet {
  PacketKind kind = PacketKind::kGossip;
  NodeId sender;
  uint64_t sequence = 0;  // chosen by who asks
  NodeId target;          // none unless a ping or a ping-request
  Address address;        // empty unless a ping-request
  std::vector<Update> updates;

  friend bool operator==(const Packet&, const Packet&) = default;
};

// How many bytes the packet has; those of updates add up (UpdateBytes).
size_t PacketBytes(const Packet& packet);

// Requires that they are at most kPacketBytesMax.
std::string EncodePacket(ClusterDigest cluster, const Packet& packet);

// kTooLarge beyond kPacketBytesMax; kWrongCluster for another cluster's packet, or for a format
// that this version does not know; kCorruption unless the bytes are what EncodePacket gives for
// some packet.
Result<Packet> DecodePacket(ClusterDigest cluster, std::string_view bytes);

}  // namespace eddy::gossip
