// Promises of a node that is no replica of the key it is asked for.
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

// A key that node 1 of 5 does not hold, and the first two of its preference list.
struct Elsewhere {
  std::string key;
  NodeId first;
  NodeId second;
};

Elsewhere FindElsewhere(const ring::Layout& layout) {
  for (int i = 0;; ++i) {
    const std::string key = "k" + std::to_string(i);
    const auto list = layout.PreferenceList(layout.PartitionOf(ring::TokenOf("b", key)), 3);
    const auto id = [&](size_t place) { return layout.member(list[place]).id; };
    if (id(0) != Bench::Self() && id(1) != Bench::Self() && id(2) != Bench::Self()) {
      return {key, id(0), id(1)};
    }
  }
}

TEST(Forward, HandsTheRequestToAReplicaAndItsAnswerBack) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, first, second] = FindElsewhere(bench.layout());
  auto request = PutOf(key, "v");
  request.id = {3, 4};
  const uint64_t ticket = bench.Submit(request);
  const auto forwards = bench.Sent<wire::ForwardRequest>(first);
  ASSERT_EQ(forwards.size(), 1u);
  EXPECT_EQ(forwards[0].request.id, request.id);
  EXPECT_EQ(forwards[0].request.action, request.action);
  bench.Receive(first, wire::ForwardReply{.op = forwards[0].op,
                                          .reply = {.id = {3, 4}, .needed = 2, .answered = 3}});
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->answered, 3);
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Forward, TriesTheNextReplicaWhenOneHasNotDoneIt) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, first, second] = FindElsewhere(bench.layout());
  const uint64_t ticket = bench.Submit(PutOf(key, "v"));
  const uint64_t op = bench.Sent<wire::ForwardRequest>(first).at(0).op;
  wire::ForwardReply busy{.op = op};
  busy.reply.error = Error{Code::kBusy, "full"};
  bench.Receive(first, busy);
  EXPECT_EQ(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Sent<wire::ForwardRequest>(second).size(), 1u);
}

TEST(Forward, TriesAReadElsewhereButAWriteOnlyOnce) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, first, second] = FindElsewhere(bench.layout());
  const uint64_t write = bench.Submit(PutOf(key, "v"));
  const uint64_t read = bench.Submit(GetOf(key));
  bench.PeerDown(first);
  ASSERT_NE(bench.Reply(write), nullptr);
  EXPECT_EQ(bench.Reply(write)->error->code, Code::kUnknownOutcome);
  EXPECT_EQ(bench.Reply(read), nullptr);
  const auto forwards = bench.Sent<wire::ForwardRequest>(second);
  ASSERT_EQ(forwards.size(), 1u);
  EXPECT_FALSE(forwards[0].request.IsWrite());
}

TEST(Forward, AReadWhoseReplicaSaysNothingGoesToOneMoreAndTheFirstAnswerCounts) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, first, second] = FindElsewhere(bench.layout());
  const uint64_t write = bench.Submit(PutOf(key, "v"));
  bench.Sent<wire::ForwardRequest>(first);
  const uint64_t read = bench.Submit(GetOf(key));
  const auto asked = bench.Sent<wire::ForwardRequest>(first);
  ASSERT_EQ(asked.size(), 1u);
  bench.Advance(std::chrono::milliseconds(100));
  EXPECT_TRUE(bench.Sent<wire::ForwardRequest>(second).empty());
  bench.Advance(std::chrono::milliseconds(400));
  const auto more = bench.Sent<wire::ForwardRequest>(second);
  ASSERT_EQ(more.size(), 1u) << "and not the write";
  EXPECT_FALSE(more[0].request.IsWrite());
  // Whichever it is.
  wire::ForwardReply busy{.op = asked[0].op};
  busy.reply.error = Error{Code::kBusy, "full"};
  bench.Receive(first, busy);
  EXPECT_EQ(bench.Reply(read), nullptr) << "the other one may do better";
  bench.Receive(first, wire::ForwardReply{.op = asked[0].op, .reply = {.answered = 2}});
  ASSERT_NE(bench.Reply(read), nullptr);
  EXPECT_EQ(bench.Reply(read)->answered, 2);
  EXPECT_EQ(bench.Reply(write), nullptr);
}

