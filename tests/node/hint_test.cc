// Promises of sloppy quorums and hinted handoff (Dynamo, section 4.6).
#include "storage/hint_key.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A key of five nodes by where node 1, which is tested, stands in its walk.
struct Walked {
  std::string key;
  std::vector<NodeId> walk;
};

Walked FindKey(const ring::Layout& layout, size_t place_of_self) {
  for (int i = 0;; ++i) {
    Walked found{.key = "k" + std::to_string(i), .walk = {}};
    for (const auto index : layout.Walk(layout.PartitionOf(ring::TokenOf("b", found.key)))) {
      found.walk.push_back(layout.member(index).id);
    }
    if (found.walk[place_of_self] == Bench::Self()) return found;
  }
}

// What node 1 keeps for `owner`; empty: nothing.
lattice::Record HintAt(Bench& bench, NodeId owner, const std::string& key) {
  const std::string row = storage::EncodeHintKey(owner, RecordKeyOf(key));
  std::string bytes;
  const auto found = bench.engine().Get(storage::Space::kHints, row, storage::Tier::kDisk, &bytes);
  EXPECT_TRUE(found.has_value());
  if (*found == storage::Presence::kAbsent) return {};
  EXPECT_TRUE(storage::UnsealRecord(row, &bytes).has_value());
  return *storage::DecodeRecord(bytes);
}

TEST(StandIn, TakesThePlaceOfAnOwnerThatCannotBeReached) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, walk] = FindKey(bench.layout(), 0);
  bench.PeerDown(walk[1]);
  const uint64_t ticket = bench.Submit(PutOf(key, "v"));
  const auto hints = bench.Sent<wire::WriteRequest>(walk[3]);
  ASSERT_EQ(hints.size(), 1u);
  EXPECT_EQ(hints[0].hint_for, walk[1]);
  EXPECT_TRUE(bench.Sent<wire::WriteRequest>(walk[4]).empty());

  bench.Receive(walk[3], wire::WriteReply{.op = hints[0].op});
  bench.Sync();
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->answered, 2);
  EXPECT_EQ(bench.Reply(ticket)->primaries, 1) << "the stand-in is no owner";
}

TEST(StandIn, IsFollowedByTheNextWhenItFails) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, walk] = FindKey(bench.layout(), 0);
  bench.PeerDown(walk[1]);
  bench.Submit(PutOf(key, "v"));
  const uint64_t op = bench.Sent<wire::WriteRequest>(walk[3]).at(0).op;
  bench.Receive(walk[3], wire::WriteReply{.op = op, .error = Error{Code::kBusy, "full"}});
  const auto next = bench.Sent<wire::WriteRequest>(walk[4]);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].hint_for, walk[1]);
}

TEST(StandIn, IsAskedWhenAnOwnerSaysNothing) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, walk] = FindKey(bench.layout(), 0);
  auto request = PutOf(key, "v");
  request.quorum.w = 3;
  bench.Submit(request);
  EXPECT_TRUE(bench.Sent<wire::WriteRequest>(walk[3]).empty());
  bench.Advance(milliseconds(400));
  EXPECT_EQ(bench.Sent<wire::WriteRequest>(walk[3]).size(), 1u);
  EXPECT_EQ(bench.Sent<wire::WriteRequest>(walk[4]).size(), 1u);
}

TEST(StandIn, IsNotAskedWhereTheRequestWantsOwnersOnly) {
  for (const bool strict : {true, false}) {
    Bench bench(5);
    bench.GrantLeases();
    const auto [key, walk] = FindKey(bench.layout(), 0);
    bench.PeerDown(walk[1]);
    bench.PeerDown(walk[2]);
    auto request = PutOf(key, "v");
    if (strict) {
      request.quorum.sloppy = false;
    } else {
      request.quorum.pw = 2;
    }
    const uint64_t ticket = bench.Submit(request);
    ASSERT_NE(bench.Reply(ticket), nullptr);
    EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
    EXPECT_TRUE(bench.Stored(RecordKeyOf(key)).empty()) << "refused, so nothing was written";
  }
}

