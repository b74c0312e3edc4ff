// The store on the loop with its threads: order per key while reads wait, pipelined syncs, and what
// a failing disk does.
#include "server/store_runner.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "server/locked_engine.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"
#include "tests/server/loop.h"

namespace eddy::server {
namespace {

using storage::Durability;
using storage::MemoryEngine;
using storage::Stage;
using storage::StoreResult;
using storage::StoreVerb;

// An engine in memory that holds disk reads and syncs back until the test lets them go.
class GatedEngine final : public storage::Engine {
 public:
  explicit GatedEngine(MemoryEngine* engine) : locked_(std::unique_ptr<storage::Engine>(engine)) {}

  Result<storage::Presence> Get(storage::Space space, std::string_view key, storage::Tier tier,
                                std::string* value) override {
    if (tier == storage::Tier::kDisk) Pass(&reads_held_);
    return locked_.Get(space, key, tier, value);
  }
  Status Write(const storage::WriteBatch& batch, storage::Logging logging) override {
    return locked_.Write(batch, logging);
  }
  Status Sync() override {
    Pass(&syncs_held_);
    return locked_.Sync();
  }
  Status Flush() override { return locked_.Flush(); }
  Status Scan(storage::Space space, std::string_view from, std::string_view to,
              const Visitor& visit) override {
    return locked_.Scan(space, from, to, visit);
  }
  storage::EngineEstimate Estimate() override { return locked_.Estimate(); }
  storage::EngineHealth Health() override { return {.stalled = stalled}; }

  void HoldReads(bool held) { Set(&reads_held_, held); }
  void HoldSyncs(bool held) { Set(&syncs_held_, held); }

  bool stalled = false;

 private:
  void Set(bool* gate, bool held) {
    {
      const std::lock_guard lock(mutex_);
      *gate = held;
    }
    opened_.notify_all();
  }
  void Pass(const bool* held) {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [held] { return !*held; });
  }

  LockedEngine locked_;
  std::mutex mutex_;
  std::condition_variable opened_;
  bool reads_held_ = false;
  bool syncs_held_ = false;
};

std::string Key(std::string_view name) {
  return storage::EncodeKey({.token = Hash64(name), .bucket = "b", .key = name});
}

class StoreRunnerTest : public testing::Test {
 protected:
  void Open(StoreRunnerOptions options = {}) {
    runner_ = std::make_unique<StoreRunner>(loop_.get(), &engine_, storage::Lease{}, nullptr,
                                            storage::HintLedger(), options,
                                            [this] { runner_->TakeArrived(&results_); });
  }
  void TearDown() override {
    engine_.HoldReads(false);
    engine_.HoldSyncs(false);
    runner_->Close();
    loop_.Step();
  }

  StoreVerb Put(uint64_t id, std::string_view key, std::string value,
                Durability durability = Durability::kSync) {
    storage::PutVerb put;
    put.sibling = {.dot = {.actor = {1, 1}, .counter = ++counter_}, .value = std::move(value)};
    return {.id = id, .key = Key(key), .durability = durability, .action = std::move(put)};
  }
  static StoreVerb Read(uint64_t id, std::string_view key) {
    return {.id = id, .key = Key(key), .action = storage::ReadVerb{}};
  }
  void Execute(std::vector<StoreVerb> verbs) { runner_->Execute(&verbs, &results_); }
  void Commit() { runner_->Commit(&results_); }
  // The next result that is there or comes.
  StoreResult Next() {
    CHECK(loop_.Until([this] { return !results_.empty(); }));
    StoreResult result = std::move(results_.front());
    results_.erase(results_.begin());
    return result;
  }
  static std::string ValueOf(const StoreResult& result) {
    const auto record = storage::DecodeRecord(result.record.value());
    return record->siblings().empty() ? "" : record->siblings().back().value;
  }
  // A record that is stored, durable, and not in memory.
  void StoreOnDisk(std::string_view key, std::string value) {
    Execute({Put(900, key, std::move(value))});
    Commit();
    ASSERT_EQ(Next().stage, Stage::kApplied);
    ASSERT_EQ(Next().stage, Stage::kDurable);
    memory_->Evict(storage::Space::kData, Key(key));
  }
  void Settle() {
    for (int i = 0; i < 20; ++i) loop_.Step();
  }

