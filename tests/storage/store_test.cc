#include "storage/store.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"
#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"

namespace eddy::storage {
namespace {

using lattice::CausalContext;
using lattice::Record;
using lattice::Sibling;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr ActorId kSelf{.high = 1, .low = 1};
constexpr ActorId kPeer{.high = 2, .low = 2};
const Error kBadDisk{Code::kIo, "bad disk"};

std::string KeyOf(const std::string& key, uint64_t token = 5) {
  return EncodeKey({.token = token, .bucket = "b", .key = key});
}
const std::string kKey = KeyOf("key");
constexpr uint64_t kElsewhere = uint64_t{1} << 60;  // a token far from that

// What a result says, briefly: "7 applied" or "7 durable", or its error.
std::string Brief(const StoreResult& result) {
  const std::string id = std::to_string(result.id);
  const std::string stage = result.stage == Stage::kApplied ? " applied" : " durable";
  return id + stage +
         (result.record.has_value() ? "" : " " + std::string(CodeName(result.record.error().code)));
}

std::vector<std::string> Brief(const std::vector<StoreResult>& results) {
  std::vector<std::string> all;
  for (const StoreResult& result : results) all.push_back(Brief(result));
  return all;
}

std::vector<std::string> ValuesOf(const StoreResult& result) {
  std::vector<std::string> values;
  const Result<Record> record = DecodeRecord(*result.record);
  for (const Sibling& sibling : record->siblings()) values.push_back(sibling.value);
  return values;
}

Record PeersRecord(uint64_t counter, const std::string& value) {
  Record record;
  record.Put({}, Sibling{.dot = {kPeer, counter}, .timestamp = {}, .value = value}, {});
  return record;
}

class StoreTest : public testing::Test {
 protected:
  PutVerb MakePut(const std::string& value, std::optional<CausalContext> seen = std::nullopt) {
    return PutVerb{std::move(seen),
                   Sibling{.dot = {kSelf, ++counter_}, .timestamp = {}, .value = value},
                   lattice::History{1}};
  }

  // Each returns what came at once.
  std::vector<StoreResult> Execute(uint64_t id, decltype(StoreVerb::action) action,
                                   Durability durability = Durability::kSync,
                                   const std::string& key = kKey) {
    std::vector<StoreResult> results;
    StoreVerb verb{id, key, durability, std::move(action)};
    EXPECT_TRUE(store_->Execute(&verb, Tier::kDisk, &results));
    return results;
  }
  std::vector<StoreResult> Commit() {
    std::vector<StoreResult> results;
    commit_ = store_->Commit(&results);
    return results;
  }
  std::vector<StoreResult> Synced(uint64_t commit, const Status& status = {}) {
    std::vector<StoreResult> results;
    store_->Synced(commit, status, &results);
    return results;
  }
  std::vector<StoreResult> Sync() { return Synced(commit_, engine_.Sync()); }
  void Settle() {
    Commit();
    Sync();
  }

  std::vector<std::string> Values(const std::string& key = kKey) {
    const std::vector<StoreResult> results = Execute(99, ReadVerb{}, Durability::kSync, key);
    EXPECT_EQ(results.size(), 1u);
    return ValuesOf(results.front());
  }

  void Crash(size_t kept = 0) {
    engine_.Crash(kept);
    store_.emplace(&engine_, Lease{kSelf, counter_, counter_ + 1000, 0});
  }

