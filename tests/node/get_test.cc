// Promises of a read at its coordinator (Dynamo, section 4.5) and of read repair (section 5).
#include <utility>

#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Gives the node under test `record` for "k", durably.
void Hold(Bench& bench, const lattice::Record& record) {
  bench.Receive(Bench::Peer(3), wire::WriteRequest{.op = 77,
                                                   .key = RecordKeyOf("k"),
                                                   .record = storage::EncodeRecord(record),
                                                   .budget = seconds(1)});
  bench.Sync();
  ASSERT_EQ(bench.Sent<wire::WriteReply>(Bench::Peer(3)).size(), 1u);
}

TEST(Get, AsksOnlyAsManyAsItNeedsAndSaysWhatItHolds) {
  Bench bench;
  bench.GrantLeases();
  Hold(bench, RecordOf(1, 1, "v"));
  const uint64_t ticket = bench.Submit(GetOf("k"));
  const auto to_2 = bench.Sent<wire::ReadRequest>(Bench::Peer(2));
  const auto to_3 = bench.Sent<wire::ReadRequest>(Bench::Peer(3));
  ASSERT_EQ(to_2.size() + to_3.size(), 1u);
  const NodeId asked = to_2.empty() ? Bench::Peer(3) : Bench::Peer(2);
  const auto& request = to_2.empty() ? to_3[0] : to_2[0];
  EXPECT_EQ(request.have, storage::RecordDigest(storage::EncodeRecord(RecordOf(1, 1, "v"))));
  bench.Receive(asked, wire::ReadReply{.op = request.op, .same = true});
  ASSERT_NE(bench.Reply(ticket), nullptr);
  ASSERT_EQ(bench.Reply(ticket)->siblings.size(), 1u);
  EXPECT_EQ(bench.Reply(ticket)->siblings[0].value, "v");
  EXPECT_EQ(bench.Reply(ticket)->answered, 2);
  EXPECT_FALSE(bench.Reply(ticket)->context.empty());
}

TEST(Get, WritesTheJoinBackToRReplicasBeforeItAnswers) {
  Bench bench;
  bench.GrantLeases();
  Hold(bench, RecordOf(1, 1, "mine"));
  auto request = GetOf("k");
  const uint64_t ticket = bench.Submit(request);
  NodeId asked = Bench::Peer(2);
  auto reads = bench.Sent<wire::ReadRequest>(asked);
  if (reads.empty()) reads = bench.Sent<wire::ReadRequest>(asked = Bench::Peer(3));
  bench.Receive(asked, wire::ReadReply{.op = reads.at(0).op,
                                       .record = storage::EncodeRecord(RecordOf(2, 1, "theirs"))});
  EXPECT_EQ(bench.Reply(ticket), nullptr) << "what it would show is on one replica only";
  lattice::Record join = RecordOf(1, 1, "mine");
  join.Join(RecordOf(2, 1, "theirs"));
  const auto writes = bench.Sent<wire::WriteRequest>(asked);
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].record, storage::EncodeRecord(join));
  bench.Receive(asked, wire::WriteReply{.op = writes[0].op});
  EXPECT_EQ(bench.Reply(ticket), nullptr) << "our own share is not durable";
  bench.Sync();
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->siblings.size(), 2u);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")), join);
}

TEST(Get, OfOneReplicaAnswersFirstAndRepairsNothing) {
  Bench bench;
  bench.GrantLeases();
  Hold(bench, RecordOf(1, 1, "v"));
  auto request = GetOf("k");
  request.quorum.r = 1;
  const uint64_t ticket = bench.Submit(request);
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_TRUE(bench.Sent<wire::ReadRequest>(Bench::Peer(2)).empty());
}

TEST(Get, HedgesToOneMoreReplicaWhenOneIsSlow) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t ticket = bench.Submit(GetOf("k"));
  const bool two_first = !bench.Sent<wire::ReadRequest>(Bench::Peer(2)).empty();
  const NodeId other = two_first ? Bench::Peer(3) : Bench::Peer(2);
  EXPECT_TRUE(!two_first || bench.Sent<wire::ReadRequest>(other).empty());
  bench.Advance(NodeOptions{}.hedge_max);
  const auto hedged = bench.Sent<wire::ReadRequest>(other);
  ASSERT_EQ(hedged.size(), 1u);
  bench.Receive(other, wire::ReadReply{.op = hedged[0].op, .same = true});
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_TRUE(bench.Reply(ticket)->siblings.empty());
  EXPECT_FALSE(bench.Reply(ticket)->error);
}

