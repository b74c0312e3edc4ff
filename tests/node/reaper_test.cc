// How a tombstone goes, message by message, and everything that must hold it back (node/reaper.h);
// the simulator has whole clusters that reap under faults.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Duration kAfter = seconds(30);

NodeOptions Options() {
  NodeOptions options;
  options.reap_after = kAfter;
  options.anti_entropy_period = {};
  return options;
}

class ReaperTest : public ::testing::Test {
 protected:
  ReaperTest() : bench_(3, Options()) {
    bench_.GrantLeases();
    const std::string tombstone = storage::EncodeRecord(Tombstone());
    for (const uint64_t peer : {2, 3}) bench_.Sent<wire::WriteRequest>(Bench::Peer(peer));
    bench_.Receive(
        Bench::Peer(2),
        wire::WriteRequest{.op = 0, .key = key_, .record = tombstone, .budget = seconds(1)});
    bench_.Sync();
  }

  static lattice::Record Tombstone() {
    lattice::Record record = RecordOf(5, 7, "gone");
    record.Delete(record.context());
    return record;
  }
  bool Holds() { return bench_.Stored(key_).IsTombstone(); }
  void Pass(Duration time) {
    for (Duration passed{}; passed < time; passed += std::chrono::milliseconds(500)) {
      bench_.Advance(std::chrono::milliseconds(500));
      bench_.Sync();
    }
  }

  // Until the tombstone is brought to the others: two passes.
  void UntilLevelling() {
    Pass(kAfter + seconds(5));
    bench_.Sync();
  }
  // The others join it and say that they hold just that; or the first says that it does not.
  void Level(bool same = true) {
    for (const uint64_t peer : {2, 3}) {
      const auto writes = bench_.Sent<wire::WriteRequest>(Bench::Peer(peer));
      ASSERT_THAT(writes, SizeIs(1)) << peer;
      EXPECT_EQ(*storage::DecodeRecord(writes[0].record), Tombstone());
      EXPECT_EQ(writes[0].durability, static_cast<uint8_t>(storage::Durability::kSync));
      bench_.Receive(Bench::Peer(peer), wire::WriteReply{.op = writes[0].op});
      const auto reads = bench_.Sent<wire::ReadRequest>(Bench::Peer(peer));
      ASSERT_THAT(reads, SizeIs(1)) << peer;
      EXPECT_TRUE(reads[0].as_owner);
      wire::ReadReply reply{.op = reads[0].op, .error = {}, .same = same, .record = {}};
      if (!same) reply.record = storage::EncodeRecord(RecordOf(6, 1, "new"));
      bench_.Receive(Bench::Peer(peer), reply);
      if (!same) break;
    }
    bench_.Sync();
    bench_.Advance(std::chrono::milliseconds(5));
  }
  std::vector<wire::QuietRequest> Asked(uint64_t peer) {
    return bench_.Sent<wire::QuietRequest>(Bench::Peer(peer));
  }
  // All say that they are quiet, since then.
  void Answer(bool fence, uint64_t epoch_of_3 = 9) {
    for (const uint64_t peer : {2, 3}) {
      const auto asked = Asked(peer);
      ASSERT_THAT(asked, SizeIs(1)) << peer;
      EXPECT_EQ(asked[0].fence, fence);
      if (fence) PassFence(peer, asked[0].op);
      bench_.Receive(
          Bench::Peer(peer),
          wire::QuietReply{.op = asked[0].op, .quiet = true, .epoch = peer == 3 ? epoch_of_3 : 4});
    }
    bench_.Advance(std::chrono::milliseconds(5));
    bench_.Advance(std::chrono::milliseconds(5));
  }
  void PassFence(uint64_t peer, uint64_t id) {
    bench_.Receive(Bench::Peer(peer), wire::FencePassed{.op = id, .asker = Bench::Self()});
  }
  size_t Reaped(uint64_t peer) { return bench_.Sent<wire::ReapRequest>(Bench::Peer(peer)).size(); }
  // Nothing was removed, here or there.
  void ExpectKept() {
    bench_.Advance(std::chrono::milliseconds(5));
    bench_.Sync();
    EXPECT_EQ(Reaped(2) + Reaped(3), 0u);
    EXPECT_TRUE(Holds());
  }