  MemoryEngine engine_;
  std::optional<Store> store_{std::in_place, &engine_, Lease{kSelf, 0, 1000, 0}};
  uint64_t counter_ = 0;
  uint64_t commit_ = 0;
};

TEST_F(StoreTest, APutIsAppliedAtOnceAndDurableOnceSynced) {
  const std::vector<StoreResult> applied = Execute(7, MakePut("value"));
  EXPECT_THAT(Brief(applied), ElementsAre("7 applied"));
  EXPECT_THAT(ValuesOf(applied[0]), ElementsAre("value"));
  EXPECT_THAT(Brief(Commit()), IsEmpty());
  EXPECT_EQ(store_->waiting(), 1u);
  EXPECT_THAT(Brief(Sync()), ElementsAre("7 durable"));
  EXPECT_EQ(store_->waiting(), 0u);
  Crash();
  EXPECT_THAT(Values(), ElementsAre("value"));
}

TEST_F(StoreTest, ADeleteLeavesATombstone) {
  Execute(1, MakePut("value"));
  Settle();
  EXPECT_THAT(Brief(Execute(2, DeleteVerb{})), ElementsAre("2 applied"));
  Commit();
  EXPECT_THAT(Brief(Sync()), ElementsAre("2 durable"));
  Crash();
  const std::vector<StoreResult> read = Execute(3, ReadVerb{});
  EXPECT_TRUE(DecodeRecord(*read[0].record)->IsTombstone());
}

TEST_F(StoreTest, AJoinIsOnlyEverDurable) {
  EXPECT_THAT(Brief(Execute(1, JoinVerb{EncodeRecord(PeersRecord(1, "theirs"))})), IsEmpty());
  EXPECT_THAT(Brief(Commit()), IsEmpty());
  EXPECT_THAT(Brief(Sync()), ElementsAre("1 durable"));
  Execute(2, MakePut("ours", CausalContext()));
  Settle();
  EXPECT_THAT(Values(), UnorderedElementsAre("theirs", "ours"));
}

TEST_F(StoreTest, AReadOfNothingIsTheEmptyRecord) {
  const std::vector<StoreResult> read = Execute(1, ReadVerb{});
  EXPECT_THAT(Brief(read), ElementsAre("1 applied"));
  EXPECT_EQ(*read[0].record, "");
}

TEST_F(StoreTest, APutThatSawNothingReplacesNothing) {
  Execute(1, MakePut("a"));
  Execute(2, MakePut("b", CausalContext()));
  Settle();
  EXPECT_THAT(Values(), UnorderedElementsAre("a", "b"));
  Execute(3, MakePut("c"));
  Settle();
  EXPECT_THAT(Values(), ElementsAre("c"));
}

TEST_F(StoreTest, VerbsOfOneTurnSeeEachOtherAndWriteTheRecordOnce) {
  Execute(1, MakePut("a"));
  Execute(2, JoinVerb{EncodeRecord(PeersRecord(1, "b"))});
  EXPECT_THAT(ValuesOf(Execute(3, MakePut("c", CausalContext()))[0]),
              UnorderedElementsAre("a", "b", "c"));
  EXPECT_THAT(Brief(Commit()), IsEmpty());
  EXPECT_EQ(engine_.unsynced_batches(), 1u);
  EXPECT_THAT(Brief(Sync()), ElementsAre("1 durable", "2 durable", "3 durable"));
  Crash();
  EXPECT_THAT(Values(), UnorderedElementsAre("a", "b", "c"));
}

TEST_F(StoreTest, AReadShowsWhatIsToBeSyncedOnlyOnceItIs) {
  Execute(1, MakePut("a"));
  EXPECT_THAT(Brief(Execute(2, ReadVerb{})), IsEmpty());
  EXPECT_THAT(Brief(Execute(3, ReadVerb{}, Durability::kSync, KeyOf("other", 6))),
              ElementsAre("3 applied"));
  EXPECT_THAT(Brief(Commit()), IsEmpty());
  EXPECT_THAT(Brief(Execute(4, ReadVerb{})), IsEmpty());
  const std::vector<StoreResult> first = Sync();
  EXPECT_THAT(Brief(first), ElementsAre("1 durable", "2 applied"));
  EXPECT_THAT(ValuesOf(first[1]), ElementsAre("a"));
  EXPECT_THAT(Brief(Execute(5, ReadVerb{})), ElementsAre("5 applied"));
  Commit();
  EXPECT_THAT(Brief(Sync()), ElementsAre("4 applied"));
}

TEST_F(StoreTest, AReadShowsWhatIsNotToBeSyncedOnlyOnceItIsWritten) {
  for (const Durability durability : {Durability::kOs, Durability::kMemory}) {
    Execute(1, MakePut("a"), durability);
    EXPECT_THAT(Brief(Execute(2, ReadVerb{})), IsEmpty());
    EXPECT_THAT(Brief(Commit()), ElementsAre("1 durable", "2 applied"));
    EXPECT_THAT(Brief(Execute(3, ReadVerb{})), ElementsAre("3 applied"));

    Execute(4, MakePut("refused"), durability);
    Execute(5, ReadVerb{});
    engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
    EXPECT_THAT(Brief(Commit()), ElementsAre("4 durable io", "5 applied io"));
    EXPECT_THAT(Values(), ElementsAre("a"));
  }
}

TEST_F(StoreTest, AReadThatWaitedForASyncThatFailedIsAnError) {
  Execute(1, MakePut("a"));
  Execute(2, ReadVerb{});
  Commit();
  EXPECT_THAT(Brief(Synced(commit_, std::unexpected(kBadDisk))),
              ElementsAre("1 durable io", "2 applied io"));
}

TEST_F(StoreTest, ASyncCoversTheCommitsBeforeItAndNoOthers) {
  Execute(1, MakePut("a"));
  Execute(2, MakePut("b"), Durability::kSync, KeyOf("other", 6));
  Commit();
  const uint64_t first = commit_;
  Execute(3, MakePut("c"));
  Commit();
  EXPECT_GT(commit_, first);
  EXPECT_THAT(Brief(Synced(first)), ElementsAre("1 durable", "2 durable"));
  EXPECT_THAT(Brief(Synced(first)), IsEmpty());
  EXPECT_THAT(Brief(Synced(commit_)), ElementsAre("3 durable"));
}

TEST_F(StoreTest, ACommitThatNothingWaitsForHasNoNumberOfItsOwn) {
  Execute(1, MakePut("a"));
  Commit();
  const uint64_t first = commit_;
  Commit();
  EXPECT_EQ(commit_, first);
  Execute(2, MakePut("b"), Durability::kOs);
  EXPECT_THAT(Brief(Commit()), ElementsAre("2 durable"));
  EXPECT_EQ(commit_, first);
}

// What changes nothing may still be news to the one who asks whether it is on disk.

TEST_F(StoreTest, AJoinThatChangesNothingWaitsForTheSyncThatCoversWhatIsStored) {
  const std::string record = EncodeRecord(PeersRecord(1, "a"));
  Execute(1, JoinVerb{record});
  Commit();
  Execute(2, JoinVerb{record});
  Commit();
  EXPECT_EQ(engine_.unsynced_batches(), 1u) << "written again";
  EXPECT_THAT(Brief(Synced(commit_ - 1)), ElementsAre("1 durable"));
  EXPECT_THAT(Brief(Synced(commit_)), ElementsAre("2 durable"));
}

TEST_F(StoreTest, AJoinOfWhatIsAlreadySeenChangesNothing) {
  Execute(1, JoinVerb{EncodeRecord(PeersRecord(1, "a"))});
  Execute(2, MakePut("b"));
  Settle();
  Execute(3, JoinVerb{EncodeRecord(PeersRecord(1, "a"))});
  Commit();
  EXPECT_EQ(engine_.unsynced_batches(), 0u);
  EXPECT_THAT(Brief(Synced(commit_)), ElementsAre("3 durable"));
  EXPECT_THAT(Values(), ElementsAre("b"));
}

TEST_F(StoreTest, DeletingWhatWasNeverSeenWritesNothing) {
  EXPECT_EQ(*Execute(1, DeleteVerb{})[0].record, "");
  EXPECT_EQ(*Execute(2, DeleteVerb{CausalContext()})[0].record, "");
  Execute(3, JoinVerb{""});
  Commit();
  EXPECT_EQ(engine_.unsynced_batches(), 0u);
  EXPECT_THAT(Brief(Sync()), ElementsAre("1 durable", "2 durable", "3 durable"));
}

TEST_F(StoreTest, DeletingWhatOnlyAnotherReplicaHoldsIsRemembered) {
  const Record theirs = PeersRecord(1, "a");
  Execute(1, DeleteVerb{theirs.context()});
  Settle();
  Execute(2, JoinVerb{EncodeRecord(theirs)});
  Settle();
  EXPECT_THAT(Values(), IsEmpty());
}

// Durability

TEST_F(StoreTest, OsIsDurableAtTheCommitAndInTheLog) {
  Execute(1, MakePut("a"), Durability::kOs);
  EXPECT_THAT(Brief(Commit()), ElementsAre("1 durable"));
  Crash(engine_.unsynced_batches());
  EXPECT_THAT(Values(), ElementsAre("a"));
}

TEST_F(StoreTest, MemoryIsDurableAtTheCommitAndNotInTheLog) {
  Execute(1, MakePut("a"), Durability::kMemory);
  EXPECT_THAT(Brief(Commit()), ElementsAre("1 durable"));
  EXPECT_THAT(Values(), ElementsAre("a"));
  EXPECT_EQ(engine_.unsynced_batches(), 0u);
  ASSERT_TRUE(engine_.Sync().has_value());
  Crash();
  EXPECT_THAT(Values(), IsEmpty());
}

TEST_F(StoreTest, ATurnOfTwoDurabilitiesOnOneKeyLogsBoth) {
  for (const bool memory_first : {true, false}) {
    const std::string key = KeyOf(memory_first ? "memory first" : "sync first");
    Execute(1, MakePut("a"), memory_first ? Durability::kMemory : Durability::kSync, key);
    Execute(2, MakePut("b", CausalContext()),
            memory_first ? Durability::kSync : Durability::kMemory, key);
    Settle();
    EXPECT_THAT(Values(key), UnorderedElementsAre("a", "b"));
    Crash();
    EXPECT_THAT(Values(key), UnorderedElementsAre("a", "b"));
  }
}

TEST_F(StoreTest, WhatIsAcknowledgedAsSyncedIsInTheLogEvenIfItWasWrittenPastIt) {
  const std::string record = EncodeRecord(PeersRecord(1, "a"));
  for (const bool same_turn : {true, false}) {
    const std::string key = KeyOf(same_turn ? "same turn" : "later turn");
    Execute(1, JoinVerb{record}, Durability::kMemory, key);
    if (!same_turn) Commit();
    Execute(2, JoinVerb{record}, Durability::kSync, key);
    Commit();
    EXPECT_THAT(Brief(Sync()), ElementsAre("2 durable"));
    Crash();
    EXPECT_THAT(Values(key), ElementsAre("a"));
  }
}

TEST_F(StoreTest, AMetaRowIsAlwaysSynced) {
  StoreVerb verb{4, "row", Durability::kMemory, PutMetaVerb{"value"}};
  std::vector<StoreResult> results;
  EXPECT_TRUE(store_->Execute(&verb, Tier::kCache, &results));
  EXPECT_THAT(Brief(results), IsEmpty());
  EXPECT_THAT(Brief(Commit()), IsEmpty());
  EXPECT_THAT(Brief(Sync()), ElementsAre("4 durable"));
  Crash();
  std::string value;
  EXPECT_EQ(engine_.Get(Space::kMeta, "row", Tier::kDisk, &value), Presence::kFound);
  EXPECT_EQ(value, "value");
}

// Failures

TEST_F(StoreTest, AFailedWriteIsAnErrorOfEveryVerbOfItsCommit) {
  Execute(1, MakePut("a"));
  Execute(2, JoinVerb{EncodeRecord(PeersRecord(1, "b"))}, Durability::kOs, KeyOf("other"));
  Execute(3, MakePut("c"), Durability::kMemory, KeyOf("third"));
  Execute(4, JoinVerb{""});
  engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
  EXPECT_THAT(Brief(Commit()),
              ElementsAre("1 durable io", "2 durable io", "3 durable io", "4 durable io"));
  EXPECT_EQ(store_->waiting(), 0u);
  EXPECT_THAT(Brief(Sync()), IsEmpty());
  for (const std::string& key : {kKey, KeyOf("other"), KeyOf("third")}) {
    EXPECT_THAT(Values(key), IsEmpty());
  }
}

TEST_F(StoreTest, AFailedWritePastTheLogIsAnErrorToo) {
  Execute(1, MakePut("a"));
  Execute(2, MakePut("b"), Durability::kMemory, KeyOf("other"));
  engine_.FailCall(MemoryEngine::Call::kWrite, 2, kBadDisk);
  EXPECT_THAT(Brief(Commit()), ElementsAre("1 durable io", "2 durable io"));
}

TEST_F(StoreTest, GoesOnAfterAFailedWriteFromWhatIsStored) {
  Execute(1, MakePut("a"));
  Settle();
  Execute(2, MakePut("b"));
  engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
  Commit();
  EXPECT_THAT(Values(), ElementsAre("a"));
  Execute(3, MakePut("c", CausalContext()));
  Commit();
  EXPECT_THAT(Brief(Sync()), ElementsAre("3 durable"));
  EXPECT_THAT(Values(), UnorderedElementsAre("a", "c"));
}

TEST_F(StoreTest, AFailedSyncIsAnErrorOfWhatWaitedForIt) {
  Execute(1, MakePut("a"));
  Commit();
  const uint64_t first = commit_;
  Execute(2, MakePut("b"));
  Commit();
  EXPECT_THAT(Brief(Synced(first, std::unexpected(kBadDisk))), ElementsAre("1 durable io"));
  EXPECT_THAT(Brief(Sync()), ElementsAre("2 durable"));
}

TEST_F(StoreTest, APutMadeBeforeAFailedWriteWasKnownClaimsNothingThatWasForgotten) {
  Execute(1, MakePut("a"));
  Settle();
  const Record lost = *storage::DecodeRecord(*Execute(2, MakePut("b", CausalContext()))[0].record);
  // Under way to the store, with the history of before, when the write of "b" fails.
  PutVerb put = MakePut("c", CausalContext());
  engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
  Commit();
  Record record = *storage::DecodeRecord(*Execute(3, std::move(put))[0].record);
  // Another replica got "b" and may have acknowledged it.
  record.Join(lost);
  EXPECT_EQ(record.siblings().size(), 3u);
}

TEST_F(StoreTest, AReadShowsWhatASyncFailedToKeepOnlyOnceALaterOneHas) {
  Execute(1, MakePut("a"));
  Commit();
  Synced(commit_, std::unexpected(kBadDisk));
  EXPECT_THAT(Brief(Execute(2, ReadVerb{})), IsEmpty());
  Commit();
  EXPECT_THAT(Brief(Synced(commit_, std::unexpected(kBadDisk))), ElementsAre("2 applied io"));
  EXPECT_THAT(Brief(Execute(3, ReadVerb{})), IsEmpty());
  Settle();
  EXPECT_THAT(Brief(Execute(4, ReadVerb{})), ElementsAre("4 applied"));
}

TEST_F(StoreTest, AReadErrorIsNeverAnAbsence) {
  Execute(1, MakePut("a"));
  Settle();
  const auto fail = [&] { engine_.FailCall(MemoryEngine::Call::kGet, 1, kBadDisk); };
  fail();
  EXPECT_THAT(Brief(Execute(2, ReadVerb{})), ElementsAre("2 applied io"));
  fail();
  EXPECT_THAT(Brief(Execute(3, MakePut("b"))), ElementsAre("3 applied io"));
  fail();
  EXPECT_THAT(Brief(Execute(4, DeleteVerb{})), ElementsAre("4 applied io"));
  fail();
  EXPECT_THAT(Brief(Execute(5, JoinVerb{EncodeRecord(PeersRecord(1, "c"))})),
              ElementsAre("5 durable io"));
  EXPECT_THAT(Brief(Commit()), IsEmpty());
  EXPECT_THAT(Brief(Sync()), IsEmpty());
  EXPECT_THAT(Values(), ElementsAre("a"));
}

TEST_F(StoreTest, ARottenOrMisplacedRecordIsAnErrorAndStaysAsItIs) {
  Execute(1, MakePut("a"));
  Settle();
  std::string stored;
  ASSERT_EQ(engine_.Get(Space::kData, kKey, Tier::kDisk, &stored), Presence::kFound);
  std::string rotten = stored;
  rotten[rotten.size() / 2] ^= 1;
  const std::string other = KeyOf("other", kElsewhere);
  for (const auto& [key, row] : {std::pair(kKey, rotten), std::pair(other, stored)}) {
    ASSERT_TRUE(engine_.Write({{Space::kData, key, row}}, Logging::kLogged).has_value());
    EXPECT_THAT(Brief(Execute(2, DeleteVerb{}, Durability::kSync, key)),
                ElementsAre("2 applied corruption"));
    EXPECT_THAT(Brief(Execute(3, MakePut("b"), Durability::kSync, key)),
                ElementsAre("3 applied corruption"));
    EXPECT_THAT(Brief(Execute(4, ReadVerb{.despite_damage = true}, Durability::kSync, key)),
                ElementsAre("4 applied corruption"));
    EXPECT_THAT(Brief(Execute(5, JoinVerb{"garbage"}, Durability::kSync, key)),
                ElementsAre("5 durable corruption"));
    Settle();
    std::string after;
    ASSERT_EQ(engine_.Get(Space::kData, key, Tier::kDisk, &after), Presence::kFound);
    EXPECT_EQ(after, row);
  }
}

TEST_F(StoreTest, ARottenRecordIsMendedByAnotherReplicasAndRememberedFromThenOn) {
  TreeKeeper trees({.partition_bits = 0, .replicas_of = [](std::string_view) { return 3; }});
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, &trees);
  Execute(1, MakePut("a"));
  Settle();
  const auto build = [&] {
    using Step = BuildVerb::Step;
    for (const Step step : {Step::kBegin, Step::kFeed, Step::kFinish}) {
      Execute(2, BuildVerb{.step = step, .partition = 0, .rows = {}, .next = {}});
    }
    ASSERT_TRUE(trees.IsKnown(0));
  };
  build();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));

  EXPECT_THAT(Brief(Execute(3, ReadVerb{})), ElementsAre("3 applied corruption"));
  EXPECT_FALSE(trees.IsKnown(0)) << "they told of a record that is none";
  build();
  Execute(3, ReadVerb{.despite_damage = true});
  EXPECT_TRUE(trees.IsKnown(0)) << "without it now";

  Execute(3, JoinVerb{EncodeRecord(PeersRecord(1, "c"))});
  Commit();
  EXPECT_THAT(Brief(Sync()), ElementsAre("3 durable"));
  EXPECT_THAT(ValuesOf(Execute(4, ReadVerb{.despite_damage = true}).at(0)), ElementsAre("c"));
  HashTree expected;
  expected.Toggle(LeafOf(TokenOfKey(kKey), 0),
                  TreeDigest(kKey, RecordDigest(EncodeRecord(PeersRecord(1, "c")))));
  EXPECT_EQ(trees.Find(0, 3)->root(), expected.root());
  // What this replica wrote there before is forgotten, so no new dot may claim it.
  const auto applied = Execute(4, MakePut("d"));
  EXPECT_EQ(DecodeRecord(*applied.at(0).record)->context().LastOf(kSelf).after, counter_ - 1);
}

