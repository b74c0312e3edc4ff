// Who of the others is well, as the node goes by it (Dynamo, sections 4.8.2 and 4.8.3; design,
// section 7): brings SWIM (gossip/swim.h) together with the node's connections. Probes and news go
// as datagrams; whole states, and probes that datagrams leave unanswered, over the connections.
// What is found out says whom to ask first and whom to do without (node/peers.h), and where a
// member is now; it never decides who owns what. A value machine; part of the node, on its thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "gossip/swim.h"
#include "node/operation.h"
#include "ring/member.h"

namespace eddy::node {

class Gossiper {
 public:
  // A node without a peer door takes no part.
  Gossiper(const MembershipOptions& options, const ring::Member& self, Random random);

  // A datagram.
  void Receive(OpContext& context, const gossip::Address& from, std::string_view packet);
  // Over the connection.
  void Receive(OpContext& context, PeerIndex from, const wire::GossipPacket& packet);
  void Receive(OpContext& context, PeerIndex from, const wire::GossipState& state);
  void PeerUp(OpContext& context, PeerIndex peer);
  void Tick(OpContext& context);
  // Tells the others that this node goes by its own will.
  void SayGoodbye(OpContext& context);

  // Null: it takes no part, or has not begun.
  const gossip::Swim* swim() const { return swim_ ? &*swim_ : nullptr; }

 private:
  // Of those that are connected and not known to be well, one is told all, so often: what
  // introduced them to each other may have been lost.
  static constexpr Duration kIntroduceEvery = std::chrono::seconds(1);

  // False: it takes no part.
  bool Begin(Now now);
  void Introduce(OpContext& context, PeerIndex peer);
  void IntroduceNext(OpContext& context);
  void Perform(OpContext& context);

  const std::string cluster_;
  const gossip::SwimOptions options_;
  const gossip::Address address_;
  const NodeId id_;
  Random random_;

  std::optional<gossip::Swim> swim_;
  MonotonicTime introduce_at_;
  uint16_t introduced_ = 0;  // the peer that was looked at last
  gossip::Effects found_;    // scratch
};

}  // namespace eddy::node
