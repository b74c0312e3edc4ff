// Whom to probe next: everybody once a round, each round in another random order. So a crash is
// noticed by a given node within two rounds at the latest, and who is probed at one moment is
// spread over the cluster (SWIM, section 4.3). Who comes is put into the round that is under way:
// nodes that were started together begin their rounds together, and would all pass it over.
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
  // At a random place among those who are still to be probed in this round.
  void Insert(NodeId id, Random* random);
  // Who is gone is passed over. Nullopt if nobody is here.
  std::optional<NodeId> Next(const MemberTable& members, Random* random);

 private:
  std::vector<NodeId> round_;
  size_t next_ = 0;
};

}  // namespace eddy::gossip