  // Gives the node a record, as another coordinator would.
  void Hold(const std::string& key, const lattice::Record& record, NodeId hint_for = {}) {
    bench_.Receive(Bench::Peer(3), wire::WriteRequest{.op = 1,
                                                      .key = key,
                                                      .record = storage::EncodeRecord(record),
                                                      .budget = seconds(1),
                                                      .hint_for = hint_for});
    bench_.Sync();
  }
  // Adds a value that expires in a second.
  void PutExpiring(lattice::Record* record) {
    record->Put({},
                {.dot = {ActorId{9, 6}, 8},
                 .timestamp = {1},
                 .expires_at = bench_.now().wall + seconds(1),
                 .value = "v"},
                {});
  }
  // What the node answers who asks whether it is quiet.
  bool SaysQuiet(uint64_t version = 1) {
    bench_.Receive(Bench::Peer(3), wire::QuietRequest{.op = ++asked_, .version = version});
    const auto replies = bench_.Sent<wire::QuietReply>(Bench::Peer(3));
    EXPECT_THAT(replies, SizeIs(1));
    return !replies.empty() && replies[0].quiet;
  }

  const std::string key_ = RecordKeyOf("k");
  Bench bench_;
  uint64_t asked_ = 0;
};

TEST_F(ReaperTest, WhatAllHoldAndNobodyCanUndoIsForgotten) {
  UntilLevelling();
  Level();
  Answer(false);
  Answer(true);
  EXPECT_EQ(Reaped(2), 1u);
  EXPECT_EQ(Reaped(3), 1u);
  bench_.Sync();
  EXPECT_TRUE(bench_.Stored(key_).empty());
}

TEST_F(ReaperTest, APassTellsHowFarItIs) {
  Pass(seconds(5));  // the first one, of nearly nothing
  EXPECT_EQ(bench_.node().scrubbing(), std::nullopt);
  for (int i = 0; i < 200; ++i) {
    Hold(RecordKeyOf("large" + std::to_string(i)),
         RecordOf(6, static_cast<uint64_t>(i) + 1, std::string(1'000'000, 'v')));
  }
  std::vector<uint32_t> seen;
  for (int i = 0; i < 1000 && (seen.empty() || bench_.node().scrubbing()); ++i) {
    bench_.Advance(std::chrono::milliseconds(100));
    if (const auto at = bench_.node().scrubbing()) seen.push_back(*at);
  }
  EXPECT_EQ(bench_.node().scrubbing(), std::nullopt);
  EXPECT_THAT(seen, testing::Not(testing::IsEmpty()));
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_TRUE(std::ranges::any_of(seen, [](uint32_t at) { return at > 0 && at < 256; }));
}

TEST_F(ReaperTest, WhatHasJustDiedIsLeftForAWhile) {
  Pass(kAfter - seconds(2));
  EXPECT_THAT(bench_.Sent<wire::WriteRequest>(Bench::Peer(2)), IsEmpty());
  ExpectKept();
}

TEST_F(ReaperTest, WhatLivesAtOneOwnerIsKept) {
  UntilLevelling();
  Level(false);
  EXPECT_THAT(Asked(2), IsEmpty());
  ExpectKept();
}

TEST_F(ReaperTest, WhoKeepsSomethingForOthersHoldsItBack) {
  UntilLevelling();
  Level();
  const auto asked = Asked(3);
  ASSERT_THAT(asked, SizeIs(1));
  bench_.Receive(Bench::Peer(3), wire::QuietReply{.op = asked[0].op, .quiet = false});
  Asked(2);
  bench_.Advance(std::chrono::milliseconds(5));
  EXPECT_THAT(Asked(2), IsEmpty()) << "no fence";
  ExpectKept();
}

TEST_F(ReaperTest, WhoWasNotQuietMeanwhileHoldsItBack) {
  UntilLevelling();
  Level();
  Answer(false);
  Answer(true, 10);
  ExpectKept();
}

TEST_F(ReaperTest, AFenceThatOneHasNotPassedHoldsItBack) {
  UntilLevelling();
  Level();
  Answer(false);
  for (const uint64_t peer : {2, 3}) {
    const auto asked = Asked(peer);
    ASSERT_THAT(asked, SizeIs(1));
    if (peer == 2) PassFence(peer, asked[0].op);
    bench_.Receive(
        Bench::Peer(peer),
        wire::QuietReply{.op = asked[0].op, .quiet = true, .epoch = peer == 3 ? 9ul : 4ul});
  }
  bench_.Advance(std::chrono::milliseconds(5));
  ExpectKept();
}