  MemoryEngine* memory_ = new MemoryEngine;  // owned by engine_
  GatedEngine engine_{memory_};
  TestLoop loop_;
  uint64_t counter_ = 0;
  std::vector<StoreResult> results_;
  std::unique_ptr<StoreRunner> runner_;
};

TEST_F(StoreRunnerTest, AppliesAtOnceAndSaysDurableAfterASync) {
  Open();
  engine_.HoldSyncs(true);
  Execute({Put(1, "k", "v")});
  const StoreResult applied = Next();
  EXPECT_EQ(applied.stage, Stage::kApplied);
  EXPECT_EQ(ValueOf(applied), "v");
  Commit();
  Settle();
  EXPECT_TRUE(results_.empty());
  EXPECT_FALSE(runner_->idle());
  engine_.HoldSyncs(false);
  const StoreResult durable = Next();
  EXPECT_EQ(durable.id, 1u);
  EXPECT_EQ(durable.stage, Stage::kDurable);
  EXPECT_EQ(memory_->unsynced_batches(), 0u);
  EXPECT_TRUE(runner_->idle());
}

TEST_F(StoreRunnerTest, LeavesNoSyncForWritesThatWantNone) {
  Open();
  Execute({Put(1, "k", "v", Durability::kOs)});
  Commit();
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[1].stage, Stage::kDurable);
  EXPECT_EQ(runner_->counters().syncs, 0u);
}

TEST_F(StoreRunnerTest, OneSyncCoversAllCommitsMadeWhileTheLastOneRan) {
  Open();
  engine_.HoldSyncs(true);
  Execute({Put(1, "a", "v")});
  Commit();
  for (uint64_t id = 2; id <= 50; ++id) {
    Execute({Put(id, "k" + std::to_string(id), "v")});
    Commit();
  }
  results_.clear();
  engine_.HoldSyncs(false);
  std::vector<uint64_t> durable;
  while (durable.size() < 50) {
    const StoreResult result = Next();
    ASSERT_EQ(result.stage, Stage::kDurable);
    ASSERT_TRUE(result.record.has_value());
    durable.push_back(result.id);
  }
  for (uint64_t id = 1; id <= 50; ++id) EXPECT_EQ(durable[id - 1], id);
  // The one under way, and one for all the rest; one more where the first began late.
  EXPECT_LE(runner_->counters().syncs, 3u);
}

TEST_F(StoreRunnerTest, ReadsFromDiskWithoutHoldingUpOtherKeys) {
  Open();
  StoreOnDisk("cold", "deep");
  engine_.HoldReads(true);
  Execute({Read(1, "cold"), Read(2, "absent"), Put(3, "warm", "v")});
  EXPECT_EQ(Next().id, 2u);
  EXPECT_EQ(Next().id, 3u);
  Settle();
  EXPECT_TRUE(results_.empty());
  engine_.HoldReads(false);
  const StoreResult read = Next();
  EXPECT_EQ(read.id, 1u);
  EXPECT_EQ(ValueOf(read), "deep");
  EXPECT_EQ(runner_->counters().disk_reads, 1u);
}

TEST_F(StoreRunnerTest, KeepsTheOrderOfVerbsOnAKeyThatIsBeingRead) {
  Open();
  StoreOnDisk("k", "old");
  engine_.HoldReads(true);
  Execute({Put(1, "k", "one")});
  Execute({Put(2, "k", "two"), Put(3, "k", "three")});
  Settle();
  EXPECT_TRUE(results_.empty());
  engine_.HoldReads(false);
  for (uint64_t id = 1; id <= 3; ++id) {
    const StoreResult result = Next();
    EXPECT_EQ(result.id, id);
    EXPECT_EQ(ValueOf(result), id == 1 ? "one" : id == 2 ? "two" : "three");
  }
  EXPECT_EQ(runner_->counters().disk_reads, 1u);
}

TEST_F(StoreRunnerTest, AFailedReadIsAnErrorAndNotAbsence) {
  Open();
  StoreOnDisk("k", "v");
  // The reader's, and the loop's after it.
  memory_->FailCall(MemoryEngine::Call::kGet, 2, Error{Code::kIo, "bad sector"});
  memory_->FailCall(MemoryEngine::Call::kGet, 3, Error{Code::kIo, "bad sector"});
  Execute({Read(1, "k")});
  const StoreResult result = Next();
  ASSERT_FALSE(result.record.has_value());
  EXPECT_EQ(result.record.error().code, Code::kIo);
}

