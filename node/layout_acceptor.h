// A member's voice in what the next layout is (Lamport, Paxos Made Simple): one decision for each
// version, among the members of the version before. An acceptor that has forgotten what it promised
// could let two layouts be chosen, so its state is durable before any of its votes leaves, and it
// lives and dies with the node's id in the data directory. A value; part of the node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ring/layout.h"
#include "wire/peer_message.h"

namespace eddy::node {

class LayoutAcceptor {
 public:
  LayoutAcceptor() = default;
  // From its row. kCorruption: it is none.
  static Result<LayoutAcceptor> Decode(std::string_view row);
  std::string Encode() const;

  // The greatest round that it has voted in for this version.
  uint64_t RoundOf(uint64_t version) const { return version == version_ ? promised_.round : 0; }

  // Whether it has accepted a value for this version: it may be chosen.
  bool HasAccepted(uint64_t version) const { return version == version_ && accepted_.round > 0; }

  // Its vote on a ballot for the version after `newest`; the caller sends it once Encode() is
  // durable. Nullopt: the value is no layout that could follow; nothing has changed.
  std::optional<wire::LayoutVote> OnBallot(const wire::LayoutBallot& ballot,
                                           const ring::Layout& newest);

 private:
  uint64_t version_ = 0;  // that the rest is about
  wire::Ballot promised_;
  wire::Ballot accepted_;
  std::string value_;
};

}  // namespace eddy::node
