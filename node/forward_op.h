// A request that reached a node which is no replica of its key: it is handed to one that is
// (Dynamo, section 5), or, when none can be reached, to one that stands in; that one coordinates
// it. A replica that is known not to have done it is followed by the next. A read whose replica
// says nothing for a while is handed to one more, and the first answer counts; a write whose
// replica fell silent is not tried elsewhere, since that could make two dots of one request.
#pragma once

#include <cstdint>
#include <vector>

#include "node/operation.h"

namespace eddy::node {

class ForwardOp {
 public:
  ForwardOp(uint64_t op, Origin origin, wire::ClientRequest request, MonotonicTime deadline,
            const Placement& placement, bool sloppy);

  // True from any of these: the operation has ended.
  bool Begin(OpContext& context) { return TryNext(context); }
  bool OnForwardReply(OpContext& context, PeerIndex from, wire::ForwardReply reply);
  bool OnPeerDown(OpContext& context, PeerIndex peer);
  bool OnTick(OpContext& context);

 private:
  // How long a replica that coordinates a read may say nothing: it has its own to wait for.
  static Duration Patience(const OpContext& context) { return 2 * context.options.hedge_max; }

  bool TryNext(OpContext& context);
  bool OthersAreLeft(const OpContext& context) const;
  bool GiveUp(OpContext& context, Error error);

  uint64_t op_;
  Origin origin_;
  wire::ClientRequest request_;
  MonotonicTime deadline_;
  // The owners, then their stand-ins if those may act.
  InlineVector<PeerIndex, Placement::kPlacesMax + ring::kWalkMax> candidates_;
  std::vector<PeerIndex> tried_;  // the last of them is asked now, of a read the others still
  MonotonicTime asked_at_;        // the last of them
};

}  // namespace eddy::node