TEST(Get, UsesLateRepliesToRepairWhoeverIsBehind) {
  Bench bench;
  bench.GrantLeases();
  Hold(bench, RecordOf(1, 1, "v"));
  bench.Submit(GetOf("k"));
  bench.Advance(NodeOptions{}.hedge_max);
  const uint64_t op = bench.Sent<wire::ReadRequest>(Bench::Peer(2)).at(0).op;
  bench.Receive(Bench::Peer(2), wire::ReadReply{.op = op, .same = true});
  bench.Receive(Bench::Peer(3), wire::ReadReply{.op = op});  // late, and it holds nothing
  const auto repairs = bench.Sent<wire::WriteRequest>(Bench::Peer(3));
  ASSERT_EQ(repairs.size(), 1u);
  EXPECT_EQ(repairs[0].op, 0u);
  EXPECT_EQ(repairs[0].record, storage::EncodeRecord(RecordOf(1, 1, "v")));
  EXPECT_TRUE(bench.Sent<wire::WriteRequest>(Bench::Peer(2)).empty());
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Get, TakesALocalErrorForAnErrorAndNotForAbsence) {
  Bench bench;
  bench.GrantLeases();
  bench.FailStore({Code::kCorruption, "bad block"});
  const uint64_t ticket = bench.Submit(GetOf("k"));
  const std::string record = storage::EncodeRecord(RecordOf(1, 1, "v"));
  for (uint64_t peer : {2, 3}) {
    const auto reads = bench.Sent<wire::ReadRequest>(Bench::Peer(peer));
    ASSERT_EQ(reads.size(), 1u) << "both others are needed now";
    EXPECT_FALSE(reads[0].have);
    bench.Receive(Bench::Peer(peer), wire::ReadReply{.op = reads[0].op, .record = record});
  }
  ASSERT_NE(bench.Reply(ticket), nullptr);
  ASSERT_EQ(bench.Reply(ticket)->siblings.size(), 1u);
  EXPECT_EQ(bench.Reply(ticket)->siblings[0].value, "v");
}

TEST(Get, TakesASameForNoAnswerWhereNothingWasReadBefore) {
  Bench bench;
  bench.GrantLeases();
  bench.FailStore({Code::kIo, "bad block"});
  const uint64_t ticket = bench.Submit(GetOf("k"));
  for (const uint64_t peer : {2, 3}) {
    for (const auto& read : bench.Sent<wire::ReadRequest>(Bench::Peer(peer))) {
      bench.Receive(Bench::Peer(peer), wire::ReadReply{.op = read.op, .same = true});
    }
  }
  ASSERT_NE(bench.Reply(ticket), nullptr);
  ASSERT_TRUE(bench.Reply(ticket)->error.has_value());
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
}

TEST(Get, AsksAnotherReplicaInThePlaceOfOneThatCannotBeLevelled) {
  Bench bench;
  bench.GrantLeases();
  Hold(bench, RecordOf(1, 1, "mine"));
  const uint64_t ticket = bench.Submit(GetOf("k"));
  NodeId asked = Bench::Peer(2);
  NodeId other = Bench::Peer(3);
  auto reads = bench.Sent<wire::ReadRequest>(asked);
  if (reads.empty()) {
    std::swap(asked, other);
    reads = bench.Sent<wire::ReadRequest>(asked);
  }
  bench.Receive(asked, wire::ReadReply{.op = reads.at(0).op});
  const auto writes = bench.Sent<wire::WriteRequest>(asked);
  ASSERT_EQ(writes.size(), 1u);
  bench.Receive(asked,
                wire::WriteReply{.op = writes[0].op, .error = Error{Code::kBusy, "no room"}});
  EXPECT_EQ(bench.Reply(ticket), nullptr);
  const auto more = bench.Sent<wire::ReadRequest>(other);
  ASSERT_EQ(more.size(), 1u);
  bench.Receive(other, wire::ReadReply{.op = more[0].op, .same = true});
  bench.Sync();
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_FALSE(bench.Reply(ticket)->error.has_value());
  EXPECT_EQ(bench.Reply(ticket)->siblings.at(0).value, "mine");
}

TEST(Get, IsNotDoneWhenTooFewReplicasCanBeReached) {
  Bench bench;
  bench.GrantLeases();
  bench.PeerDown(Bench::Peer(2));
  const uint64_t ticket = bench.Submit(GetOf("k"));
  bench.PeerDown(Bench::Peer(3));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
  EXPECT_EQ(bench.Reply(ticket)->needed, 2);
  EXPECT_EQ(bench.Reply(ticket)->answered, 1);
}

