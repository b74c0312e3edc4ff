#include "gossip/member.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "ring/layout.h"

namespace eddy::gossip {

bool IsAddress(const Address& address) {
  const std::string& host = address.host;
  return address.port != 0 && !host.empty() && host.size() <= ring::kMemberHostBytesMax &&
         std::ranges::all_of(host, [](char c) { return c > ' ' && c <= '~'; });
}

bool MemberState::IsBelow(const MemberState& other) const {
  CHECK(id == other.id || id.IsNone() || other.id.IsNone());
  const auto order = [](const MemberState& state) {
    return std::tie(state.id, state.incarnation, state.liveness, state.address);
  };
  return order(*this) < order(other);
}

void MemberState::Join(const MemberState& other) {
  if (IsBelow(other)) *this = other;
}

}  // namespace eddy::gossip
