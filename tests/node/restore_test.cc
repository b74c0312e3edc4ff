// Promises of a record that is restored from a backup: it is joined everywhere, as one from another
// replica is.
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

wire::ClientRequest RestoreOf(const std::string& key, const lattice::Record& record) {
  return {.id = {5, 1},
          .bucket = "b",
          .key = key,
          .action = wire::RestoreAction{.record = storage::EncodeRecord(record)}};
}

TEST(Restore, GoesToAllReplicasAtOnceAndIsAnsweredAtWDurableOnes) {
  Bench bench;
  bench.GrantLeases();
  lattice::Record record = RecordOf(1, 5, "old");
  record.Join(RecordOf(2, 7, "sibling"));
  const uint64_t ticket = bench.Submit(RestoreOf("k", record));
  for (uint64_t peer : {2, 3}) {
    const auto writes = bench.Sent<wire::WriteRequest>(Bench::Peer(peer));
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_EQ(writes[0].key, RecordKeyOf("k"));
    EXPECT_EQ(storage::DecodeRecord(writes[0].record), record) << "with its dots and siblings";
    if (peer == 3) bench.Receive(Bench::Peer(3), wire::WriteReply{.op = writes[0].op});
  }
  EXPECT_EQ(bench.Reply(ticket), nullptr) << "one of two";
  bench.Sync();
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error, std::nullopt);
  EXPECT_EQ(bench.Reply(ticket)->answered, 2);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")), record);
}

TEST(Restore, ChangesNothingThatIsNewerAndKeepsWhatIsConcurrent) {
  Bench bench(1);
  lattice::Record newer = RecordOf(1, 5, "old");
  const lattice::Record old = newer;
  newer.Put(newer.context(), {.dot = {ActorId{9, 1}, 6}, .timestamp = {2}, .value = "new"}, {});
  lattice::Record deleted = old;
  deleted.Delete(deleted.context());
  const auto restore = [&](const std::string& key, const lattice::Record& record) {
    wire::ClientRequest request = RestoreOf(key, record);
    request.id = {};
    const uint64_t ticket = bench.Submit(std::move(request));
    bench.Sync();
    ASSERT_NE(bench.Reply(ticket), nullptr);
    EXPECT_EQ(bench.Reply(ticket)->error, std::nullopt);
  };
  restore("replaced", newer);
  restore("replaced", old);
  EXPECT_EQ(bench.Stored(RecordKeyOf("replaced")), newer);
  restore("deleted", deleted);
  restore("deleted", old);
  EXPECT_EQ(bench.Stored(RecordKeyOf("deleted")), deleted);
  restore("concurrent", old);
  restore("concurrent", RecordOf(2, 1, "other"));
  EXPECT_EQ(bench.Stored(RecordKeyOf("concurrent")).siblings().size(), 2u);
}

TEST(Restore, OfOurOwnOldDotsLeavesOursFreshAndUnclaimed) {
  Bench bench(1);
  const auto put = [&](const std::string& value) {
    const uint64_t ticket = bench.Submit(PutOf("k", value));
    bench.Sync();
    ASSERT_NE(bench.Reply(ticket), nullptr);
    EXPECT_EQ(bench.Reply(ticket)->error, std::nullopt);
  };
  put("first");
  const lattice::Record backup = bench.Stored(RecordKeyOf("k"));
  // What a reaper leaves: nothing.
  ASSERT_TRUE(bench.engine()
                  .Write({{storage::Space::kData, RecordKeyOf("k"), std::nullopt}},
                         storage::Logging::kLogged)
                  .has_value());
  put("second");
  const uint64_t ticket = bench.Submit(RestoreOf("k", backup));
  bench.Sync();
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error, std::nullopt);
  const auto record = bench.Stored(RecordKeyOf("k"));
  ASSERT_EQ(record.siblings().size(), 2u) << "the second has never seen the first";
  put("third");
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 3u);
}

TEST(Restore, RefusesWhatIsNoRecordOrCannotBeOurs) {
  Bench bench(1);
  const auto refused = [&](wire::ClientRequest request) {
    const uint64_t ticket = bench.Submit(std::move(request));
    EXPECT_NE(bench.Reply(ticket), nullptr);
    return bench.Reply(ticket)->error.value_or(Error{});
  };
  wire::ClientRequest damaged = RestoreOf("k", RecordOf(1, 5, "v"));
  std::get<wire::RestoreAction>(damaged.action).record.pop_back();
  EXPECT_EQ(refused(damaged).code, Code::kInvalidArgument);
  lattice::Record ours;
  ours.Put({}, {.dot = {bench.node().actor(), 1'000}, .timestamp = {1}, .value = "v"}, {});
  const Error error = refused(RestoreOf("k", ours));
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_NE(error.text.find("not made yet"), std::string::npos) << error.text;
  bench.Sync();
  EXPECT_TRUE(bench.Stored(RecordKeyOf("k")).empty());
}

TEST(Restore, IsNotDoneWhereTooFewReplicasCanBeReached) {
  Bench bench;
  bench.GrantLeases();
  bench.PeerDown(Bench::Peer(2));
  bench.PeerDown(Bench::Peer(3));
  const uint64_t ticket = bench.Submit(RestoreOf("k", RecordOf(1, 5, "v")));
  ASSERT_NE(bench.Reply(ticket), nullptr);
  EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnavailable);
  bench.Sync();
  EXPECT_TRUE(bench.Stored(RecordKeyOf("k")).empty());
}

TEST(Restore, NeedsNotThisNodesStoreIfWOthersAreDurableAndIsUnknownIfTooFewAre) {
  for (const bool enough : {true, false}) {
    Bench bench;
    bench.GrantLeases();
    bench.FailStore(Error{Code::kUnavailable, "the disk is full"});
    const uint64_t ticket = bench.Submit(RestoreOf("k", RecordOf(1, 5, "v")));
    for (uint64_t peer : {2, 3}) {
      const uint64_t op = bench.Sent<wire::WriteRequest>(Bench::Peer(peer)).at(0).op;
      EXPECT_EQ(bench.Reply(ticket), nullptr);
      std::optional<Error> error;
      if (!enough) error = Error{Code::kUnavailable, "full, too"};
      bench.Receive(Bench::Peer(peer), wire::WriteReply{.op = op, .error = error});
      if (!enough) break;
    }
    ASSERT_NE(bench.Reply(ticket), nullptr);
    if (enough) {
      EXPECT_EQ(bench.Reply(ticket)->error, std::nullopt);
    } else {
      EXPECT_EQ(bench.Reply(ticket)->error->code, Code::kUnknownOutcome);
    }
  }
}

}  // namespace
}  // namespace eddy::node