TEST(Get, TimesOutAtItsDeadline) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t ticket = bench.Submit(GetOf("k"));
  bench.Advance(NodeOptions{}.deadline_default);
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kTimeout);
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Get, RefusesARecordThatCannotBeDecoded) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t ticket = bench.Submit(GetOf("k"));
  NodeId asked = Bench::Peer(2);
  auto reads = bench.Sent<wire::ReadRequest>(asked);
  if (reads.empty()) reads = bench.Sent<wire::ReadRequest>(asked = Bench::Peer(3));
  bench.Receive(asked, wire::ReadReply{.op = reads.at(0).op, .record = "rubbish"});
  EXPECT_EQ(bench.Reply(ticket), nullptr);
  const NodeId other = asked == Bench::Peer(2) ? Bench::Peer(3) : Bench::Peer(2);
  const auto next = bench.Sent<wire::ReadRequest>(other);
  ASSERT_EQ(next.size(), 1u) << "it counts as no answer";
  bench.Receive(other, wire::ReadReply{.op = next[0].op, .same = true});
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_FALSE(bench.Reply(ticket)->error);
}

TEST(Get, ShowsOneValueWhereTheLastWriterWinsAndAllWhenAsked) {
  Bench bench(1);
  BucketTable buckets;
  const auto put = [&](uint64_t actor, uint64_t timestamp, const std::string& value) {
    lattice::Record record;
    record.Put({}, {.dot = {ActorId{9, actor}, 1}, .timestamp = {timestamp}, .value = value}, {});
    return record;
  };
  lattice::Record record = put(1, 20, "later");
  record.Join(put(2, 10, "earlier"));
  const std::string key = storage::EncodeKey({ring::TokenOf("redis", "k").value, "redis", "k"});
  std::string stored = storage::EncodeRecord(record);
  storage::SealRecord(key, 1, &stored);
  ASSERT_TRUE(bench.engine()
                  .Write({{storage::Space::kData, key, stored}}, storage::Logging::kLogged)
                  .has_value());
  auto request = GetOf("k");
  request.bucket = "redis";
  uint64_t ticket = bench.Submit(request);
  ASSERT_EQ(bench.Reply(ticket)->siblings.size(), 1u);
  EXPECT_EQ(bench.Reply(ticket)->siblings[0].value, "later");
  request.action = wire::GetAction{.all_siblings = true};
  ticket = bench.Submit(request);
  EXPECT_EQ(bench.Reply(ticket)->siblings.size(), 2u);
}

TEST(Get, ShowsNothingThatHasExpired) {
  Bench bench(1);
  auto request = PutOf("k", "v");
  std::get<wire::PutAction>(request.action).expires_at = bench.now().wall + seconds(1);
  bench.Submit(request);
  bench.Sync();
  EXPECT_EQ(bench.Reply(bench.Submit(GetOf("k")))->siblings.size(), 1u);
  bench.Advance(seconds(1));
  EXPECT_TRUE(bench.Reply(bench.Submit(GetOf("k")))->siblings.empty());
}

TEST(Replica, AnswersSameWithoutSendingTheRecord) {
  Bench bench;
  bench.GrantLeases();
  Hold(bench, RecordOf(1, 1, "v"));
  const std::string record = storage::EncodeRecord(RecordOf(1, 1, "v"));
  wire::ReadRequest read{.op = 5, .key = RecordKeyOf("k"), .budget = seconds(1)};
  read.have = storage::RecordDigest(record);
  bench.Receive(Bench::Peer(2), read);
  auto replies = bench.Sent<wire::ReadReply>(Bench::Peer(2));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(replies[0].same);
  EXPECT_TRUE(replies[0].record.empty());
  read.have = Digest{1, 2};
  bench.Receive(Bench::Peer(2), read);
  replies = bench.Sent<wire::ReadReply>(Bench::Peer(2));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_FALSE(replies[0].same);
  EXPECT_EQ(replies[0].record, record);
}

TEST(Replica, DropsWhatIsAlreadyTooLate) {
  Bench bench;
  bench.GrantLeases();
  bench.Receive(Bench::Peer(2), wire::ReadRequest{.op = 5, .key = RecordKeyOf("k")});
  bench.Receive(Bench::Peer(2), wire::WriteRequest{.op = 6, .key = RecordKeyOf("k")});
  bench.Sync();
  EXPECT_TRUE(bench.Sent<wire::ReadReply>(Bench::Peer(2)).empty());
  EXPECT_TRUE(bench.Sent<wire::WriteReply>(Bench::Peer(2)).empty());
}

TEST(Replica, AcknowledgesOnlyWhatIsDurable) {
  Bench bench;
  bench.GrantLeases();
  const wire::WriteRequest write{.op = 6,
                                 .key = RecordKeyOf("k"),
                                 .record = storage::EncodeRecord(RecordOf(1, 1, "v")),
                                 .budget = seconds(1)};
  bench.Receive(Bench::Peer(2), write);
  EXPECT_TRUE(bench.Sent<wire::WriteReply>(Bench::Peer(2)).empty());
  bench.Sync();
  EXPECT_EQ(bench.Sent<wire::WriteReply>(Bench::Peer(2)).size(), 1u);
}

}  // namespace
}  // namespace eddy::node
