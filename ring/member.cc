#include "ring/member.h"

namespace eddy::ring {

void AppendMember(std::string* out, const Member& member) {
  AppendBigEndian64(out, member.id.high);
  AppendBigEndian64(out, member.id.low);
  AppendBytes(out, member.name);
  AppendBytes(out, member.zone);
  AppendVarint(out, member.weight);
  AppendVarint(out, member.leaving ? 1 : 0);
  AppendBytes(out, member.doors.host);
  AppendVarint(out, member.doors.native);
  AppendVarint(out, member.doors.peer);
  AppendVarint(out, member.doors.resp);
  AppendVarint(out, member.doors.http);
}

bool ReadMember(ByteReader* reader, Member* member) {
  bool in_range = true;
  const auto number = [&](uint64_t most) {
    const uint64_t value = reader->Varint();
    in_range = in_range && value <= most;
    return value;
  };
  const auto port = [&] { return static_cast<uint16_t>(number(UINT16_MAX)); };
  member->id.high = reader->BigEndian64();
  member->id.low = reader->BigEndian64();
  member->name = reader->Bytes();
  member->zone = reader->Bytes();
  member->weight = static_cast<uint32_t>(number(kMemberWeightMax));
  member->leaving = number(1) != 0;
  member->doors.host = reader->Bytes();
  member->doors.native = port();
  member->doors.peer = port();
  member->doors.resp = port();
  member->doors.http = port();
  return in_range;
}

}  // namespace eddy::ring
