// A member of the cluster as a layout knows it: who it is, where it stands, how much it can hold
// and where its doors are. A plain value.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"

namespace eddy::ring {

inline constexpr size_t kMemberNameBytesMax = 64;  // of a zone's name too
inline constexpr size_t kMemberHostBytesMax = 255;
inline constexpr uint32_t kMemberWeightMax = 1'000'000;

// Where a member listens: one host, a port a door.
struct Doors {
  std::string host;
  uint16_t native = 7400;
  uint16_t peer = 7401;
  uint16_t resp = 7379;
  uint16_t http = 7480;

  friend bool operator==(const Doors&, const Doors&) = default;
};

struct Member {
  NodeId id;
  std::string name;
  // What fails together: a rack, a room, a data centre. Members that give none share one zone.
  std::string zone;
  // How much of the data the member holds, relative to the others. A member of weight 0 holds none:
  // it owns no partition and stands in no preference list.
  uint32_t weight = 100;
  // It is to leave the cluster once others hold what it held; its weight is 0.
  bool leaving = false;
  Doors doors;

  friend bool operator==(const Member&, const Member&) = default;
};

// The canonical encoding; ring/layout.h has its grammar.
void AppendMember(std::string* out, const Member& member);
// False: a number is out of range. Whether there was all of it, the reader knows.
[[nodiscard]] bool ReadMember(ByteReader* reader, Member* member);

}  // namespace eddy::ring
