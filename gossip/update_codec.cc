#include "gossip/update_codec.h"

#include <bit>

namespace eddy::gossip {

namespace {

constexpr size_t kIdBytes = 16;

}  // namespace

size_t VarintBytes(uint64_t value) {
  return value == 0 ? 1 : (static_cast<size_t>(std::bit_width(value)) + 6) / 7;
}

void AppendId(std::string* out, NodeId id) {
  AppendBigEndian64(out, id.high);
  AppendBigEndian64(out, id.low);
}

NodeId ReadId(ByteReader* reader) {
  NodeId id;
  id.high = reader->BigEndian64();
  id.low = reader->BigEndian64();
  return id;
}

void AppendAddress(std::string* out, const Address& address) {
  AppendBytes(out, address.host);
  AppendVarint(out, address.port);
}

Address ReadAddress(ByteReader* reader, bool* ok) {
  Address address;
  address.host = reader->Bytes();
  const uint64_t port = reader->Varint();
  address.port = static_cast<uint16_t>(port);
  *ok = *ok && port <= UINT16_MAX && IsAddress(address);
  return address;
}

size_t AddressBytes(const Address& address) {
  return VarintBytes(address.host.size()) + address.host.size() + VarintBytes(address.port);
}

void AppendUpdate(std::string* out, const Update& update) {
  const MemberState& member = update.member;
  AppendId(out, member.id);
  AppendVarint(out, member.incarnation.value);
  AppendU8(out, static_cast<uint8_t>(member.liveness));
  AppendAddress(out, member.address);
  if (IsDoubt(member.liveness)) AppendId(out, update.from);
}

Update ReadUpdate(ByteReader* reader, bool* ok) {
  Update update;
  MemberState& member = update.member;
  member.id = ReadId(reader);
  member.incarnation.value = reader->Varint();
  const uint8_t liveness = reader->U8();
  member.liveness = static_cast<Liveness>(liveness);
  member.address = ReadAddress(reader, ok);
  *ok =
      *ok && !member.id.IsNone() && member.incarnation <= kIncarnationMax && liveness < kLivenesses;
  if (*ok && IsDoubt(member.liveness)) {
    update.from = ReadId(reader);
    *ok = !update.from.IsNone();
  }
  return update;
}

size_t UpdateBytes(const Update& update) {
  const MemberState& member = update.member;
  return kIdBytes + VarintBytes(member.incarnation.value) + 1 + AddressBytes(member.address) +
         (IsDoubt(member.liveness) ? kIdBytes : 0);
}

}  // namespace eddy::gossip
