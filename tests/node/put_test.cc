// Promises of a write at its coordinator (Dynamo, section 4.5).
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Put, IsSentToAllReplicasBeforeItIsDurableHere) {
  Bench bench;
  bench.GrantLeases();
  bench.Submit(PutOf("k", "v"));
  for (uint64_t peer : {2, 3}) {
    const auto writes = bench.Sent<wire::WriteRequest>(Bench::Peer(peer));
    ASSERT_EQ(writes.size(), 1u);
    const auto record = storage::DecodeRecord(writes[0].record);
    ASSERT_TRUE(record.has_value());
    ASSERT_EQ(record->siblings().size(), 1u);
    EXPECT_EQ(record->siblings()[0].value, "v");
    EXPECT_EQ(record->siblings()[0].dot.actor, bench.node().actor());
  }
}

TEST(Put, IsAnsweredAtWDurableReplicasAndNotBefore) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  const uint64_t op = bench.Sent<wire::WriteRequest>(Bench::Peer(2)).at(0).op;
  bench.Receive(Bench::Peer(2), wire::WriteReply{.op = op});
  EXPECT_EQ(bench.Reply(ticket), nullptr) << "one of two, and nothing is durable here";
  bench.Receive(Bench::Peer(2), wire::WriteReply{.op = op});
  EXPECT_EQ(bench.Reply(ticket), nullptr) << "one replica does not count twice";
  bench.Sync();
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error, std::nullopt);
  EXPECT_EQ(bench.Reply(ticket)->needed, 2);
  EXPECT_EQ(bench.Reply(ticket)->answered, 2);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().at(0).value, "v");
}

TEST(Put, NeedsNotThisNodeToBeDurableIfWOthersAre) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  for (uint64_t peer : {2, 3}) {
    const uint64_t op = bench.Sent<wire::WriteRequest>(Bench::Peer(peer)).at(0).op;
    bench.Receive(Bench::Peer(peer), wire::WriteReply{.op = op});
  }
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_FALSE(bench.Reply(ticket)->error);
}

TEST(Put, WritesNothingWhenTooFewReplicasCanBeReached) {
  Bench bench;
  bench.GrantLeases();
  bench.PeerDown(Bench::Peer(2));
  bench.PeerDown(Bench::Peer(3));
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
  bench.Sync();
  EXPECT_TRUE(bench.Stored(RecordKeyOf("k")).empty());
}

TEST(Put, IsOfUnknownOutcomeWhenItsDeadlinePasses) {
  Bench bench;
  bench.GrantLeases();
  auto request = PutOf("k", "v");
  request.deadline = seconds(1);
  const uint64_t ticket = bench.Submit(request);
  bench.Sync();
  bench.Advance(milliseconds(999));
  EXPECT_EQ(bench.Reply(ticket), nullptr);
  bench.Advance(milliseconds(1));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnknownOutcome);
  EXPECT_EQ(bench.Reply(ticket)->answered, 1);
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Put, IsOfUnknownOutcomeAtOnceWhenNoOtherReplicaIsLeftToAnswer) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  bench.Sync();
  bench.PeerDown(Bench::Peer(2));
  EXPECT_EQ(bench.Reply(ticket), nullptr);
  bench.PeerDown(Bench::Peer(3));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnknownOutcome);
}

TEST(Put, IsNotDoneWhenTheStoreRefusesIt) {
  Bench bench;
  bench.GrantLeases();
  bench.FailStore({Code::kIo, "the disk is gone"});
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
  EXPECT_TRUE(bench.Sent<wire::WriteRequest>(Bench::Peer(2)).empty());
}

TEST(Put, BeginsANewHistoryWhenAWriteToTheStoreFails) {
  Bench bench;
  bench.GrantLeases();
  const uint64_t before = bench.node().history().begin;
  bench.Submit(PutOf("k", "v"));
  bench.Sync(Fail(Code::kIo, "sync failed"));
  EXPECT_GT(bench.node().history().begin, before);
}

TEST(Put, ReplacesWhatItsContextHasSeenAndNothingElse) {
  Bench bench(1);
  const uint64_t first = bench.Submit(PutOf("k", "one"));
  bench.Sync();
  const std::string seen = bench.Reply(first)->context;
  bench.Submit(PutOf("k", "two"));
  bench.Sync();
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 2u);
  bench.Submit(PutOf("k", "three", seen));
  bench.Sync();
  const lattice::Record record = bench.Stored(RecordKeyOf("k"));
  ASSERT_EQ(record.siblings().size(), 2u);
  EXPECT_EQ(record.siblings()[0].value, "two");
  EXPECT_EQ(record.siblings()[1].value, "three");
}

