// Brings a decision on the next layout about, as one of those who vote for it (Lamport, Paxos Made
// Simple; the acceptor is node/layout_acceptor.h). Whoever proposes may find that another value was
// accepted before; then it helps that one through, and asks for its own with the version after.
//
//   Begin ── ballot ──▶ members ── a majority promises ──▶ Propose: the value that the highest
//                          │                                ballot among them had accepted, or ours
//                          └── one has promised more:          │
//                              later, with a greater ballot    └── a majority accepts: chosen
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "ring/layout.h"
#include "wire/peer_message.h"

namespace eddy::node {

class LayoutProposer {
 public:
  enum class Step : uint8_t { kIdle, kPreparing, kProposing, kAccepting, kChosen };

  // A round that has come to nothing by then is given up.
  static constexpr Duration kRoundMax = std::chrono::seconds(2);
  // Until the next one: drawn up to this, which doubles with each that failed.
  static constexpr Duration kPauseMin = std::chrono::milliseconds(100);
  static constexpr Duration kPauseMax = std::chrono::seconds(3);

  // Whether a round can begin now.
  bool Rests(MonotonicTime now) const { return step_ == Step::kIdle && now >= not_before_; }
  // The first ballot, for every member of `newest`: for this node itself first, and for the others
  // when its own vote is durable, whose round is `voted_round` until then. So no ballot is ever
  // used twice, whatever a restart forgets.
  wire::LayoutBallot Begin(MonotonicTime now, const ring::Layout& newest, NodeId self,
                           uint64_t voted_round);
  // After this the step may be kProposing (call Propose with `adopted`, or with a value of ours if
  // that is empty) or kChosen (the value is the layout after `newest`).
  Step OnVote(MonotonicTime now, NodeId voter, const wire::LayoutVote& vote,
              const ring::Layout& newest, Random* random);
  const std::string& adopted() const { return value_; }
  wire::LayoutBallot Propose(std::string value);
  const std::string& value() const { return value_; }

  // Gives up a round that takes too long, or that is about a version which is decided.
  void OnTick(MonotonicTime now, uint64_t newest, Random* random);
  void Stop() { step_ = Step::kIdle; }
  Step step() const { return step_; }

 private:
  void Fail(MonotonicTime now, Random* random);

  Step step_ = Step::kIdle;
  uint64_t version_ = 0;
  wire::Ballot ballot_;
  uint64_t round_seen_ = 0;  // the greatest of all ballots that were heard of
  wire::Ballot adopted_ballot_;
  std::string value_;
  std::set<NodeId> granted_;
  MonotonicTime begun_at_;
  MonotonicTime not_before_;
  uint32_t failures_ = 0;
};

}  // namespace eddy::node