TEST_F(StoreRunnerTest, RefusesVerbsBeyondTheReadsThatMayWait) {
  Open({.reads_waiting_max = 2});
  StoreOnDisk("k", "v");
  engine_.HoldReads(true);
  Execute({Read(1, "k"), Read(2, "k"), Read(3, "k")});
  const StoreResult refused = Next();
  EXPECT_EQ(refused.id, 3u);
  ASSERT_FALSE(refused.record.has_value());
  EXPECT_EQ(refused.record.error().code, Code::kBusy);
  engine_.HoldReads(false);
  EXPECT_EQ(Next().id, 1u);
  EXPECT_EQ(Next().id, 2u);
}

TEST_F(StoreRunnerTest, RefusesWritesBeyondThoseThatMayWaitForTheDisk) {
  Open({.writes_waiting_max = 2});
  engine_.HoldSyncs(true);
  Execute({Put(1, "a", "v"), Put(2, "b", "v"), Put(3, "c", "v"), Read(4, "d")});
  std::vector<uint64_t> refused;
  for (const StoreResult& result : results_) {
    if (!result.record && result.record.error().code == Code::kBusy) refused.push_back(result.id);
  }
  EXPECT_EQ(refused, std::vector<uint64_t>{3});
  Commit();
}

TEST_F(StoreRunnerTest, AFailedSyncEndsAllWritingAndNoReading) {
  Open();
  StoreOnDisk("k", "v");
  engine_.HoldSyncs(true);
  memory_->FailCall(MemoryEngine::Call::kSync, 1, Error{Code::kIo, "no space"});
  Execute({Put(1, "a", "v")});
  Commit();
  Execute({Put(2, "b", "v")});
  Commit();
  results_.clear();
  engine_.HoldSyncs(false);
  // Also what was committed while the failing sync ran: the kernel may have dropped its pages too.
  for (uint64_t id = 1; id <= 2; ++id) {
    const StoreResult failed = Next();
    EXPECT_EQ(failed.id, id);
    ASSERT_FALSE(failed.record.has_value());
    EXPECT_EQ(failed.record.error().code, Code::kIo);
  }
  ASSERT_TRUE(runner_->failure().has_value());

  // The disk seems to be well again, but nothing is taken on trust.
  Execute({Put(3, "c", "v")});
  EXPECT_FALSE(Next().record.has_value());
  Commit();
  Execute({Read(4, "k")});
  EXPECT_EQ(ValueOf(Next()), "v");
}

TEST_F(StoreRunnerTest, HoldsWritesBackWhileTheEngineStalls) {
  Open();
  engine_.stalled = true;
  Execute({Put(1, "k", "v", Durability::kOs)});
  Commit();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].stage, Stage::kApplied);
  EXPECT_FALSE(runner_->idle());
  engine_.stalled = false;
  Commit();
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[1].stage, Stage::kDurable);
}

TEST_F(StoreRunnerTest, WithoutRoomPutsAreRefusedAndTheRestGoesOn) {
  Open();
  Execute({Put(1, "k", "v")});
  Commit();
  ASSERT_EQ(Next().stage, Stage::kApplied);
  ASSERT_EQ(Next().stage, Stage::kDurable);
  const Error full{Code::kUnavailable, "no room"};
  runner_->RefuseForRoom(full);
  Execute({Put(2, "k", "w"), Read(3, "k")});
  EXPECT_EQ(Next().record.error(), full);
  EXPECT_EQ(ValueOf(Next()), "v");
  Execute({{.id = 4, .key = Key("k"), .action = storage::DeleteVerb{}}});
  Commit();
  EXPECT_TRUE(Next().record.has_value());
  EXPECT_EQ(Next().stage, Stage::kDurable);
  EXPECT_EQ(runner_->counters().refused_no_room, 1u);
  runner_->RefuseForRoom(std::nullopt);
  Execute({Put(5, "k", "x")});
  EXPECT_EQ(ValueOf(Next()), "x");
}

}  // namespace
}  // namespace eddy::server
