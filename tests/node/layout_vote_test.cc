// One decision a version, whatever becomes of messages and processes (Lamport, Paxos Made Simple):
// acceptors and proposers against a network that loses, repeats and reorders, and processes that
// restart from what was durable. And the judge is judged: the same worlds find it out where an
// acceptor forgets, or a promise counts as more than one.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "node/layout_acceptor.h"
#include "node/layout_proposer.h"
#include "ring/layout_change.h"
#include "ring/planner.h"

namespace eddy::node {
namespace {

enum class Bug { kNone, kForgets, kLatePromises, kIgnoresAccepted };

ring::Member MemberOf(uint64_t k) {
  ring::Member member;
  member.id = NodeId{1, k};
  member.name = "n" + std::to_string(k);
  return member;
}

class World {
 public:
  World(uint64_t seed, Bug bug) : random_(seed), bug_(bug), newest_(First(random_.Between(2, 5))) {
    for (const ring::Member& member : newest_.members()) {
      voters_.push_back(Voter{.id = member.id});
    }
  }

  // The versions of the truth that came to be.
  size_t Run() {
    for (int step = 0; step < 400; ++step) Step();
    return chosen_.size();
  }
  bool decided() const { return !chosen_.empty(); }

 private:
  struct Voter {
    NodeId id;
    LayoutAcceptor acceptor;
    std::string durable;  // of the acceptor
    LayoutProposer proposer;
    wire::LayoutBallot ballot;
  };
  struct Message {
    size_t from;
    size_t to;
    std::optional<wire::LayoutBallot> ballot;
    std::optional<wire::LayoutVote> vote;
  };

  static ring::Layout First(uint64_t members) {
    ring::PlanRequest request{.partition_bits = 0};
    for (uint64_t k = 1; k <= members; ++k) request.members.push_back(MemberOf(k));
    return ring::PlanLayout(std::move(request))->layout;
  }

  // What this voter would have: one more member, of its own naming.
  std::string Wish(size_t voter) {
    const ring::LayoutChange join{.kind = ring::LayoutChange::Kind::kJoin,
                                  .member = MemberOf(100 + 10 * voter + random_.Below(10))};
    return ring::PlanLayout({.members = *ring::MembersAfter(newest_, {&join, 1}),
                             .partition_bits = 0,
                             .previous = &newest_})
        ->layout.Encode();
  }

  void Step() {
    now_ += std::chrono::milliseconds(random_.Below(50));
    const size_t at = random_.Below(voters_.size());
    Voter& voter = voters_[at];
    voter.proposer.OnTick(now_, newest_.version(), &random_);
    const uint64_t what = random_.Below(20);
    if (what == 0) {
      // A restart: what was not durable is gone, and what it proposed is forgotten.
      voter.proposer = LayoutProposer();
      voter.acceptor = LayoutAcceptor();
      if (!voter.durable.empty() && bug_ != Bug::kForgets) {
        voter.acceptor = *LayoutAcceptor::Decode(voter.durable);
      }
    } else if (what <= 3 && voter.proposer.Rests(now_)) {
      voter.ballot = voter.proposer.Begin(now_, newest_, voter.id,
                                          voter.acceptor.RoundOf(newest_.version() + 1));
      OnBallot(at, at, voter.ballot);
    } else if (!messages_.empty()) {
      const size_t which = random_.Below(messages_.size());
      const Message message = messages_[which];
      // Some come twice, and some never.
      if (!random_.Chance(1, 8)) messages_.erase(messages_.begin() + static_cast<long>(which));
      if (random_.Chance(1, 8)) return;
      if (message.ballot) OnBallot(message.from, message.to, *message.ballot);
      if (message.vote) OnVote(message.to, voters_[message.from].id, *message.vote);
    }
  }

  void OnBallot(size_t from, size_t to, const wire::LayoutBallot& ballot) {
    Voter& voter = voters_[to];
    auto vote = voter.acceptor.OnBallot(ballot, newest_);
    CHECK(vote.has_value());
    voter.durable = voter.acceptor.Encode();
    if (bug_ == Bug::kIgnoresAccepted) {
      vote->seen = {};
      vote->value.clear();
    }
    if (from != to) {
      messages_.push_back({.from = to, .to = from, .ballot = {}, .vote = *vote});
      return;
    }
    // Its own vote is durable: now the others are asked.
    if (!vote->accepts && vote->granted) SendToOthers(to, ballot);
    OnVote(to, voter.id, *vote);
  }