TEST_F(StoreTest, WhatWasLostIsNotAnsweredForUntilItIsMended) {
  const std::string neighbour = KeyOf("neighbour", 6);
  const std::string other = KeyOf("other", kElsewhere);
  for (const std::string& key : {kKey, neighbour, other}) {
    Execute(1, JoinVerb{EncodeRecord(PeersRecord(9, "new"))}, Durability::kSync, key);
  }
  Settle();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));
  const auto found = Execute(2, ReadVerb{});
  EXPECT_THAT(Brief(found), ElementsAre("2 applied corruption"));
  ASSERT_TRUE(found.at(0).damage.has_value());

  // Another replica's record, which is behind, takes its place: that is no answer yet.
  const auto refused = [&](const std::string& key) {
    return Brief(Execute(3, ReadVerb{}, Durability::kSync, key)).at(0) == "3 applied unavailable";
  };
  EXPECT_TRUE(refused(kKey));
  Execute(4, JoinVerb{EncodeRecord(PeersRecord(1, "old"))});
  Settle();
  EXPECT_TRUE(refused(kKey));
  EXPECT_TRUE(refused(neighbour)) << "nor for what may have been lost with it";
  EXPECT_FALSE(refused(other));
  EXPECT_THAT(ValuesOf(Execute(5, ReadVerb{.despite_damage = true}).at(0)), ElementsAre("old"));
  EXPECT_THAT(Brief(Execute(6, DeleteVerb{})), ElementsAre("6 applied unavailable"))
      << "all that it holds is less than it held";
  Settle();

  // A crash changes nothing about it.
  engine_.Crash();
  const auto ranges = ReadDamage(&engine_);
  ASSERT_THAT(ranges.value(), ElementsAre(TokenRangeOf(5)));
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, nullptr, 0, HintLedger(), *ranges);
  EXPECT_TRUE(refused(kKey));

  EXPECT_THAT(Brief(Execute(7, MendVerb{.as_of = Damage::kFromBefore, .drop_bad = true})),
              ElementsAre("7 applied"));
  EXPECT_FALSE(refused(kKey));
  EXPECT_THAT(Values(), ElementsAre("old"));
  Settle();
  EXPECT_THAT(ReadDamage(&engine_).value(), IsEmpty());
}