TEST(StandIn, KeepsAndAcknowledgesWhatItIsGivenForAnother) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, walk] = FindKey(bench.layout(), 3);
  bench.PeerDown(walk[0]);
  const lattice::Record record = RecordOf(1, 1, "v");
  bench.Receive(walk[1], wire::WriteRequest{.op = 77,
                                            .key = RecordKeyOf(key),
                                            .record = storage::EncodeRecord(record),
                                            .budget = seconds(1),
                                            .hint_for = walk[0]});
  EXPECT_TRUE(bench.Sent<wire::WriteReply>(walk[1]).empty()) << "not durable yet";
  bench.Sync();
  ASSERT_EQ(bench.Sent<wire::WriteReply>(walk[1]).size(), 1u);
  EXPECT_EQ(HintAt(bench, walk[0], key), record);
  EXPECT_TRUE(bench.Stored(RecordKeyOf(key)).empty());

  // And shows it to readers.
  bench.Receive(walk[1],
                wire::ReadRequest{.op = 78, .key = RecordKeyOf(key), .budget = seconds(1)});
  const auto reads = bench.Sent<wire::ReadReply>(walk[1]);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].record, storage::EncodeRecord(record));
}

TEST(StandIn, KeepsNothingForAStranger) {
  Bench bench(5);
  bench.GrantLeases();
  bench.Receive(Bench::Peer(2),
                wire::WriteRequest{.op = 77,
                                   .key = RecordKeyOf("k"),
                                   .record = storage::EncodeRecord(RecordOf(1, 1, "v")),
                                   .budget = seconds(1),
                                   .hint_for = NodeId{66, 66}});
  EXPECT_EQ(bench.node().background_in_flight(), 0u);
}

TEST(StandIn, CoordinatesWhenNoOwnerCanBeReached) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, walk] = FindKey(bench.layout(), 3);
  for (size_t owner = 0; owner < 3; ++owner) bench.PeerDown(walk[owner]);
  const uint64_t put = bench.Submit(PutOf(key, "v"));
  const auto hints = bench.Sent<wire::WriteRequest>(walk[4]);
  ASSERT_EQ(hints.size(), 1u);
  EXPECT_NE(hints[0].hint_for, walk[0]) << "this node stands there itself";
  bench.Receive(walk[4], wire::WriteReply{.op = hints[0].op});
  bench.Sync();
  ASSERT_NE(bench.Reply(put), nullptr);
  EXPECT_FALSE(bench.Reply(put)->error);
  EXPECT_EQ(bench.Reply(put)->primaries, 0);
  EXPECT_EQ(HintAt(bench, walk[0], key).siblings().at(0).dot.actor, bench.node().actor());

  // A read finds it in the same way.
  auto get = GetOf(key);
  get.quorum.r = 1;
  const uint64_t ticket = bench.Submit(get);
  ASSERT_NE(bench.Reply(ticket), nullptr);
  ASSERT_EQ(bench.Reply(ticket)->siblings.size(), 1u);
  EXPECT_EQ(bench.Reply(ticket)->siblings[0].value, "v");
}

TEST(StandIn, DoesNotSayThatWhatItNeverSawIsNotThere) {
  Bench bench(5);
  bench.GrantLeases();
  const auto [key, walk] = FindKey(bench.layout(), 3);
  for (size_t place = 0; place < 3; ++place) bench.PeerDown(walk[place]);
  const uint64_t ticket = bench.Submit(GetOf(key));
  const auto reads = bench.Sent<wire::ReadRequest>(walk[4]);
  ASSERT_EQ(reads.size(), 1u);
  bench.Receive(walk[4], wire::ReadReply{.op = reads[0].op});
  ASSERT_NE(bench.Reply(ticket), nullptr);
  ASSERT_TRUE(bench.Reply(ticket)->error.has_value());
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
}

TEST(Hint, IsKeptHereWhereNobodyIsLeftToStandIn) {
  Bench bench(3);
  bench.GrantLeases();
  bench.PeerDown(Bench::Peer(3));
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  bench.Sync();
  EXPECT_EQ(bench.Reply(ticket), nullptr) << "the same disk does not count twice";
  EXPECT_EQ(HintAt(bench, Bench::Peer(3), "k"), bench.Stored(RecordKeyOf("k")));
}

// Puts a hint for peer 3 into node 1 of three, and brings the owner back.
struct Delivery {
  Bench bench{3};
  std::vector<wire::WriteRequest> sent;

  Delivery() {
    bench.GrantLeases();
    bench.PeerDown(Bench::Peer(3));
    bench.Submit(PutOf("k", "v"));
    bench.Sync();
    bench.PeerUp(Bench::Peer(3));
    bench.Advance(milliseconds(5));
    sent = bench.Sent<wire::WriteRequest>(Bench::Peer(3));
  }
};

