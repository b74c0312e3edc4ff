#include "node/recent_requests.h"

namespace eddy::node {

RecentWrite* RecentRequests::Find(RequestId id) {
  if (id.IsNone()) return nullptr;
  const auto found = writes_.find(id);
  return found == writes_.end() ? nullptr : &found->second;
}

void RecentRequests::Begin(RequestId id, uint64_t op, lattice::Dot dot) {
  if (id.IsNone() || requests_max_ == 0) return;
  while (in_order_.size() >= requests_max_) {
    writes_.erase(in_order_.front());
    in_order_.pop_front();
  }
  writes_.emplace(id, RecentWrite{.op = op, .dot = dot});
  in_order_.push_back(id);
}

void RecentRequests::Forget(RequestId id) { writes_.erase(id); }

}  // namespace eddy::node