TEST_F(StoreTest, WhatTakesTheLostRecordsPlaceAndTheDamageAreWrittenTogether) {
  Execute(1, JoinVerb{EncodeRecord(PeersRecord(9, "new"))});
  Settle();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));
  // Nobody had read it, so this is how it is found.
  const std::string old = EncodeRecord(PeersRecord(1, "old"));
  Execute(2, JoinVerb{old});
  engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
  EXPECT_THAT(Brief(Commit()), ElementsAre("2 durable io"));
  EXPECT_THAT(ReadDamage(&engine_).value(), IsEmpty());
  Execute(3, JoinVerb{old});
  Commit();
  EXPECT_EQ(engine_.unsynced_batches(), 1u);
  EXPECT_THAT(ReadDamage(&engine_).value(), ElementsAre(TokenRangeOf(5)));
}

TEST_F(StoreTest, DamageThatIsFoundWhileItIsMendedStays) {
  const std::string later = KeyOf("later", 6);
  for (const std::string& key : {kKey, later}) {
    Execute(1, JoinVerb{EncodeRecord(PeersRecord(9, "new"))}, Durability::kSync, key);
  }
  Settle();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));
  const uint64_t as_of = Execute(2, ReadVerb{}).at(0).damage->number;
  ASSERT_TRUE(engine_.Rot(Space::kData, later, 77));
  const auto found = Execute(3, CheckVerb{}, Durability::kSync, later);
  ASSERT_TRUE(found.at(0).damage.has_value());
  EXPECT_GT(found.at(0).damage->number, as_of);
  EXPECT_EQ(Execute(3, CheckVerb{}).at(0).damage->number, found.at(0).damage->number)
      << "what is known is nothing new";

  const MendVerb mend{.as_of = as_of, .drop_bad = true};
  EXPECT_THAT(Brief(Execute(4, mend)), ElementsAre("4 applied busy"));
  EXPECT_THAT(Brief(Execute(5, ReadVerb{})), ElementsAre("5 applied unavailable"));
  const MendVerb anew{.as_of = found.at(0).damage->number, .drop_bad = true};
  EXPECT_THAT(Brief(Execute(6, anew)), ElementsAre("6 applied"));
  Settle();
  // Nobody had either of them.
  EXPECT_THAT(Values(), IsEmpty());
  EXPECT_THAT(Values(later), IsEmpty());
}

