// Finding, founding and entering a cluster, message by message, and what is refused on the way; the
// simulator does the rest (Dynamo, section 4.8.1).
#include <algorithm>

#include <gmock/gmock.h>

#include "node/layout_stage.h"
#include "ring/layout_change.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using ring::LayoutChange;
using ring::LayoutHistory;
using ::testing::HasSubstr;

ring::Member MemberOf(uint64_t k) {
  ring::Member member;
  member.id = Bench::Peer(k);
  member.name = "n" + std::to_string(k);
  member.doors.host = "127.0.0." + std::to_string(k);
  return member;
}

uint64_t CountOf(const Node& node, const std::string& name) {
  const auto counters = node.Counters();
  return std::ranges::find(counters, name, &wire::Counter::name)->value;
}

std::string NewsOf(const LayoutHistory& history) { return history.Encode(); }

class MemberTest : public ::testing::Test {
 protected:
  void SetUp() override { bench_.GrantLeases(); }
  const LayoutHistory& layouts() { return *bench_.node().layouts(); }
  // From another member: the next layout was decided.
  void HearOf(LayoutChange change) {
    LayoutHistory news = layouts();
    const auto members = ring::MembersAfter(news.newest(), {&change, 1});
    ASSERT_TRUE(members.has_value());
    auto plan = ring::PlanLayout({.members = *members, .previous = &news.newest()});
    ASSERT_TRUE(plan.has_value() && news.Add(plan->layout).has_value());
    bench_.Receive(Bench::Peer(2), wire::LayoutNews{.history = NewsOf(news)});
  }

  Bench bench_;
};

TEST_F(MemberTest, NewsThatIsNoneChangesNothing) {
  const LayoutHistory before = layouts();
  bench_.Receive(Bench::Peer(2), wire::LayoutNews{.history = "nonsense"});
  EXPECT_EQ(CountOf(bench_.node(), "refused_malformed"), 1u);
  bench_.Receive(Bench::Peer(2), wire::LayoutNews{.history = NewsOf(LayoutHistory(LayoutOf(5)))});
  EXPECT_EQ(CountOf(bench_.node(), "layouts_refused"), 1u) << "another cluster's";
  EXPECT_EQ(layouts(), before);
}

TEST_F(MemberTest, WhoIsNoMemberMayAskToJoinAndNothingElse) {
  const NodeId stranger = Bench::Peer(4);
  bench_.PeerUp(stranger);
  bench_.Receive(stranger, wire::WriteRequest{.op = 1,
                                              .key = RecordKeyOf("k"),
                                              .record = storage::EncodeRecord(RecordOf(4, 1, "v")),
                                              .budget = std::chrono::seconds(1)});
  bench_.Receive(
      stranger,
      wire::LayoutBallot{.version = 2, .ballot = {.round = 9, .proposer = stranger}, .value = {}});
  EXPECT_EQ(CountOf(bench_.node(), "refused_strangers"), 2u);
  EXPECT_EQ(bench_.Stored(RecordKeyOf("k")), lattice::Record());
  bench_.Receive(stranger, wire::JoinRequest{.op = 3, .member = MemberOf(4), .replaces = {}});
  const auto replies = bench_.Sent<wire::JoinReply>(stranger);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_FALSE(replies[0].error.has_value());
  EXPECT_EQ(bench_.node().orders().size(), 1u);
}

TEST_F(MemberTest, RefusesToLetInWhoCannotBe) {
  const NodeId stranger = Bench::Peer(4);
  bench_.PeerUp(stranger);
  bench_.Receive(stranger, wire::JoinRequest{.member = MemberOf(5), .replaces = {}});
  EXPECT_EQ(CountOf(bench_.node(), "refused_malformed"), 1u) << "it speaks for another one";
  ring::Member namesake = MemberOf(4);
  namesake.name = "n2";
  bench_.Receive(stranger, wire::JoinRequest{.member = namesake, .replaces = {}});
  ring::Member unnamed = MemberOf(4);
  bench_.Receive(stranger, wire::JoinRequest{.member = unnamed, .replaces = "n9"});
  const auto replies = bench_.Sent<wire::JoinReply>(stranger);
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_THAT(replies[0].error->text, HasSubstr("--replace n2"));
  EXPECT_THAT(replies[1].error->text, HasSubstr("no member is named 'n9'"));
  EXPECT_TRUE(bench_.node().orders().empty());
}

