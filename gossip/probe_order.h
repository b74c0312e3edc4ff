// Whom to probe next: everybody once a round, each round in another random order. So a crash is
// noticed by a given node within two rounds at the latest, and who is probed at one moment is
// spread over the cluster (SWIM, section 4.3).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "gossip/member_table.h"

namespace eddy::gossip {

class ProbeOrder {
 public:
  // Who is gone is passed over; who came since this round began is in the next one. Nullopt if
  // nobody is here.
  std::optional<NodeId> Next(const MemberTable& members, Random* random);

 private:
  std::vector<NodeId> round_;
  size_t next_ = 0;
};

}  // namespace eddy::gossip
