// Am I safe? A judgement on what the members of a cluster say of themselves. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "ring/layout.h"
#include "wire/hello.h"

namespace eddy::tools {

// A member, and what it said when it was asked, or why it did not.
struct NodeView {
  wire::MemberStatus member;
  Result<wire::NodeStatus> status;

  bool ready() const { return status && status->ready; }
};

enum class Verdict {
  kSafe,      // every node is ready, and one more may fail
  kDegraded,  // reads and writes go on everywhere, but there is something to do
  kImpaired,  // some keys have too few replicas left for the usual quorums
};
std::string_view VerdictName(Verdict verdict);

struct Health {
  Verdict verdict = Verdict::kImpaired;
  std::string headline;             // one sentence
  std::vector<std::string> advice;  // what to do, one sentence each
  // With the default n, and r and w majorities: how many more nodes may fail, whichever they are,
  // with every key still readable and writable.
  uint32_t failures_tolerated = 0;
  // Of which some node that is ready does not reach a majority of replicas.
  uint32_t partitions_impaired = 0;
};

// Those that are ready, as each of them reaches them (itself included, and only who says the same
// of it): one set where all reach each other, more where the network between them is cut; one that
// is empty where nobody is ready.
std::set<std::set<NodeId>> WithinReach(const std::vector<NodeView>& views);

// `views` are all members of `layout`.
Health Judge(const ring::Layout& layout, const std::vector<NodeView>& views);

}  // namespace eddy::tools