TEST_F(StoreTest, LookingAgainLeavesWhatTheTurnHasWrittenAlone) {
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, nullptr, size_t{1} << 20);
  Execute(1, MakePut("old"));
  Settle();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));
  // From memory, where it is sound.
  Execute(2, MakePut("new"));
  Execute(3, CheckVerb{});
  Settle();
  EXPECT_THAT(Values(), ElementsAre("new"));
}

TEST_F(StoreTest, TheEndOfDamageDropsNothingThatTheTurnHasWritten) {
  Execute(1, MakePut("old"));
  Settle();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));
  const auto found = Execute(2, CheckVerb{});
  ASSERT_TRUE(found.at(0).damage.has_value());
  Settle();
  Execute(3, JoinVerb{EncodeRecord(PeersRecord(1, "theirs"))});
  EXPECT_THAT(Brief(Execute(4, MendVerb{.as_of = found.at(0).damage->number, .drop_bad = true})),
              ElementsAre("4 applied"));
  Settle();
  EXPECT_THAT(Values(), ElementsAre("theirs"));
}

TEST_F(StoreTest, WhatOnlyOneReplicaKeepsStaysAnErrorAndIsNoDamageToOthers) {
  TreeKeeper trees({.partition_bits = 0, .replicas_of = [](std::string_view) { return 1; }});
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, &trees);
  const std::string neighbour = KeyOf("neighbour", 6);
  Execute(1, MakePut("a"));
  Execute(1, MakePut("b"), Durability::kSync, neighbour);
  Settle();
  ASSERT_TRUE(engine_.Rot(Space::kData, kKey, 77));
  for (int i = 0; i < 2; ++i) {
    const auto found = Execute(2, ReadVerb{});
    EXPECT_THAT(Brief(found), ElementsAre("2 applied corruption"));
    EXPECT_FALSE(found.at(0).damage.has_value());
  }
  EXPECT_THAT(Values(neighbour), ElementsAre("b"));
}

