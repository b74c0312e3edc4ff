// Members, updates and packets for tests: by number, or drawn at random within all that is allowed.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/random.h"
#include "gossip/member.h"
#include "gossip/packet.h"
#include "gossip/update_codec.h"

namespace eddy::gossip {

inline NodeId Peer(uint64_t number) { return NodeId{.high = 1, .low = number}; }

inline Address AddressOf(uint64_t number) {
  return Address{.host = "10.0.0." + std::to_string(number), .port = 7401};
}

inline MemberState Member(uint64_t number, uint64_t incarnation = 1,
                          Liveness liveness = Liveness::kAlive) {
  return MemberState{.id = Peer(number),
                     .incarnation = Incarnation{incarnation},
                     .liveness = liveness,
                     .address = AddressOf(number)};
}

inline Update Alive(uint64_t number, uint64_t incarnation = 1) {
  return Update{.member = Member(number, incarnation), .from = {}};
}
inline Update Suspected(uint64_t number, uint64_t incarnation, uint64_t from) {
  return Update{.member = Member(number, incarnation, Liveness::kSuspect), .from = Peer(from)};
}
inline Update Dead(uint64_t number, uint64_t incarnation, uint64_t from) {
  return Update{.member = Member(number, incarnation, Liveness::kDead), .from = Peer(from)};
}
inline Update Left(uint64_t number, uint64_t incarnation) {
  return Update{.member = Member(number, incarnation, Liveness::kLeft), .from = {}};
}

inline Address RandomAddress(Random* random) {
  Address address;
  for (uint64_t i = random->Chance(1, 8) ? 255 : random->Between(1, 40); i > 0; --i) {
    address.host.push_back(static_cast<char>(random->Between('!', '~')));
  }
  address.port = static_cast<uint16_t>(random->Between(1, UINT16_MAX));
  return address;
}

inline Update RandomUpdate(Random* random) {
  Update update;
  MemberState& member = update.member;
  member.id = random->NextId<NodeId>();
  member.incarnation.value = random->Below(kIncarnationMax.value + 1) >> random->Below(56);
  member.liveness = static_cast<Liveness>(random->Below(kLivenesses));
  member.address = RandomAddress(random);
  if (IsDoubt(member.liveness)) update.from = random->NextId<NodeId>();
  return update;
}

inline Packet RandomPacket(Random* random) {
  Packet packet;
  packet.kind = static_cast<PacketKind>(random->Between(1, 5));
  packet.sender = random->NextId<NodeId>();
  packet.sequence = random->Next() >> random->Below(64);
  if (packet.kind == PacketKind::kPing || packet.kind == PacketKind::kPingRequest) {
    packet.target = random->NextId<NodeId>();
  }
  if (packet.kind == PacketKind::kPingRequest) packet.address = RandomAddress(random);
  for (uint64_t i = random->Below(40); i > 0; --i) {
    Update update = RandomUpdate(random);
    if (PacketBytes(packet) + UpdateBytes(update) > kPacketBytesMax) break;
    packet.updates.push_back(std::move(update));
  }
  return packet;
}

}  // namespace eddy::gossip
