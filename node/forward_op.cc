#include "node/forward_op.h"

#include <algorithm>

namespace eddy::node {

ForwardOp::ForwardOp(uint64_t op, Origin origin, wire::ClientRequest request,
                     MonotonicTime deadline, const Placement& placement, bool sloppy)
    : op_(op), origin_(origin), request_(std::move(request)), deadline_(deadline) {
  for (const PeerIndex peer : placement.replicas) {
    if (peer != kSelf) candidates_.push_back(peer);
  }
  if (!sloppy) return;
  for (const PeerIndex peer : placement.stand_ins) {
    if (peer != kSelf) candidates_.push_back(peer);
  }
}

bool ForwardOp::TryNext(OpContext& context) {
  const auto untried = [&](PeerIndex member) {
    return context.peers.Reachable(member) && std::ranges::find(tried_, member) == tried_.end();
  };
  auto next = std::ranges::find_if(candidates_, [&](PeerIndex member) {
    return untried(member) && !context.peers.Silent(member);
  });
  if (next == candidates_.end()) next = std::ranges::find_if(candidates_, untried);
  if (next == candidates_.end()) {
    return GiveUp(context, Error{Code::kUnavailable,
                                 "nothing done: no replica of this key can be reached from this "
                                 "node; try another node"});
  }
  tried_.push_back(*next);
  asked_at_ = context.now.monotonic;
  context.counters.Add(Count::kForwards);
  wire::ClientRequest request = request_;
  request.deadline = context.Left(deadline_);
  context.Send(*next, wire::ForwardRequest{.op = op_, .request = std::move(request)});
  return false;
}

bool ForwardOp::OnForwardReply(OpContext& context, PeerIndex from, wire::ForwardReply reply) {
  const bool last = from == tried_.back();
  const bool asked = std::ranges::find(tried_, from) != tried_.end();
  if (!last && (request_.IsWrite() || !asked)) return false;
  const auto& error = reply.reply.error;
  const bool not_done = error && (error->code == Code::kUnavailable || error->code == Code::kBusy);
  if (not_done && !last) return false;  // the one that was asked after it may do better
  if (not_done && OthersAreLeft(context)) return TryNext(context);
  Answer(context, origin_, std::move(reply.reply));
  return true;
}

bool ForwardOp::OthersAreLeft(const OpContext& context) const {
  return std::ranges::any_of(candidates_, [&](PeerIndex member) {
    return context.peers.Reachable(member) && std::ranges::find(tried_, member) == tried_.end();
  });
}

bool ForwardOp::OnPeerDown(OpContext& context, PeerIndex peer) {
  if (peer != tried_.back()) return false;
  if (!request_.IsWrite()) return TryNext(context);
  return GiveUp(context,
                Error{Code::kUnknownOutcome,
                      "the connection to the replica that was writing broke; the write may "
                      "be stored: read it, or retry with the same request id"});
}

bool ForwardOp::OnTick(OpContext& context) {
  const bool too_late = context.now.monotonic >= deadline_;
  const bool silent = !request_.IsWrite() &&
                      context.now.monotonic >= asked_at_ + Patience(context) &&
                      OthersAreLeft(context);
  if (!too_late && !silent) return false;
  context.peers.LeftUnanswered(tried_.back());
  if (!too_late) {
    context.counters.Add(Count::kHedges);
    return TryNext(context);
  }
  if (request_.IsWrite()) {
    return GiveUp(context,
                  Error{Code::kUnknownOutcome,
                        "the deadline passed before the replica that was writing answered; "
                        "the write may be stored: read it, or retry with the same request "
                        "id"});
  }
  return GiveUp(context,
                Error{Code::kTimeout, "the deadline passed before a replica answered; try again"});
}

bool ForwardOp::GiveUp(OpContext& context, Error error) {
  AnswerError(context, origin_, std::move(error), 0, 0);
  return true;
}

}  // namespace eddy::node
