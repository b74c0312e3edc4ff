// What every engine promises (storage/engine.h), as tests over a host that can stop and kill it.
// A source file per engine instantiates the suite.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/engine.h"

namespace eddy::storage {

class EngineHost {
 public:
  virtual ~EngineHost() = default;
  virtual Engine* engine() = 0;
  // The process ends without a word and starts anew; the machine goes on.
  virtual void Kill() = 0;
};

struct EngineKind {
  std::string name;
  std::function<std::unique_ptr<EngineHost>()> make;
};

class EngineTest : public testing::TestWithParam<EngineKind> {
 protected:
  using Rows = std::vector<std::pair<std::string, std::string>>;

  Engine* engine() { return host_->engine(); }
  void Kill() { host_->Kill(); }

  void Write(const WriteBatch& batch, Logging logging = Logging::kLogged) {
    ASSERT_TRUE(engine()->Write(batch, logging).has_value());
  }
  void Put(const std::string& key, const std::string& value, Logging logging = Logging::kLogged) {
    Write({{Space::kData, key, value}}, logging);
  }
  void Sync() { ASSERT_TRUE(engine()->Sync().has_value()); }

  // The value, or "(absent)".
  std::string Get(const std::string& key, Space space = Space::kData) {
    std::string value;
    const Result<Presence> presence = engine()->Get(space, key, Tier::kDisk, &value);
    EXPECT_TRUE(presence.has_value()) << presence.error().text;
    EXPECT_NE(*presence, Presence::kNotCached);
    return *presence == Presence::kFound ? value : "(absent)";
  }

  Rows Scan(const std::string& from, const std::string& to, size_t rows_max = 1000) {
    Rows rows;
    const Status scanned =
        engine()->Scan(Space::kData, from, to, [&](std::string_view key, std::string_view value) {
          rows.emplace_back(key, value);
          return rows.size() < rows_max;
        });
    EXPECT_TRUE(scanned.has_value());
    return rows;
  }