TEST_F(ReaperTest, AMemberThatIsAwayHoldsItBack) {
  bench_.PeerDown(Bench::Peer(3));
  Pass(3 * kAfter);
  EXPECT_THAT(Asked(2), IsEmpty());
  ExpectKept();
}

TEST_F(ReaperTest, AYearAwayIsNoLongerThanAMinute) {
  bench_.PeerDown(Bench::Peer(3));
  for (int day = 0; day < 365; ++day) {
    bench_.Advance(std::chrono::hours(24));
    bench_.Sync();
  }
  EXPECT_THAT(Asked(2), IsEmpty());
  ExpectKept();
  bench_.Sent<wire::WriteRequest>(Bench::Peer(2));
  bench_.PeerUp(Bench::Peer(3));
  for (Duration passed{}; !bench_.HasSent<wire::WriteRequest>(Bench::Peer(2));
       passed += seconds(1)) {
    ASSERT_LT(passed, 3 * kAfter);
    Pass(seconds(1));
  }
  Level();  // with the one that was away, too
  Answer(false);
  Answer(true);
  EXPECT_EQ(Reaped(2), 1u);
  EXPECT_EQ(Reaped(3), 1u);
  bench_.Sync();
  EXPECT_TRUE(bench_.Stored(key_).empty());
}

TEST_F(ReaperTest, AMemberThatGoesMeanwhileHoldsItBack) {
  UntilLevelling();
  Level();
  Answer(false);
  const auto asked = Asked(2);
  ASSERT_THAT(asked, SizeIs(1));
  bench_.PeerDown(Bench::Peer(3));
  bench_.PeerUp(Bench::Peer(3));
  for (const uint64_t peer : {2, 3}) {
    PassFence(peer, asked[0].op);
    bench_.Receive(
        Bench::Peer(peer),
        wire::QuietReply{.op = asked[0].op, .quiet = true, .epoch = peer == 3 ? 9ul : 4ul});
  }
  ExpectKept();
}

TEST_F(ReaperTest, AnExpiredValueGoesLikeADeletedOne) {
  const std::string key = RecordKeyOf("short");
  lattice::Record record;
  PutExpiring(&record);
  Hold(key, record);
  Pass(kAfter);
  EXPECT_EQ(bench_.Stored(key).siblings().size(), 1u) << "clocks differ";
  bench_.Sent<wire::WriteRequest>(Bench::Peer(3));
  Pass(4 * kAfter);
  const auto writes = bench_.Sent<wire::WriteRequest>(Bench::Peer(3));
  EXPECT_TRUE(std::ranges::any_of(writes, [&](const wire::WriteRequest& write) {
    return write.key == key && *storage::DecodeRecord(write.record) == record;
  })) << "to be reaped as it is";
  EXPECT_EQ(bench_.Stored(key), record);
}

TEST_F(ReaperTest, AValueThatExpiresAmongOthersStays) {
  const std::string key = RecordKeyOf("short");
  lattice::Record record = RecordOf(5, 9, "stays");
  PutExpiring(&record);
  Hold(key, record);
  Pass(4 * kAfter);
  EXPECT_EQ(bench_.Stored(key), record);
}

TEST_F(ReaperTest, ABucketMayKeepItsTombstonesLonger) {
  BucketTable buckets;
  ASSERT_TRUE(buckets.Set("b", {.reap_age = std::chrono::minutes(2)}).has_value());
  Bench bench(3, Options(), buckets);
  bench.GrantLeases();
  for (const std::string& key :
       {key_, storage::EncodeKey({.token = 1, .bucket = "x", .key = "k"})}) {
    bench.Receive(Bench::Peer(2), wire::WriteRequest{.op = 0,
                                                     .key = key,
                                                     .record = storage::EncodeRecord(Tombstone()),
                                                     .budget = seconds(1)});
  }
  bench.Sync();
  // When each is brought to the others.
  std::map<std::string, Duration> levelled;
  for (Duration passed{}; levelled.size() < 2; passed += std::chrono::milliseconds(500)) {
    ASSERT_LT(passed, 10 * kAfter);
    bench.Advance(std::chrono::milliseconds(500));
    bench.Sync();
    for (const auto& write : bench.Sent<wire::WriteRequest>(Bench::Peer(2))) {
      levelled.try_emplace(write.key, passed);
    }
  }
  EXPECT_LT(levelled.at(storage::EncodeKey({.token = 1, .bucket = "x", .key = "k"})), 2 * kAfter);
  EXPECT_GE(levelled.at(key_), std::chrono::minutes(2));
}