  void OnVote(size_t at, NodeId voter, wire::LayoutVote vote) {
    LayoutProposer& proposer = voters_[at].proposer;
    const auto before = proposer.step();
    if (bug_ == Bug::kLatePromises && before == LayoutProposer::Step::kAccepting) {
      vote.accepts = true;
    }
    const auto step = proposer.OnVote(now_, voter, vote, newest_, &random_);
    if (step == before) return;
    if (step == LayoutProposer::Step::kProposing) {
      const std::string& adopted = proposer.adopted();
      voters_[at].ballot = proposer.Propose(adopted.empty() ? Wish(at) : adopted);
      SendToOthers(at, voters_[at].ballot);
      OnBallot(at, at, voters_[at].ballot);
    } else if (step == LayoutProposer::Step::kChosen) {
      ++chosen_[proposer.value()];
      proposer.Stop();
    }
  }

  void SendToOthers(size_t from, const wire::LayoutBallot& ballot) {
    for (size_t to = 0; to < voters_.size(); ++to) {
      if (to != from) messages_.push_back({.from = from, .to = to, .ballot = ballot, .vote = {}});
    }
  }

  Random random_;
  const Bug bug_;
  const ring::Layout newest_;
  MonotonicTime now_{std::chrono::seconds(1)};
  std::vector<Voter> voters_;
  std::vector<Message> messages_;
  std::map<std::string, int> chosen_;
};

TEST(LayoutVote, ChoosesOneLayoutWhateverHappens) {
  size_t decided = 0;
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    const size_t chosen = World(seed, Bug::kNone).Run();
    ASSERT_LE(chosen, 1u) << "seed " << seed;
    decided += chosen;
  }
  EXPECT_GT(decided, 2000u) << "most of these worlds come to a decision";
}

class LayoutVoteJudged : public ::testing::TestWithParam<Bug> {};

TEST_P(LayoutVoteJudged, TheseWorldsWouldFindItOut) {
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    if (World(seed, GetParam()).Run() > 1) return;
  }
  FAIL() << "two layouts were never chosen";
}

INSTANTIATE_TEST_SUITE_P(All, LayoutVoteJudged,
                         ::testing::Values(Bug::kForgets, Bug::kLatePromises,
                                           Bug::kIgnoresAccepted));

TEST(LayoutVote, AnAcceptorIsWhatItsRowSays) {
  ring::PlanRequest request{.partition_bits = 0};
  request.members.push_back(MemberOf(1));
  const ring::Layout first = ring::PlanLayout(request)->layout;
  const ring::LayoutChange join{.kind = ring::LayoutChange::Kind::kJoin, .member = MemberOf(2)};
  const std::string value = ring::PlanLayout({.members = *ring::MembersAfter(first, {&join, 1}),
                                              .partition_bits = 0,
                                              .previous = &first})
                                ->layout.Encode();
  LayoutAcceptor acceptor;
  const wire::LayoutBallot ballot{
      .version = 2, .ballot = {.round = 7, .proposer = NodeId{1, 1}}, .value = value};
  ASSERT_TRUE(acceptor.OnBallot(ballot, first).has_value());
  auto again = LayoutAcceptor::Decode(acceptor.Encode());
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->HasAccepted(2));
  EXPECT_EQ(again->RoundOf(2), 7u);
  const auto refused = again->OnBallot(
      {.version = 2, .ballot = {.round = 6, .proposer = NodeId{1, 9}}, .value = {}}, first);
  EXPECT_FALSE(refused->granted);
  EXPECT_EQ(refused->seen.round, 7u);
  EXPECT_FALSE(LayoutAcceptor::Decode("nonsense").has_value());
}

TEST(LayoutVote, AcceptsNothingThatCouldNotFollow) {
  ring::PlanRequest request{.partition_bits = 2};
  request.members.push_back(MemberOf(1));
  const ring::Layout first = ring::PlanLayout(request)->layout;
  request.members.push_back(MemberOf(2));
  const ring::Layout foreign = ring::PlanLayout(request)->layout;
  LayoutAcceptor acceptor;
  for (const std::string& value : {first.Encode(), foreign.Encode(), std::string("nonsense")}) {
    EXPECT_FALSE(
        acceptor
            .OnBallot(
                {.version = 2, .ballot = {.round = 1, .proposer = NodeId{1, 1}}, .value = value},
                first)
            .has_value());
  }
  EXPECT_EQ(acceptor.RoundOf(2), 0u) << "and nothing has changed";
}

}  // namespace
}  // namespace eddy::node