TEST(Forward, GoesToReachableReplicasOnly) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, first, second] = FindElsewhere(bench.layout());
  bench.PeerDown(first);
  bench.Submit(PutOf(key, "v"));
  EXPECT_TRUE(bench.Sent<wire::ForwardRequest>(first).empty());
  EXPECT_EQ(bench.Sent<wire::ForwardRequest>(second).size(), 1u);
}

TEST(Forward, IsNeverForwardedAgain) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, first, second] = FindElsewhere(bench.layout());
  wire::ForwardRequest astray{.op = 9, .request = GetOf(key)};
  astray.request.quorum.sloppy = false;
  astray.request.deadline = std::chrono::seconds(1);
  bench.Receive(second, astray);
  const auto replies = bench.Sent<wire::ForwardReply>(second);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].reply.error->code, Code::kUnavailable);
}

TEST(Forward, ReplicaCoordinatesWhatItIsHanded) {
  Bench bench(3);
  bench.GrantLeases();
  wire::ForwardRequest handed{.op = 9, .request = PutOf("k", "v")};
  handed.request.deadline = std::chrono::seconds(1);
  bench.Receive(Bench::Peer(2), handed);
  const uint64_t op = bench.Sent<wire::WriteRequest>(Bench::Peer(3)).at(0).op;
  bench.Receive(Bench::Peer(3), wire::WriteReply{.op = op});
  bench.Sync();
  const auto replies = bench.Sent<wire::ForwardReply>(Bench::Peer(2));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].op, 9u);
  EXPECT_FALSE(replies[0].reply.error);
}

TEST(Receive, FromAStrangerIsCountedAndDropped) {
  Bench bench(3);
  bench.GrantLeases();
  bench.Receive(
      NodeId{9, 9},
      wire::ReadRequest{.op = 1, .key = RecordKeyOf("k"), .budget = std::chrono::seconds(1)});
  EXPECT_TRUE(bench.Sent<wire::ReadReply>(NodeId{9, 9}).empty());
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Receive, OfAMalformedKeyIsCountedAndDropped) {
  Bench bench(3);
  bench.GrantLeases();
  bench.Receive(Bench::Peer(2),
                wire::WriteRequest{.op = 1, .key = "short", .budget = std::chrono::seconds(1)});
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Forward, WithoutRoomAnOwnersPutsGoToAnotherOwnerAndAllElseStays) {
  Bench bench(3);
  bench.GrantLeases();
  const auto forwarded = [&](wire::ClientRequest request) {
    bench.Submit(std::move(request));
    return bench.Sent<wire::ForwardRequest>(Bench::Peer(2)).size() +
           bench.Sent<wire::ForwardRequest>(Bench::Peer(3)).size();
  };
  EXPECT_EQ(forwarded(PutOf("k", "v")), 0u);
  bench.node().NoRoom(true);
  EXPECT_EQ(forwarded(PutOf("k", "v")), 1u);
  EXPECT_EQ(forwarded(GetOf("k")), 0u);
  EXPECT_EQ(forwarded({.bucket = "b", .key = "k", .action = wire::DeleteAction{}}), 0u);
  // What another node hands on stays here, or it would go round in circles.
  bench.Receive(Bench::Peer(2), wire::ForwardRequest{.op = 9, .request = [] {
                                                       auto request = PutOf("k", "v");
                                                       request.deadline = std::chrono::seconds(1);
                                                       return request;
                                                     }()});
  EXPECT_TRUE(bench.Sent<wire::ForwardRequest>(Bench::Peer(3)).empty());
  // With nobody else to go to, this node itself says why it cannot.
  bench.PeerDown(Bench::Peer(2));
  bench.PeerDown(Bench::Peer(3));
  EXPECT_EQ(forwarded(PutOf("k", "v")), 0u);
  bench.node().NoRoom(false);
  bench.PeerUp(Bench::Peer(2));
  EXPECT_EQ(forwarded(PutOf("k", "v")), 0u);
}

}  // namespace
}  // namespace eddy::node