// --- What a node answers

TEST_F(ReaperTest, PassesAFenceWhenWhatWasUnderWayHasEnded) {
  bench_.Submit(PutOf("other", "v"));
  const auto writes = bench_.Sent<wire::WriteRequest>(Bench::Peer(2));
  ASSERT_THAT(writes, SizeIs(1));
  bench_.Receive(Bench::Peer(3), wire::QuietRequest{.op = 77, .version = 1, .fence = true});
  bench_.Advance(std::chrono::milliseconds(5));
  EXPECT_THAT(bench_.Sent<wire::FencePassed>(Bench::Peer(2)), IsEmpty());

  for (const uint64_t peer : {2, 3}) {
    bench_.Receive(Bench::Peer(peer), wire::WriteReply{.op = writes[0].op});
  }
  bench_.Sync();
  bench_.Advance(std::chrono::milliseconds(5));
  for (const uint64_t peer : {2, 3}) {
    const auto passed = bench_.Sent<wire::FencePassed>(Bench::Peer(peer));
    ASSERT_THAT(passed, SizeIs(1));
    EXPECT_EQ(passed[0].asker, Bench::Peer(3));
  }
  EXPECT_THAT(bench_.Sent<wire::QuietReply>(Bench::Peer(3)), IsEmpty()) << "others have not passed";
  for (const uint64_t peer : {2, 3}) {
    bench_.Receive(Bench::Peer(peer), wire::FencePassed{.op = 77, .asker = Bench::Peer(3)});
  }
  bench_.Advance(std::chrono::milliseconds(5));
  const auto replies = bench_.Sent<wire::QuietReply>(Bench::Peer(3));
  ASSERT_THAT(replies, SizeIs(1));
  EXPECT_TRUE(replies[0].quiet);
}

TEST_F(ReaperTest, WithAHintOrAnotherLayoutItIsNotQuiet) {
  EXPECT_TRUE(SaysQuiet());
  EXPECT_FALSE(SaysQuiet(2));
  Hold(key_, RecordOf(6, 1, "v"), Bench::Peer(2));
  EXPECT_FALSE(SaysQuiet());
}

// A hint that came back after a power loss would be news of what was forgotten meanwhile.
TEST_F(ReaperTest, AHintIsGoneOnceItsRemovalIsOnDisk) {
  bench_.Sent<wire::WriteRequest>(Bench::Peer(2));
  Hold(key_, RecordOf(6, 1, "v"), Bench::Peer(2));
  bench_.Advance(std::chrono::milliseconds(5));
  const auto sent = bench_.Sent<wire::WriteRequest>(Bench::Peer(2));
  ASSERT_THAT(sent, SizeIs(1));
  bench_.Receive(Bench::Peer(2), wire::WriteReply{.op = sent[0].op});
  bench_.Sync(std::unexpected(Error{Code::kIo, "not synced"}));
  bench_.Advance(std::chrono::milliseconds(5));
  EXPECT_FALSE(SaysQuiet());
  Pass(seconds(1));
  EXPECT_TRUE(SaysQuiet());
}

TEST_F(ReaperTest, OnlyThatTombstoneIsDropped) {
  lattice::Record other = RecordOf(6, 1, "other");
  other.Delete(other.context());
  bench_.Receive(Bench::Peer(3),
                 wire::ReapRequest{.key = key_, .tombstone = storage::EncodeRecord(other)});
  bench_.Sync();
  EXPECT_TRUE(Holds());
  // A record with something alive is none, and a key must be one.
  bench_.Receive(
      Bench::Peer(3),
      wire::ReapRequest{.key = key_, .tombstone = storage::EncodeRecord(RecordOf(5, 7, "gone"))});
  bench_.Receive(Bench::Peer(3), wire::ReapRequest{.key = "nonsense", .tombstone = "nonsense"});
  bench_.Sync();
  EXPECT_TRUE(Holds());
  bench_.Receive(Bench::Peer(3),
                 wire::ReapRequest{.key = key_, .tombstone = storage::EncodeRecord(Tombstone())});
  bench_.Sync();
  EXPECT_TRUE(bench_.Stored(key_).empty());
}

}  // namespace
}  // namespace eddy::node
