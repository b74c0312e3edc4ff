// Writes that this coordinator has taken recently, by request id, so that a client's retry makes no
// second dot (design, section 5). Bounded: the oldest are forgotten first.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "lattice/dot.h"

namespace eddy::node {

struct RecentWrite {
  enum class State : uint8_t {
    kUnderWay,  // `op` runs
    kDone,      // acknowledged
    kUnknown,   // stored here, but not by as many as were needed: a retry replicates it again
  };
  State state = State::kUnderWay;
  uint64_t op = 0;
  lattice::Dot dot;  // of a put; none of a delete
  // Of a write that is done: what its reply said.
  uint8_t needed = 0;
  uint8_t answered = 0;
  uint8_t primaries = 0;
  std::string context;
};

class RecentRequests {
 public:
  explicit RecentRequests(size_t requests_max) : requests_max_(requests_max) {}

  // Null for an id never seen, forgotten, or none.
  RecentWrite* Find(RequestId id);
  // Requires that `id` is not known; does nothing for the id none.
  void Begin(RequestId id, uint64_t op, lattice::Dot dot);
  // Nothing was done: a retry is a new write.
  void Forget(RequestId id);
  size_t size() const { return in_order_.size(); }

 private:
  const size_t requests_max_;
  // Clients number their requests one by one, and so do neighbours lie in the table: it is large,
  // and a place that was not touched for a while costs more than all else here.
  struct IdHash {
    size_t operator()(const RequestId& id) const {
      return (id.client * 0x9e3779b97f4a7c15 >> 17) + id.sequence;
    }
  };

  std::unordered_map<RequestId, RecentWrite, IdHash> writes_;  // lookup only
  std::deque<RequestId> in_order_;                             // may name ids that Forget removed
};

}  // namespace eddy::node