 private:
  const std::unique_ptr<EngineHost> host_ = GetParam().make();
};

TEST_P(EngineTest, GivesBackTheBytesThatWereWritten) {
  const std::string binary("\0\xff\n\0", 4);
  Put(binary, binary);
  Put("empty", "");
  EXPECT_EQ(Get(binary), binary);
  EXPECT_EQ(Get("empty"), "");
  EXPECT_EQ(Get("other"), "(absent)");
}

TEST_P(EngineTest, SaysAbsentFromTheCacheForAKeyNeverWritten) {
  std::string value;
  EXPECT_EQ(engine()->Get(Space::kData, "nobody", Tier::kCache, &value), Presence::kAbsent);
}

TEST_P(EngineTest, ReadsItsLatestWritesFromTheCache) {
  Put("key", "value");
  std::string value;
  EXPECT_EQ(engine()->Get(Space::kData, "key", Tier::kCache, &value), Presence::kFound);
  EXPECT_EQ(value, "value");
}

TEST_P(EngineTest, KeepsTheSpacesApart) {
  Write({{Space::kData, "key", "data"}, {Space::kHints, "key", "hint"}});
  EXPECT_EQ(Get("key", Space::kData), "data");
  EXPECT_EQ(Get("key", Space::kHints), "hint");
  EXPECT_EQ(Get("key", Space::kMeta), "(absent)");
}

TEST_P(EngineTest, AppliesABatchInItsOrder) {
  Put("kept", "old");
  Put("removed", "old");
  Write({{Space::kData, "kept", std::nullopt},
         {Space::kData, "kept", "new"},
         {Space::kData, "removed", "new"},
         {Space::kData, "removed", std::nullopt}});
  EXPECT_EQ(Get("kept"), "new");
  EXPECT_EQ(Get("removed"), "(absent)");
}

TEST_P(EngineTest, RemovingWhatIsAbsentIsNoError) {
  Write({{Space::kData, "nobody", std::nullopt}});
  EXPECT_EQ(Get("nobody"), "(absent)");
}

TEST_P(EngineTest, WhatIsSyncedOutlivesAKill) {
  Write({{Space::kData, "a", "1"}, {Space::kHints, "b", "2"}, {Space::kMeta, "c", "3"}});
  Write({{Space::kHints, "b", std::nullopt}});
  Sync();
  Kill();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b", Space::kHints), "(absent)");
  EXPECT_EQ(Get("c", Space::kMeta), "3");
}

TEST_P(EngineTest, WhatIsLoggedOutlivesAKillWithoutASync) {
  Put("key", "value");
  Kill();
  EXPECT_EQ(Get("key"), "value");
}

TEST_P(EngineTest, NoSyncCoversWhatWasNotLogged) {
  Put("logged", "1");
  Put("unlogged", "2", Logging::kUnlogged);
  EXPECT_EQ(Get("unlogged"), "2");
  Sync();
  Kill();
  EXPECT_EQ(Get("logged"), "1");
  EXPECT_EQ(Get("unlogged"), "(absent)");
}

TEST_P(EngineTest, AFlushCoversWhatWasNotLogged) {
  Put("key", "1", Logging::kUnlogged);
  Put("overwritten", "old", Logging::kUnlogged);
  Put("overwritten", "new");
  Put("removed", "1");
  Write({{Space::kData, "removed", std::nullopt}}, Logging::kUnlogged);
  ASSERT_TRUE(engine()->Flush().has_value());
  Put("later", "1", Logging::kUnlogged);
  Kill();
  EXPECT_EQ(Get("key"), "1");
  EXPECT_EQ(Get("overwritten"), "new");
  EXPECT_EQ(Get("removed"), "(absent)");
  EXPECT_EQ(Get("later"), "(absent)");
}

TEST_P(EngineTest, LivesOnAfterManyKills) {
  for (int life = 0; life < 5; ++life) {
    Put("life " + std::to_string(life), "x");
    Kill();
  }
  EXPECT_EQ(Scan("", "").size(), 5u);
}

TEST_P(EngineTest, ScansARangeInTheOrderOfBytes) {
  const std::string low(1, '\0');
  const std::string high(2, '\xff');
  Write({{Space::kData, "b", "2"}, {Space::kData, high, "4"}, {Space::kData, "a", "1"}});
  Write({{Space::kData, "ab", "3"}, {Space::kData, low, "0"}, {Space::kHints, "aa", "x"}});
  EXPECT_EQ(Scan("", ""), (Rows{{low, "0"}, {"a", "1"}, {"ab", "3"}, {"b", "2"}, {high, "4"}}));
  EXPECT_EQ(Scan("a", "b"), (Rows{{"a", "1"}, {"ab", "3"}}));
  EXPECT_EQ(Scan("aa", ""), (Rows{{"ab", "3"}, {"b", "2"}, {high, "4"}}));
  EXPECT_EQ(Scan("b", "a"), Rows());
  EXPECT_EQ(Scan("", "", 2), (Rows{{low, "0"}, {"a", "1"}}));
}

TEST_P(EngineTest, TakesTheLargestValue) {
  const std::string value(16 << 20, 'v');
  Put("large", value);
  Sync();
  Kill();
  EXPECT_TRUE(Get("large") == value);
}

TEST_P(EngineTest, EstimatesItsRecords) {
  for (int i = 0; i < 100; ++i) Put("key " + std::to_string(i), std::string(100, 'v'));
  Write({{Space::kMeta, "row", "1"}, {Space::kHints, "hint", "1"}});
  const EngineEstimate estimate = engine()->Estimate();
  EXPECT_EQ(estimate.data_keys, 100u);
  EXPECT_GE(estimate.data_bytes, 100u * 100u);
}

TEST_P(EngineTest, IsWellWhenNothingHappened) {
  Put("key", "value");
  EXPECT_EQ(engine()->Health().refuses_writes, std::nullopt);
  EXPECT_FALSE(engine()->Health().stalled);
}

TEST_P(EngineTest, AgreesWithAMap) {
  Random random(11);
  std::map<std::string, std::string> model;
  // Of some first bytes, by which an engine may find its way.
  const auto key = [&] {
    return static_cast<char>(64 * random.Below(4)) + std::to_string(random.Below(200));
  };
  for (int step = 0; step < 2000; ++step) {
    WriteBatch batch;
    for (uint64_t writes = random.Below(8); writes > 0; --writes) {
      const std::string target = key();
      if (random.Chance(1, 3)) {
        batch.push_back({Space::kData, target, std::nullopt});
        model.erase(target);
      } else {
        batch.push_back({Space::kData, target, std::to_string(step)});
        model[target] = std::to_string(step);
      }
    }
    Write(batch);
    if (random.Chance(1, 100)) {
      ASSERT_TRUE(engine()->Flush().has_value());
    }
    const std::string probe = key();
    ASSERT_EQ(Get(probe), model.contains(probe) ? model[probe] : "(absent)");
    const std::string from = key(), to = key();
    if (from <= to) {
      ASSERT_EQ(Scan(from, to), Rows(model.lower_bound(from), model.lower_bound(to)));
    }
  }
}

}  // namespace eddy::storage