TEST_F(StoreTest, ACachedRecordIsFoundWithoutTheEngineAndIsTheOneWrittenLast) {
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, nullptr, 64 * 1024);
  Execute(1, MakePut("a"));
  Settle();
  Execute(2, MakePut("b"));
  Settle();
  engine_.FailCall(MemoryEngine::Call::kGet, 1, kBadDisk);
  EXPECT_THAT(Values(), ElementsAre("b"));
  EXPECT_THAT(Brief(Execute(3, MakePut("c"))), ElementsAre("3 applied"));
  Settle();
  EXPECT_THAT(Values(), ElementsAre("c"));
  // Another key uses the planned fault up.
  EXPECT_THAT(Brief(Execute(4, ReadVerb{}, Durability::kSync, KeyOf("other"))),
              ElementsAre("4 applied io"));
}

TEST_F(StoreTest, ARecordThatWasRemovedIsCachedNoMore) {
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, nullptr, 64 * 1024);
  const std::string record = EncodeRecord(PeersRecord(1, "a"));
  Execute(1, JoinVerb{record});
  Settle();
  ASSERT_EQ(store_->cache().records(), 1u);
  Execute(2, RemoveVerb{RecordDigest(record)});
  Settle();
  EXPECT_THAT(Values(), IsEmpty());
  EXPECT_EQ(store_->cache().records(), 0u);
}

TEST_F(StoreTest, AfterAWriteThatFailedTheEngineSaysWhatIsStored) {
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, nullptr, 64 * 1024);
  Execute(1, MakePut("a"));
  Settle();
  engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
  Execute(2, MakePut("b"));
  EXPECT_THAT(Brief(Commit()), ElementsAre("2 durable io"));
  EXPECT_THAT(Values(), ElementsAre("a"));
}

TEST_F(StoreTest, ARowThatAScanFoundRottenIsMendedThoughTheCacheHoldsItSound) {
  TreeKeeper trees({.partition_bits = 0, .replicas_of = [](std::string_view) { return 3; }});
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, &trees, 64 * 1024);
  const std::string record = EncodeRecord(PeersRecord(1, "a"));
  Execute(1, JoinVerb{record});
  Settle();
  std::string sound;
  ASSERT_EQ(engine_.Get(Space::kData, kKey, Tier::kDisk, &sound), Presence::kFound);
  std::string rotten = sound;
  rotten[rotten.size() / 2] ^= 1;
  ASSERT_TRUE(engine_.Write({{Space::kData, kKey, rotten}}, Logging::kLogged).has_value());

  using Step = BuildVerb::Step;
  Execute(2, BuildVerb{.step = Step::kBegin, .partition = 0, .rows = {}, .next = {}});
  const ScannedRow found{
      .key = kKey, .record = Fail(Code::kCorruption, "rotten"), .digest = {}, .bytes = 0};
  Execute(2, BuildVerb{.step = Step::kFeed, .partition = 0, .rows = {found}, .next = {}});
  Execute(2, BuildVerb{.step = Step::kFinish, .partition = 0, .rows = {}, .next = {}});
  Execute(3, JoinVerb{record});
  Settle();
  std::string mended;
  ASSERT_EQ(engine_.Get(Space::kData, kKey, Tier::kDisk, &mended), Presence::kFound);
  EXPECT_TRUE(UnsealRecord(kKey, &mended).has_value());
  EXPECT_EQ(mended, record);
}

TEST_F(StoreTest, AMalformedRecordFromOutsideIsRefusedWhateverIsStored) {
  EXPECT_THAT(Brief(Execute(1, JoinVerb{"garbage"})), ElementsAre("1 durable corruption"));
  Execute(2, MakePut("a"));
  EXPECT_THAT(Brief(Execute(3, JoinVerb{"garbage"})), ElementsAre("3 durable corruption"));
  Settle();
  EXPECT_THAT(Values(), ElementsAre("a"));
}

TEST_F(StoreTest, ADotThatWasSeenBeforeIsAConflictAndWritesNothing) {
  Execute(1, MakePut("a"));
  Settle();
  PutVerb repeated = MakePut("b");
  repeated.sibling.dot.counter = 1;
  EXPECT_THAT(Brief(Execute(2, repeated)), ElementsAre("2 applied conflict"));

  CausalContext forged;
  forged.Add({kSelf, 1000, 2000});
  EXPECT_THAT(Brief(Execute(3, MakePut("c", forged))), ElementsAre("3 applied conflict"));
  Settle();
  EXPECT_THAT(Values(), ElementsAre("a"));
}

TEST_F(StoreTest, ARecordOverTheLimitIsRefusedAndWhatIsStoredStays) {
  const std::string nearly(kRecordBytesMax - 1000, 'v');
  Execute(1, JoinVerb{EncodeRecord(PeersRecord(1, nearly))});
  EXPECT_THAT(Brief(Execute(2, MakePut(std::string(1000, 'v'), CausalContext()))),
              ElementsAre("2 applied too-large"));
  EXPECT_THAT(Brief(Execute(3, MakePut("small"))), ElementsAre("3 applied"));
}