// An owner speaks for what it holds itself: a hint goes when the other one has it.
TEST(Hint, IsNotShownByAReadOfAnOwner) {
  Bench bench(3);
  bench.GrantLeases();
  bench.PeerDown(Bench::Peer(3));
  bench.Receive(Bench::Peer(2),
                wire::WriteRequest{.op = 9,
                                   .key = RecordKeyOf("k"),
                                   .record = storage::EncodeRecord(RecordOf(5, 1, "hinted")),
                                   .budget = seconds(1),
                                   .hint_for = Bench::Peer(3)});
  bench.Sync();
  wire::ClientRequest get = GetOf("k");
  get.quorum.r = 1;
  const uint64_t ticket = bench.Submit(get);
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_FALSE(bench.Reply(ticket)->error.has_value());
  EXPECT_TRUE(bench.Reply(ticket)->siblings.empty());
}

TEST(Hint, ASyncPointIsReachedWhenAllBeforeItAreDelivered) {
  Delivery delivery;
  Bench& bench = delivery.bench;
  ASSERT_EQ(delivery.sent.size(), 1u);
  const uint64_t point = bench.node().hint_book().notes().at(Bench::Peer(3)).noted;
  const auto reached = [&] {
    const auto& notes = bench.node().hint_book().notes();
    return !notes.contains(Bench::Peer(3)) || notes.at(Bench::Peer(3)).delivered >= point;
  };
  EXPECT_FALSE(reached());
  // One that comes while the pass is under way does not hold the point back.
  bench.Receive(Bench::Peer(2),
                wire::WriteRequest{.op = 9,
                                   .key = RecordKeyOf("later"),
                                   .record = storage::EncodeRecord(RecordOf(5, 1, "later")),
                                   .budget = seconds(1),
                                   .hint_for = Bench::Peer(3)});
  bench.Receive(Bench::Peer(3), wire::WriteReply{.op = delivery.sent[0].op});
  EXPECT_FALSE(reached()) << "its removal is not on disk";
  bench.Sync();
  bench.Advance(milliseconds(5));
  EXPECT_TRUE(reached());
  EXPECT_TRUE(bench.node().hint_book().MayHold(Bench::Peer(3)));
}

TEST(Hint, IsBroughtToItsOwnerAndGoesWhenThatIsDurable) {
  Delivery delivery;
  Bench& bench = delivery.bench;
  ASSERT_EQ(delivery.sent.size(), 1u);
  EXPECT_TRUE(delivery.sent[0].hint_for.IsNone());
  EXPECT_EQ(delivery.sent[0].record, storage::EncodeRecord(bench.Stored(RecordKeyOf("k"))));
  bench.Sync();
  EXPECT_FALSE(HintAt(bench, Bench::Peer(3), "k").empty()) << "not acknowledged yet";
  bench.Receive(Bench::Peer(3), wire::WriteReply{.op = delivery.sent[0].op});
  bench.Sync();
  EXPECT_TRUE(HintAt(bench, Bench::Peer(3), "k").empty());
}

TEST(Hint, StaysWhenItsOwnerFailsAndIsSentAgain) {
  Delivery delivery;
  Bench& bench = delivery.bench;
  ASSERT_EQ(delivery.sent.size(), 1u);
  bench.Receive(Bench::Peer(3),
                wire::WriteReply{.op = delivery.sent[0].op, .error = Error{Code::kIo, "no"}});
  bench.Sync();
  EXPECT_FALSE(HintAt(bench, Bench::Peer(3), "k").empty());
  EXPECT_TRUE(bench.Sent<wire::WriteRequest>(Bench::Peer(3)).empty()) << "after a pause";
  bench.Advance(seconds(1));
  EXPECT_EQ(bench.Sent<wire::WriteRequest>(Bench::Peer(3)).size(), 1u);
}

TEST(Hint, ThatChangedWhileItWasDeliveredStays) {
  Delivery delivery;
  Bench& bench = delivery.bench;
  ASSERT_EQ(delivery.sent.size(), 1u);
  const lattice::Record newer = RecordOf(5, 1, "newer");
  bench.Receive(Bench::Peer(2), wire::WriteRequest{.op = 9,
                                                   .key = RecordKeyOf("k"),
                                                   .record = storage::EncodeRecord(newer),
                                                   .budget = seconds(1),
                                                   .hint_for = Bench::Peer(3)});
  bench.Sync();
  bench.Receive(Bench::Peer(3), wire::WriteReply{.op = delivery.sent[0].op});
  bench.Sync();
  EXPECT_TRUE(HintAt(bench, Bench::Peer(3), "k").context().Covers(newer.context()));
}

}  // namespace
}  // namespace eddy::node
