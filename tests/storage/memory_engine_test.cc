#include "storage/memory_engine.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/storage/engine_promises.h"
#include "tests/storage/scan_promises.h"

namespace eddy::storage {
namespace {

class MemoryHost final : public EngineHost {
 public:
  Engine* engine() override { return &engine_; }
  void Kill() override { engine_.Crash(engine_.unsynced_batches()); }

 private:
  MemoryEngine engine_;
};

INSTANTIATE_TEST_SUITE_P(Memory, EngineTest,
                         testing::Values(EngineKind{"Memory",
                                                    [] { return std::make_unique<MemoryHost>(); }}),
                         [](const auto& kind) { return kind.param.name; });

WriteBatch Row(const std::string& key, const std::string& value) {
  return {{Space::kData, key, value}};
}

std::string Get(MemoryEngine* engine, const std::string& key) {
  std::string value = "(error)";
  const Result<Presence> presence = engine->Get(Space::kData, key, Tier::kDisk, &value);
  if (presence == Presence::kAbsent) return "(absent)";
  return value;
}

TEST(MemoryEngine, ACrashLosesWhatNoSyncCovered) {
  MemoryEngine engine;
  ASSERT_TRUE(engine.Write(Row("a", "synced"), Logging::kLogged).has_value());
  ASSERT_TRUE(engine.Sync().has_value());
  ASSERT_TRUE(engine.Write(Row("a", "lost"), Logging::kLogged).has_value());
  ASSERT_TRUE(engine.Write(Row("b", "lost"), Logging::kLogged).has_value());
  engine.Crash();
  EXPECT_EQ(Get(&engine, "a"), "synced");
  EXPECT_EQ(Get(&engine, "b"), "(absent)");
}

// Whatever the moment of the crash, what is left is what was synced and a prefix, in whole
// batches, of what was not.
TEST(MemoryEngine, ACrashAtAnyPointKeepsAPrefixOfWholeBatches) {
  constexpr size_t kBatches = 8;
  for (size_t synced = 0; synced <= kBatches; ++synced) {
    for (size_t kept = 0; synced + kept <= kBatches; ++kept) {
      MemoryEngine engine;
      for (size_t i = 0; i < kBatches; ++i) {
        const std::string number = std::to_string(i);
        ASSERT_TRUE(engine
                        .Write({{Space::kData, "latest", number},
                                {Space::kData, number, "left"},
                                {Space::kData, number, std::nullopt},
                                {Space::kMeta, number, "right"}},
                               Logging::kLogged)
                        .has_value());
        if (i + 1 == synced) {
          ASSERT_TRUE(engine.Sync().has_value());
        }
      }
      engine.Crash(kept);
      const size_t left = synced + kept;
      EXPECT_EQ(Get(&engine, "latest"), left == 0 ? "(absent)" : std::to_string(left - 1));
      for (size_t i = 0; i < kBatches; ++i) {
        std::string value;
        EXPECT_EQ(Get(&engine, std::to_string(i)), "(absent)");
        EXPECT_EQ(engine.Get(Space::kMeta, std::to_string(i), Tier::kDisk, &value),
                  i < left ? Presence::kFound : Presence::kAbsent);
      }
    }
  }
}

TEST(MemoryEngine, ASyncThatBeganEarlierCoversOnlyWhatWasThere) {
  MemoryEngine engine;
  ASSERT_TRUE(engine.Write(Row("a", "1"), Logging::kLogged).has_value());
  const size_t began = engine.unsynced_batches();
  ASSERT_TRUE(engine.Write(Row("b", "1"), Logging::kLogged).has_value());
  ASSERT_TRUE(engine.SyncFirst(began).has_value());
  EXPECT_EQ(engine.unsynced_batches(), 1u);
  engine.Crash();
  EXPECT_EQ(Get(&engine, "a"), "1");
  EXPECT_EQ(Get(&engine, "b"), "(absent)");
}

TEST(MemoryEngine, FailsTheCallThatWasPlannedAndThenGoesOn) {
  const Error error{Code::kIo, "planned"};
  MemoryEngine engine;
  engine.FailCall(MemoryEngine::Call::kWrite, 2, error);
  EXPECT_TRUE(engine.Write(Row("a", "1"), Logging::kLogged).has_value());
  EXPECT_EQ(engine.Write(Row("b", "1"), Logging::kLogged).error(), error);
  EXPECT_TRUE(engine.Write(Row("c", "1"), Logging::kLogged).has_value());
  EXPECT_EQ(Get(&engine, "b"), "(absent)");

  engine.FailCall(MemoryEngine::Call::kSync, 1, error);
  EXPECT_EQ(engine.Sync().error(), error);
  EXPECT_EQ(engine.unsynced_batches(), 2u);
  EXPECT_TRUE(engine.Sync().has_value());
  EXPECT_EQ(engine.unsynced_batches(), 0u);

  engine.FailCall(MemoryEngine::Call::kGet, 1, error);
  std::string value;
  EXPECT_EQ(engine.Get(Space::kData, "a", Tier::kCache, &value).error(), error);
  EXPECT_EQ(Get(&engine, "a"), "1");
}

TEST(MemoryEngine, AnEvictedKeyIsNotCachedUntilItIsReadFromDisk) {
  MemoryEngine engine;
  ASSERT_TRUE(engine.Write(Row("a", "1"), Logging::kLogged).has_value());
  engine.Evict(Space::kData, "a");
  std::string value;
  EXPECT_EQ(engine.Get(Space::kData, "a", Tier::kCache, &value), Presence::kNotCached);
  EXPECT_EQ(engine.Get(Space::kData, "a", Tier::kDisk, &value), Presence::kFound);
  EXPECT_EQ(engine.Get(Space::kData, "a", Tier::kCache, &value), Presence::kFound);
}

}  // namespace
}  // namespace eddy::storage