TEST_F(MemberTest, WhoWantsToWaitIsKnownAndNotLetIn) {
  const NodeId stranger = Bench::Peer(4);
  bench_.PeerUp(stranger);
  bench_.Receive(stranger, wire::JoinRequest{.member = MemberOf(4), .replaces = {}, .waits = true});
  const auto replies = bench_.Sent<wire::JoinReply>(stranger);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0].error->text, HasSubstr("eddyctl cluster replace NODE n4"));
  EXPECT_TRUE(bench_.node().orders().empty());
  ASSERT_EQ(bench_.node().Askers().size(), 1u);
  EXPECT_EQ(bench_.node().Askers()[0], MemberOf(4));
  // Its next life takes the place of this one.
  const NodeId again = Bench::Peer(9);
  bench_.PeerUp(again);
  ring::Member member = MemberOf(4);
  member.id = again;
  bench_.Receive(again, wire::JoinRequest{.member = member, .replaces = {}, .waits = true});
  ASSERT_EQ(bench_.node().Askers().size(), 1u);
  EXPECT_EQ(bench_.node().Askers()[0].id, again);
}

TEST_F(MemberTest, StagedChangesAreToldAndOrderedTogetherOnceLookedAt) {
  Node& node = bench_.node();
  const LayoutChange leave{.kind = LayoutChange::Kind::kLeave, .id = Bench::Peer(2), .member = {}};
  LayoutChange weight{.kind = LayoutChange::Kind::kWeight, .id = Bench::Peer(3), .member = {}};
  weight.member.weight = 250;
  ASSERT_TRUE(node.Stage(bench_.now(), {&leave, 1}).has_value());
  const Digest before = node.PlanOf(node.StagedWith({}))->layout.digest();
  // Another member stages something, too.
  LayoutStage theirs(ActorId{5, 5});
  theirs.Add(weight, 1);
  bench_.Receive(Bench::Peer(2),
                 wire::LayoutNews{.history = NewsOf(layouts()), .stage = theirs.Encode()});
  EXPECT_EQ(node.StagedWith({}).size(), 2u);
  const auto news = bench_.Sent<wire::LayoutNews>(Bench::Peer(2));
  ASSERT_FALSE(news.empty());
  EXPECT_EQ(LayoutStage::Decode(news.back().stage)->size(), 2u) << "it lacks what was staged here";
  EXPECT_EQ(node.Commit(bench_.now(), before).error().code, Code::kConflict);
  EXPECT_TRUE(node.orders().empty());
  const Digest plan = node.PlanOf(node.StagedWith({}))->layout.digest();
  ASSERT_TRUE(node.Commit(bench_.now(), plan).has_value());
  EXPECT_EQ(node.orders().size(), 2u);
  EXPECT_TRUE(node.StagedWith({}).empty());
  EXPECT_EQ(node.Commit(bench_.now(), plan).error().code, Code::kConflict) << "nothing is staged";
}