TEST_F(StoreTest, AtTheCapOnlyAPutThatReplacesASiblingIsTaken) {
  const auto put = [&](std::optional<CausalContext> seen) {
    PutVerb verb = MakePut("v", std::move(seen));
    verb.siblings_max = 2;
    return verb;
  };
  EXPECT_EQ(Execute(1, put(CausalContext()))[0].siblings, 1u);
  const std::vector<StoreResult> second = Execute(2, put(CausalContext()));
  EXPECT_EQ(second[0].siblings, 2u);
  const std::vector<StoreResult> third = Execute(3, put(CausalContext()));
  EXPECT_THAT(Brief(third), ElementsAre("3 applied too-large"));
  EXPECT_THAT(third[0].record.error().text, testing::HasSubstr("siblings_max"));
  Settle();
  EXPECT_EQ(Values().size(), 2u);
  CausalContext one;
  one.Add({kSelf, 0, 1});
  EXPECT_EQ(Execute(4, put(one))[0].siblings, 2u) << "in the place of another";
  EXPECT_EQ(Execute(5, put(std::nullopt))[0].siblings, 1u);
}

TEST_F(StoreTest, SiblingsThatHaveExpiredDoNotCountTowardsTheCap) {
  const auto put = [&](int64_t now_ms, int64_t expires_ms) {
    PutVerb verb = MakePut("v", CausalContext());
    verb.sibling.timestamp.value = static_cast<uint64_t>(now_ms) << 16;
    verb.sibling.expires_at = WallTime(std::chrono::milliseconds(expires_ms));
    verb.siblings_max = 1;
    return verb;
  };
  EXPECT_THAT(Brief(Execute(1, put(100, 200))), ElementsAre("1 applied"));
  EXPECT_THAT(Brief(Execute(2, put(199, 300))), ElementsAre("2 applied too-large"));
  EXPECT_THAT(Brief(Execute(3, put(200, 300))), ElementsAre("3 applied"));
}

// Hints

TEST_F(StoreTest, HintsAreCountedByOwnerOnceTheyAreWritten) {
  constexpr NodeId kAway{.high = 7, .low = 7};
  const auto hint = [&](uint64_t id, decltype(StoreVerb::action) action) {
    std::vector<StoreResult> results;
    StoreVerb verb{id, kKey, Durability::kSync, std::move(action), kAway};
    EXPECT_TRUE(store_->Execute(&verb, Tier::kDisk, &results));
    return results;
  };
  const auto stored = [&] {
    HintUsage there;
    EXPECT_TRUE(engine_
                    .Scan(Space::kHints, {}, {},
                          [&](std::string_view key, std::string_view row) {
                            ++there.rows;
                            there.bytes += key.size() + row.size();
                            return true;
                          })
                    .has_value());
    return there;
  };
  hint(1, JoinVerb{EncodeRecord(PeersRecord(1, "one"))});
  EXPECT_TRUE(store_->hints().usage().empty());
  Settle();
  EXPECT_EQ(store_->hints().usage().at(kAway), stored());
  EXPECT_EQ(stored().rows, 1u);
  // Twice in a turn, and joined.
  hint(2, JoinVerb{EncodeRecord(PeersRecord(2, "two"))});
  hint(3, JoinVerb{EncodeRecord(PeersRecord(3, "three"))});
  Settle();
  EXPECT_EQ(store_->hints().usage().at(kAway), stored());
  EXPECT_EQ(stored().rows, 1u);
  // What the engine refuses is not counted.
  const HintUsage before = stored();
  engine_.FailCall(MemoryEngine::Call::kWrite, 1, kBadDisk);
  hint(4, JoinVerb{EncodeRecord(PeersRecord(4, "four"))});
  Commit();
  EXPECT_EQ(store_->hints().usage().at(kAway), before);
  std::string row;
  ASSERT_TRUE(engine_.Get(Space::kHints, EncodeHintKey(kAway, kKey), Tier::kDisk, &row));
  ASSERT_TRUE(UnsealRecord(EncodeHintKey(kAway, kKey), &row).has_value());
  hint(5, RemoveVerb{RecordDigest(row)});
  Settle();
  EXPECT_TRUE(store_->hints().usage().empty());
  EXPECT_EQ(stored().rows, 0u);
}

TEST_F(StoreTest, NoMoreIsKeptForAnOwnerThanTheBound) {
  constexpr NodeId kAway{.high = 7, .low = 7};
  constexpr NodeId kOther{.high = 8, .low = 8};
  const uint64_t bytes_max = 200;
  store_.emplace(&engine_, Lease{kSelf, 0, 1000, 0}, nullptr, 0, HintLedger(bytes_max));
  const auto hint = [&](uint64_t id, NodeId owner, decltype(StoreVerb::action) action) {
    std::vector<StoreResult> results;
    StoreVerb verb{id, KeyOf(std::to_string(id)), Durability::kOs, std::move(action), owner};
    EXPECT_TRUE(store_->Execute(&verb, Tier::kDisk, &results));
    store_->Commit(&results);
    return Brief(results);
  };
  const std::string large(bytes_max, 'v');
  EXPECT_THAT(hint(1, kAway, JoinVerb{EncodeRecord(PeersRecord(1, large))}),
              ElementsAre("1 durable"));
  EXPECT_THAT(hint(2, kAway, JoinVerb{EncodeRecord(PeersRecord(2, "v"))}),
              ElementsAre("2 durable busy"));
  EXPECT_THAT(hint(3, kAway, MakePut("v", CausalContext())), ElementsAre("3 applied busy"));
  EXPECT_EQ(store_->hints().refused(), 2u);
  EXPECT_EQ(store_->hints().usage().at(kAway).rows, 1u);
  // Another owner has room of its own, and what this one's row holds already is no growth.
  EXPECT_THAT(hint(4, kOther, JoinVerb{EncodeRecord(PeersRecord(2, "v"))}),
              ElementsAre("4 durable"));
  EXPECT_THAT(hint(1, kAway, JoinVerb{EncodeRecord(PeersRecord(1, large))}),
              ElementsAre("1 durable"));
}

