#include "node/layout_proposer.h"

#include <algorithm>
#include <utility>

namespace eddy::node {

wire::LayoutBallot LayoutProposer::Begin(MonotonicTime now, const ring::Layout& newest, NodeId self,
                                         uint64_t voted_round) {
  step_ = Step::kPreparing;
  if (version_ != newest.version() + 1) {
    version_ = newest.version() + 1;
    round_seen_ = 0;
    failures_ = 0;
  }
  round_seen_ = std::max(round_seen_, voted_round) + 1;
  ballot_ = {.round = round_seen_, .proposer = self};
  adopted_ballot_ = {};
  value_.clear();
  granted_.clear();
  begun_at_ = now;
  return wire::LayoutBallot{.version = version_, .ballot = ballot_};
}

LayoutProposer::Step LayoutProposer::OnVote(MonotonicTime now, NodeId voter,
                                            const wire::LayoutVote& vote,
                                            const ring::Layout& newest, Random* random) {
  const bool asks = step_ == Step::kPreparing || step_ == Step::kAccepting;
  // A promise that comes late accepts nothing.
  if (!asks || vote.accepts != (step_ == Step::kAccepting) || vote.version != version_ ||
      vote.ballot != ballot_ || newest.Find(voter) == nullptr) {
    return step_;
  }
  round_seen_ = std::max(round_seen_, vote.seen.round);
  if (!vote.granted) {
    Fail(now, random);
    return step_;
  }
  if (step_ == Step::kPreparing && vote.seen > adopted_ballot_) {
    adopted_ballot_ = vote.seen;
    value_ = vote.value;
  }
  granted_.insert(voter);
  if (granted_.size() * 2 <= newest.members().size()) return step_;
  step_ = step_ == Step::kPreparing ? Step::kProposing : Step::kChosen;
  return step_;
}

wire::LayoutBallot LayoutProposer::Propose(std::string value) {
  step_ = Step::kAccepting;
  value_ = std::move(value);
  granted_.clear();
  return wire::LayoutBallot{.version = version_, .ballot = ballot_, .value = value_};
}

void LayoutProposer::OnTick(MonotonicTime now, uint64_t newest, Random* random) {
  if (step_ == Step::kIdle) return;
  if (version_ <= newest) {
    Stop();
  } else if (now >= begun_at_ + kRoundMax) {
    Fail(now, random);
  }
}

void LayoutProposer::Fail(MonotonicTime now, Random* random) {
  step_ = Step::kIdle;
  const Duration most = std::min(kPauseMin * (1 << std::min(failures_++, 5u)), kPauseMax);
  not_before_ = now + Duration(random->Below(static_cast<uint64_t>(most.count()) + 1));
}

}  // namespace eddy::node