TEST(Put, WithoutContextReplacesAllThatIsHereWhereTheLastWriterWins) {
  Bench bench(1);
  for (const char* value : {"one", "two"}) {
    auto request = PutOf("k", value);
    request.bucket = std::string(BucketTable::kRedisBucket);
    bench.Submit(request);
    bench.Sync();
  }
  const std::string key = storage::EncodeKey({ring::TokenOf("redis", "k").value, "redis", "k"});
  ASSERT_EQ(bench.Stored(key).siblings().size(), 1u);
  EXPECT_EQ(bench.Stored(key).siblings()[0].value, "two");
}

TEST(Put, RefusesAContextThatClaimsWritesNeverMade) {
  Bench bench(1);
  lattice::CausalContext forged;
  forged.Add({bench.node().actor(), 0, uint64_t{1} << 60});
  const uint64_t ticket = bench.Submit(PutOf("k", "v", wire::EncodeContextToken(forged, "b", "k")));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kInvalidArgument);
}

TEST(Put, RefusesTheContextOfAnotherKey) {
  Bench bench(1);
  const uint64_t first = bench.Submit(PutOf("k", "one"));
  bench.Sync();
  const uint64_t ticket = bench.Submit(PutOf("other", "v", bench.Reply(first)->context));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kInvalidArgument);
}

TEST(Put, RefusesQuorumsThatCanNeverBeMetAndValuesOverTheLimit) {
  NodeOptions options;
  options.value_bytes_max = 4;
  Bench bench(1, options);
  auto request = PutOf("k", "v");
  request.quorum.n = 3;
  request.quorum.w = 4;
  uint64_t ticket = bench.Submit(request);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kInvalidArgument);
  ticket = bench.Submit(PutOf("k", "12345"));
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kTooLarge);
  ticket = bench.Submit(PutOf("", "v"));
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kInvalidArgument);
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

TEST(Put, IsRefusedAsBusyWhenTheTableIsFull) {
  NodeOptions options;
  options.operations_max = 1;
  Bench bench(3, options);
  bench.GrantLeases();
  bench.Submit(PutOf("k", "v"));
  const uint64_t ticket = bench.Submit(PutOf("k", "v"));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kBusy);
}

TEST(Retry, OfAWriteUnderWayGetsTheSameAnswerAndMakesNoSecondDot) {
  Bench bench;
  bench.GrantLeases();
  auto request = PutOf("k", "v");
  request.id = {5, 1};
  const uint64_t first = bench.Submit(request);
  const uint64_t again = bench.Submit(request);
  const auto writes = bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  ASSERT_EQ(writes.size(), 1u);
  bench.Receive(Bench::Peer(2), wire::WriteReply{.op = writes[0].op});
  bench.Sync();
  ASSERT_NE(bench.Reply(first), nullptr);
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_FALSE(bench.Reply(again)->error);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 1u);
}

TEST(Retry, OfAWriteThatIsDoneIsAnsweredAsTheWriteWas) {
  Bench bench(1);
  auto request = PutOf("k", "v");
  request.id = {5, 1};
  const uint64_t first = bench.Submit(request);
  bench.Sync();
  const uint64_t again = bench.Submit(request);
  bench.Sync();
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_EQ(*bench.Reply(again), *bench.Reply(first));
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 1u);
}

TEST(Retry, OfAWriteOfUnknownOutcomeReplicatesTheSameDotAgain) {
  Bench bench;
  bench.GrantLeases();
  auto request = PutOf("k", "v");
  request.id = {5, 1};
  const uint64_t first = bench.Submit(request);
  bench.Sync();
  bench.Advance(seconds(3));
  ASSERT_EQ(bench.Reply(first)->error->code, Code::kUnknownOutcome);
  const auto lost = bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  bench.Sync();  // the hints that are kept here for both, which are sent at once
  bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  const uint64_t again = bench.Submit(request);
  const auto writes = bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  // The hint's delivery may be among them; all bring the same.
  ASSERT_FALSE(writes.empty());
  bench.Sync();
  for (const auto& write : writes) {
    EXPECT_EQ(write.record, lost.at(0).record);
    bench.Receive(Bench::Peer(2), wire::WriteReply{.op = write.op});
  }
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_FALSE(bench.Reply(again)->error);
}

TEST(Retry, OfAPutThatThisStoreDidNotKeepStaysUnknown) {
  Bench bench;
  bench.GrantLeases();
  auto request = PutOf("k", "v");
  request.id = {5, 1};
  const uint64_t first = bench.Submit(request);
  bench.Advance(seconds(3));
  bench.engine().Crash();  // what was to be committed never is
  bench.DropTurn();
  ASSERT_EQ(bench.Reply(first)->error->code, Code::kUnknownOutcome);
  bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  const uint64_t again = bench.Submit(request);
  bench.Sync();
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_EQ(bench.Reply(again)->error->code, Code::kUnknownOutcome);
  EXPECT_TRUE(bench.Sent<wire::WriteRequest>(Bench::Peer(2)).empty());
}