TEST_F(MemberTest, StagesNothingThatCannotBeAndHearsOfItFromMembersAlone) {
  Node& node = bench_.node();
  std::vector<LayoutChange> all;
  for (const uint64_t k : {1, 2, 3}) {
    all.push_back({.kind = LayoutChange::Kind::kLeave, .id = Bench::Peer(k), .member = {}});
  }
  EXPECT_EQ(node.Stage(bench_.now(), all).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(node.StagedWith({}).empty());
  LayoutStage theirs(ActorId{5, 5});
  theirs.Add(all[1], 1);
  const NodeId stranger = Bench::Peer(4);
  bench_.PeerUp(stranger);
  bench_.Receive(stranger,
                 wire::LayoutNews{.history = NewsOf(layouts()), .stage = theirs.Encode()});
  EXPECT_TRUE(node.StagedWith({}).empty());
  bench_.Receive(Bench::Peer(2),
                 wire::LayoutNews{.history = NewsOf(layouts()), .stage = "nonsense"});
  EXPECT_EQ(CountOf(node, "refused_malformed"), 1u);
}

TEST_F(MemberTest, WhoAsksIsStagedUnlessItCanNeverComeIn) {
  const NodeId stranger = Bench::Peer(4);
  bench_.PeerUp(stranger);
  ring::Member namesake = MemberOf(4);
  namesake.name = "n2";
  bench_.Receive(stranger, wire::JoinRequest{.member = namesake, .replaces = {}, .waits = true});
  EXPECT_TRUE(bench_.node().StagedWith({}).empty());
  bench_.Receive(stranger, wire::JoinRequest{.member = MemberOf(4), .replaces = {}, .waits = true});
  ASSERT_EQ(bench_.node().StagedWith({}).size(), 1u);
  EXPECT_EQ(bench_.node().StagedWith({})[0].member, MemberOf(4));
}

TEST_F(MemberTest, RemembersNoEndOfNodesThatHaveAsked) {
  size_t told = 0;
  for (uint64_t k = 0; k < 1100; ++k) {
    const NodeId stranger{9, k + 1};
    bench_.PeerUp(stranger);
    ring::Member member = MemberOf(4);
    member.id = stranger;
    bench_.Receive(stranger, wire::JoinRequest{.member = member, .replaces = {}, .waits = true});
    bench_.PeerDown(stranger);
    bench_.Sent<wire::LayoutNews>(stranger);
    bench_.Sent<wire::LayoutNews>(Bench::Peer(3));
    for (const auto& news : bench_.Sent<wire::LayoutNews>(Bench::Peer(2))) {
      told = LayoutStage::Decode(news.stage)->told();
    }
  }
  EXPECT_EQ(told, 1024u);
  EXPECT_EQ(bench_.node().StagedWith({}).size(), 1u) << "its last life that was remembered";
  const LayoutChange leave{.kind = LayoutChange::Kind::kLeave, .id = Bench::Peer(2), .member = {}};
  const Status refused = bench_.node().Stage(bench_.now(), {&leave, 1});
  ASSERT_EQ(refused.error().code, Code::kBusy);
  EXPECT_THAT(refused.error().text, HasSubstr("--yes"));
}

TEST_F(MemberTest, WhoCannotBeLetInForItsNameIsKnownToo) {
  const NodeId stranger = Bench::Peer(4);
  bench_.PeerUp(stranger);
  ring::Member namesake = MemberOf(4);
  namesake.name = "n2";
  bench_.Receive(stranger, wire::JoinRequest{.member = namesake, .replaces = {}});
  ASSERT_EQ(bench_.node().Askers().size(), 1u);
  const LayoutChange lost{
      .kind = LayoutChange::Kind::kReplace, .id = Bench::Peer(2), .member = namesake};
  EXPECT_TRUE(bench_.node().Order({&lost, 1}).has_value());
}

TEST_F(MemberTest, VotesOnlyWhenItsPromiseIsDurable) {
  const wire::LayoutBallot ballot{
      .op = 5, .version = 2, .ballot = {.round = 1, .proposer = Bench::Peer(2)}, .value = {}};
  bench_.Receive(Bench::Peer(2), ballot);
  EXPECT_TRUE(bench_.Sent<wire::LayoutVote>(Bench::Peer(2)).empty());
  bench_.Sync();
  const auto votes = bench_.Sent<wire::LayoutVote>(Bench::Peer(2));
  ASSERT_EQ(votes.size(), 1u);
  EXPECT_TRUE(votes[0].granted);
}

TEST_F(MemberTest, SaysThatItWritesByANewLayoutOnlyWhenOlderWritesHaveEnded) {
  bench_.Submit(PutOf("k", "v"));
  HearOf({.kind = LayoutChange::Kind::kJoin, .member = MemberOf(4)});
  EXPECT_EQ(layouts().newest().version(), 2u);
  bench_.Sync();
  bench_.Advance(std::chrono::milliseconds(5));
  bench_.Sync();
  EXPECT_EQ(layouts().ProgressOf(Bench::Self()).acked, 1u) << "a write goes by the old one still";
  // Its deadline passes, and so it ends.
  bench_.Advance(std::chrono::seconds(3));
  bench_.Sync();
  bench_.Advance(std::chrono::milliseconds(5));
  EXPECT_EQ(layouts().ProgressOf(Bench::Self()).acked, 2u);
}

TEST_F(MemberTest, WhoLeavesWaitsForAChangeToEndAndWhatIsLostDoesNot) {
  HearOf({.kind = LayoutChange::Kind::kJoin, .member = MemberOf(4)});
  ASSERT_EQ(layouts().live().size(), 2u);
  const auto ballots = [&] {
    for (int turn = 0; turn < 3; ++turn) {
      bench_.Sync();
      bench_.Advance(std::chrono::milliseconds(5));
    }
    return bench_.Sent<wire::LayoutBallot>(Bench::Peer(2)).size();
  };
  const LayoutChange self{.kind = LayoutChange::Kind::kRemove, .id = Bench::Self(), .member = {}};
  ASSERT_TRUE(bench_.node().Order({&self, 1}).has_value());
  EXPECT_EQ(ballots(), 0u);
  const LayoutChange lost{.kind = LayoutChange::Kind::kRemove, .id = Bench::Peer(3), .member = {}};
  ASSERT_TRUE(bench_.node().Order({&lost, 1}).has_value());
  EXPECT_GT(ballots(), 0u);
}

TEST_F(MemberTest, AForcedLayoutNeedsNobodyAndRemovesOthersAlone) {
  const auto removal = [](NodeId id) {
    return LayoutChange{.kind = LayoutChange::Kind::kRemove, .id = id, .member = {}};
  };
  const LayoutChange self = removal(Bench::Self());
  EXPECT_EQ(bench_.node().Force(bench_.now(), {&self, 1}).error().code, Code::kInvalidArgument);
  const LayoutChange leave{.kind = LayoutChange::Kind::kLeave, .id = Bench::Peer(2), .member = {}};
  EXPECT_EQ(bench_.node().Force(bench_.now(), {&leave, 1}).error().code, Code::kInvalidArgument);
  const LayoutChange stranger = removal(Bench::Peer(9));
  EXPECT_FALSE(bench_.node().Force(bench_.now(), {&stranger, 1}).has_value());
  EXPECT_EQ(layouts().newest().version(), 1u);

  const std::vector<LayoutChange> lost = {removal(Bench::Peer(2)), removal(Bench::Peer(3))};
  ASSERT_TRUE(bench_.node().Force(bench_.now(), lost).has_value());
  EXPECT_EQ(layouts().newest().version(), 2u);
  EXPECT_EQ(layouts().newest().members().size(), 1u);
  EXPECT_EQ(CountOf(bench_.node(), "layouts_forced"), 1u);
}

TEST_F(MemberTest, ServesNoMoreOnceItIsOut) {
  HearOf({.kind = LayoutChange::Kind::kRemove, .id = Bench::Self(), .member = {}});
  std::string_view reason;
  EXPECT_FALSE(bench_.node().Ready(&reason));
  EXPECT_THAT(std::string(reason), HasSubstr("removed"));
  const uint64_t ticket = bench_.Submit(GetOf("k"));
  ASSERT_NE(bench_.Reply(ticket), nullptr);
  EXPECT_EQ(bench_.Reply(ticket)->error->code, Code::kUnavailable);
}

// --- Before there is a cluster

class StrangerTest : public ::testing::Test {
 protected:
  void Make(bool founder) {
    NodeOptions options;
    options.membership.founder = founder;
    options.membership.seeds = {"n2", "n3"};
    storage::Identity identity;
    identity.node = Bench::Self();
    identity.lease = {ActorId{1, 1}, 0, 1000, 1};
    node_ = std::make_unique<Node>(options, BucketTable(), MemberOf(1), identity, Random(1));
    Tick({});
  }
  void Tick(Duration by) {
    now_ += by;
    node_->Tick(Now{now_, {}});
    // What it writes is durable at once.
    for (Take(); !effects_.verbs.empty(); Take()) {
      for (const storage::StoreVerb& verb : effects_.verbs) {
        node_->Complete(Now{now_, {}}, {verb.id, storage::Stage::kDurable, std::string()});
      }
    }
  }
  void Take() {
    node_->TakeEffects(&effects_);
    for (Send& send : effects_.sends) sent_.push_back(std::move(send));
  }
  void Receive(uint64_t from, wire::PeerMessage message) {
    node_->PeerUp(Now{now_, {}}, Bench::Peer(from));
    node_->Receive(Now{now_, {}}, Bench::Peer(from), std::move(message));
  }

  std::unique_ptr<Node> node_;
  MonotonicTime now_{std::chrono::seconds(5)};
  Effects effects_;
  std::vector<Send> sent_;
};

TEST_F(StrangerTest, FoundsWithAllWhenEverySeedHasAsked) {
  Make(true);
  Receive(2, wire::JoinRequest{.member = MemberOf(2), .replaces = {}});
  Receive(4, wire::JoinRequest{.member = MemberOf(4), .replaces = {}});
  Tick(std::chrono::milliseconds(5));
  EXPECT_EQ(node_->layouts(), nullptr) << "n3 is a seed and has not asked";
  Receive(3, wire::JoinRequest{.member = MemberOf(3), .replaces = {}});
  Tick(std::chrono::milliseconds(5));
  ASSERT_NE(node_->layouts(), nullptr);
  EXPECT_EQ(node_->layouts()->newest().members().size(), 4u);
  EXPECT_TRUE(std::ranges::any_of(sent_, [](const Send& send) {
    return send.to == Bench::Peer(3) && std::holds_alternative<wire::LayoutNews>(send.message);
  })) << "they are told at once";
}

TEST_F(StrangerTest, FoundsWithSeedsThatWaitAndWithoutOthersThatDo) {
  Make(true);
  for (const uint64_t k : {2, 3, 4}) {
    Receive(k, wire::JoinRequest{.member = MemberOf(k), .replaces = {}, .waits = true});
  }
  Tick(std::chrono::milliseconds(5));
  ASSERT_NE(node_->layouts(), nullptr);
  EXPECT_EQ(node_->layouts()->newest().members().size(), 3u);
  EXPECT_EQ(node_->layouts()->newest().Find(Bench::Peer(4)), nullptr);
}

TEST_F(StrangerTest, FoundsAloneWhenNobodyComes) {
  Make(true);
  Tick(std::chrono::seconds(2));
  EXPECT_EQ(node_->layouts(), nullptr);
  Tick(std::chrono::seconds(2));
  ASSERT_NE(node_->layouts(), nullptr);
  EXPECT_EQ(node_->layouts()->newest().members().size(), 1u);
}

TEST_F(StrangerTest, FoundsNothingWhereThereIsACluster) {
  Make(true);
  // It lost its disk: the cluster goes on with the node that it was.
  ring::PlanRequest request;
  for (const uint64_t k : {2, 3, 9}) request.members.push_back(MemberOf(k));
  const LayoutHistory theirs(ring::PlanLayout(request)->layout);
  Receive(2, wire::LayoutNews{.history = NewsOf(theirs)});
  Receive(3, wire::JoinReply{.error = Error{Code::kInvalidArgument, "say --replace n1"}});
  Tick(std::chrono::seconds(60));
  EXPECT_EQ(node_->layouts(), nullptr);
  std::string_view reason;
  EXPECT_FALSE(node_->Ready(&reason));
  EXPECT_EQ(reason, "say --replace n1");
}

TEST_F(StrangerTest, AsksWhomItReachesUntilALayoutHasIt) {
  Make(false);
  Tick(std::chrono::seconds(60));
  EXPECT_EQ(node_->layouts(), nullptr) << "it is not for it to found one";
  node_->PeerUp(Now{now_, {}}, Bench::Peer(2));
  Tick(std::chrono::milliseconds(5));
  EXPECT_TRUE(std::ranges::any_of(sent_, [](const Send& send) {
    const auto* asks = std::get_if<wire::JoinRequest>(&send.message);
    return send.to == Bench::Peer(2) && asks != nullptr && asks->member == MemberOf(1);
  }));
  Receive(2, wire::LayoutNews{.history = NewsOf(LayoutHistory(LayoutOf(3)))});
  ASSERT_NE(node_->layouts(), nullptr);
  EXPECT_NE(node_->layouts()->newest().Find(Bench::Self()), nullptr);
}

}  // namespace
}  // namespace eddy::node
