#include "tools/each_member.h"

#include <algorithm>

namespace eddy::tools {

std::vector<AskedMember> MembersOf(const wire::NodeStatus& status) {
  std::vector<AskedMember> members;
  for (const wire::MemberStatus& member : CurrentMembers(status)) {
    members.push_back({.id = member.id,
                       .name = member.name,
                       .address = {.host = member.doors.host, .port = member.doors.native}});
  }
  std::ranges::sort(members, {}, &AskedMember::name);
  return members;
}

}  // namespace eddy::tools