TEST(Retry, WaitsForTheStoreThatHasNotAnsweredYet) {
  Bench bench(1);
  auto request = PutOf("k", "v");
  request.id = {5, 1};
  bench.HoldStore();
  const uint64_t first = bench.Submit(request);
  bench.Advance(seconds(3));
  ASSERT_EQ(bench.Reply(first)->error->code, Code::kUnknownOutcome);
  const uint64_t second = bench.Submit(request);
  bench.Advance(seconds(1));
  EXPECT_EQ(bench.Reply(second), nullptr);
  bench.Advance(seconds(2));
  ASSERT_NE(bench.Reply(second), nullptr);
  EXPECT_EQ(bench.Reply(second)->error->code, Code::kUnknownOutcome);
  const uint64_t third = bench.Submit(request);
  bench.ReleaseStore();
  bench.Sync();
  ASSERT_NE(bench.Reply(third), nullptr);
  EXPECT_FALSE(bench.Reply(third)->error);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 1u);
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
}

// What the row says to have seen afterwards covers the dot of the write that it refused.
TEST(Retry, OfAPutThatTheStoreRefusedAfterItsDeadlineIsANewWrite) {
  BucketTable buckets;
  ASSERT_TRUE(buckets.Set("b", {.n = 1, .siblings_max = 1}).has_value());
  Bench bench(1, {}, buckets);
  const uint64_t one = bench.Submit(PutOf("k", "one"));
  bench.Sync();
  const std::string seen_one = bench.Reply(one)->context;
  auto refused = PutOf("k", "two");
  refused.id = {5, 1};
  bench.HoldStore();
  const uint64_t first = bench.Submit(refused);
  bench.Advance(seconds(3));
  ASSERT_EQ(bench.Reply(first)->error->code, Code::kUnknownOutcome);
  bench.ReleaseStore();
  EXPECT_EQ(bench.node().operations_in_flight(), 0u);
  const uint64_t three = bench.Submit(PutOf("k", "three", seen_one));
  bench.Sync();
  ASSERT_FALSE(bench.Reply(three)->error);
  const lattice::Record stored = bench.Stored(RecordKeyOf("k"));
  ASSERT_TRUE(stored.context().Covers({bench.node().actor(), 2}));
  const uint64_t again = bench.Submit(refused);
  ASSERT_NE(bench.Reply(again), nullptr);
  ASSERT_TRUE(bench.Reply(again)->error);
  EXPECT_EQ(bench.Reply(again)->error->code, Code::kTooLarge);
}

TEST(Retry, OfADeleteOfUnknownOutcomeDeletesAgain) {
  Bench bench;
  bench.GrantLeases();
  wire::ClientRequest request{.id = {5, 1}, .bucket = "b", .key = "k"};
  request.action = wire::DeleteAction{};
  const uint64_t first = bench.Submit(request);
  bench.Sync();
  bench.Advance(seconds(3));
  ASSERT_EQ(bench.Reply(first)->error->code, Code::kUnknownOutcome);
  bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  const uint64_t again = bench.Submit(request);
  const auto writes = bench.Sent<wire::WriteRequest>(Bench::Peer(2));
  ASSERT_EQ(writes.size(), 1u);
  bench.Receive(Bench::Peer(2), wire::WriteReply{.op = writes[0].op});
  bench.Sync();
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_FALSE(bench.Reply(again)->error);
}

TEST(Retry, OfAWriteThatWasNotDoneIsANewWrite) {
  Bench bench;
  bench.GrantLeases();
  bench.PeerDown(Bench::Peer(2));
  bench.PeerDown(Bench::Peer(3));
  auto request = PutOf("k", "v");
  request.id = {5, 1};
  const uint64_t first = bench.Submit(request);
  EXPECT_EQ(bench.Reply(first)->error->code, Code::kUnavailable);
  bench.node().PeerUp(bench.now(), Bench::Peer(2));
  const uint64_t again = bench.Submit(request);
  const uint64_t op = bench.Sent<wire::WriteRequest>(Bench::Peer(2)).at(0).op;
  bench.Receive(Bench::Peer(2), wire::WriteReply{.op = op});
  bench.Sync();
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_FALSE(bench.Reply(again)->error);
}

TEST(Delete, LeavesATombstoneThatAConcurrentWriteSurvives) {
  Bench bench(1);
  const uint64_t first = bench.Submit(PutOf("k", "one"));
  bench.Sync();
  bench.Submit(PutOf("k", "two"));
  bench.Sync();
  wire::ClientRequest remove{.bucket = "b",
                             .key = "k",
                             .action = wire::DeleteAction{.context = bench.Reply(first)->context}};
  bench.Submit(remove);
  bench.Sync();
  ASSERT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 1u);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings()[0].value, "two");
  remove.action = wire::DeleteAction{};
  bench.Submit(remove);
  bench.Sync();
  EXPECT_TRUE(bench.Stored(RecordKeyOf("k")).IsTombstone());
}

}  // namespace
}  // namespace eddy::node