// The cache

TEST_F(StoreTest, AVerbWhoseRecordIsNotCachedIsLeftUntouched) {
  Execute(1, MakePut("a"));
  Settle();
  engine_.Evict(Space::kData, kKey);
  std::vector<StoreResult> results;
  StoreVerb verb{2, kKey, Durability::kSync, MakePut("b", CausalContext())};
  EXPECT_FALSE(store_->Execute(&verb, Tier::kCache, &results));
  EXPECT_THAT(results, IsEmpty());
  EXPECT_EQ(store_->waiting(), 0u);
  EXPECT_EQ(verb.key, kKey);
  EXPECT_EQ(std::get<PutVerb>(verb.action).sibling.value, "b");
  EXPECT_TRUE(store_->Execute(&verb, Tier::kDisk, &results));
  EXPECT_THAT(Brief(results), ElementsAre("2 applied"));
  EXPECT_THAT(ValuesOf(results[0]), UnorderedElementsAre("a", "b"));
}

TEST_F(StoreTest, ARecordOfThisTurnIsAlwaysCached) {
  Execute(1, MakePut("a"));
  engine_.Evict(Space::kData, kKey);
  std::vector<StoreResult> results;
  StoreVerb verb{2, kKey, Durability::kSync, MakePut("b", CausalContext())};
  EXPECT_TRUE(store_->Execute(&verb, Tier::kCache, &results));
  EXPECT_THAT(ValuesOf(results[0]), UnorderedElementsAre("a", "b"));
}

// Since when a record is remembered

TEST_F(StoreTest, ARecordThatComesBackIsRememberedOnlyFromThenOn) {
  const auto contexts = [&] {
    const std::vector<StoreResult> read = Execute(99, ReadVerb{});
    const Record record = *DecodeRecord(*read[0].record);
    return std::vector<lattice::Interval>(record.context().intervals().begin(),
                                          record.context().intervals().end());
  };
  const std::string old = *Execute(1, MakePut("1"))[0].record;
  Execute(2, MakePut("2"));
  Settle();
  EXPECT_THAT(contexts(), ElementsAre(lattice::Interval{kSelf, 0, 2}));
  ASSERT_TRUE(engine_.Write({{Space::kData, kKey, std::nullopt}}, Logging::kLogged).has_value());
  Execute(3, JoinVerb{old});
  Execute(4, MakePut("3"));
  Settle();
  EXPECT_THAT(contexts(),
              ElementsAre(lattice::Interval{kSelf, 0, 1}, lattice::Interval{kSelf, 2, 3}));
  Execute(5, MakePut("4"));
  Settle();
  EXPECT_THAT(contexts(),
              ElementsAre(lattice::Interval{kSelf, 0, 1}, lattice::Interval{kSelf, 2, 4}));
}

// Whatever the moment of the crash, what was acknowledged as durable is there.
TEST_F(StoreTest, WhatWasAcknowledgedOutlivesACrashAtAnyPoint) {
  size_t promises = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    engine_ = MemoryEngine();
    counter_ = 0;
    Crash();
    std::map<uint64_t, std::pair<std::string, lattice::Dot>> puts;  // by id
    std::vector<uint64_t> acknowledged;
    const auto note = [&](const std::vector<StoreResult>& results) {
      for (const StoreResult& result : results) {
        ASSERT_TRUE(result.record.has_value());
        if (result.stage == Stage::kDurable) acknowledged.push_back(result.id);
      }
    };
    uint64_t began = 0;
    size_t covered = 0;
    for (uint64_t id = 1; id <= 40; ++id) {
      const std::string key = KeyOf(std::to_string(random.Below(3)), random.Below(3));
      PutVerb put =
          MakePut("x", random.Chance(1, 2) ? std::optional(CausalContext()) : std::nullopt);
      puts[id] = {key, put.sibling.dot};
      Execute(id, std::move(put), Durability::kSync, key);
      if (random.Chance(1, 3)) note(Commit());
      // A sync runs while the next turns are committed.
      if (random.Chance(1, 6)) {
        began = commit_;
        covered = engine_.unsynced_batches();
      }
      if (random.Chance(1, 6)) {
        ASSERT_TRUE(engine_.SyncFirst(covered).has_value());
        covered = 0;
        note(Synced(began));
      }
    }
    Crash(random.Below(engine_.unsynced_batches() + 1));
    promises += acknowledged.size();
    for (const uint64_t id : acknowledged) {
      const auto& [key, dot] = puts[id];
      const std::vector<StoreResult> read = Execute(99, ReadVerb{}, Durability::kSync, key);
      ASSERT_TRUE(DecodeRecord(*read[0].record)->context().Covers(dot)) << "seed " << seed;
    }
  }
  EXPECT_GT(promises, 1000u);
}

TEST_F(StoreTest, OnlyWhatLeavesAValueNeedsRoom) {
  const auto needs = [](decltype(StoreVerb::action) action) {
    return NeedsRoom(StoreVerb{1, kKey, Durability::kSync, std::move(action)});
  };
  EXPECT_TRUE(needs(MakePut("a")));
  EXPECT_TRUE(needs(JoinVerb{EncodeRecord(PeersRecord(1, "a"))}));
  Record tombstone = PeersRecord(1, "a");
  tombstone.Delete(tombstone.context());
  EXPECT_FALSE(needs(JoinVerb{EncodeRecord(tombstone)}));
  EXPECT_FALSE(needs(DeleteVerb{}));
  EXPECT_FALSE(needs(RemoveVerb{}));
  EXPECT_FALSE(needs(ReadVerb{}));
  EXPECT_FALSE(needs(PutMetaVerb{"row"}));
}

}  // namespace
}  // namespace eddy::storage
