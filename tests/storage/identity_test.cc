#include "storage/identity.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/check.h"
#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"

namespace eddy::storage {
namespace {

using testing::HasSubstr;

constexpr NodeId kNode{.high = 1, .low = 2};

class IdentityTest : public testing::Test {
 protected:
  Result<Identity> TryOpen(const std::string& cluster = "ours", NodeId node = kNode) {
    return OpenIdentity(&engine_, {.cluster = cluster, .node = node}, &random_);
  }
  Identity Open() {
    Result<Identity> identity = TryOpen();
    CHECK(identity.has_value());
    return *std::move(identity);
  }
  void Write(const WriteBatch& batch) {
    ASSERT_TRUE(engine_.Write(batch, Logging::kLogged).has_value());
    ASSERT_TRUE(engine_.Sync().has_value());
  }
  std::vector<std::pair<std::string, std::string>> MetaRows() {
    std::vector<std::pair<std::string, std::string>> rows;
    const Status scanned =
        engine_.Scan(Space::kMeta, "", "", [&](std::string_view key, std::string_view value) {
          rows.emplace_back(key, value);
          return true;
        });
    EXPECT_TRUE(scanned.has_value());
    return rows;
  }

  MemoryEngine engine_;
  Random random_{1};
};

TEST_F(IdentityTest, FoundsAnEmptyDirectory) {
  const Identity identity = Open();
  EXPECT_EQ(identity.cluster, "ours");
  EXPECT_EQ(identity.node, kNode);
  EXPECT_FALSE(identity.lease.actor.IsNone());
  EXPECT_EQ(identity.lease.begin, 0u);
  EXPECT_EQ(identity.lease.end, kLeaseBlock);
  EXPECT_EQ(identity.history.begin, 1u);
  EXPECT_TRUE(identity.witnessed.empty());
}

TEST_F(IdentityTest, GivesEveryDirectoryAnActorOfItsOwn) {
  MemoryEngine other;
  const Result<Identity> identity =
      OpenIdentity(&other, {.cluster = "ours", .node = kNode}, &random_);
  ASSERT_TRUE(identity.has_value());
  EXPECT_NE(identity->lease.actor, Open().lease.actor);
}

TEST_F(IdentityTest, AnUncleanStartSkipsTheLeaseAndBeginsAHistory) {
  const Identity before = Open();
  engine_.Crash();
  const Identity after = Open();
  EXPECT_EQ(after.lease.actor, before.lease.actor);
  EXPECT_EQ(after.lease.begin, before.lease.end);
  EXPECT_EQ(after.lease.end, after.lease.begin + kLeaseBlock);
  EXPECT_NE(after.lease.boot, before.lease.boot);
  EXPECT_EQ(after.history.begin, after.lease.begin + 1);
}

TEST_F(IdentityTest, KnowsWhichRangesAreDamagedAndTrustsNoLeaseWhereAllAre) {
  const Identity before = Open();
  Write({{Space::kMeta, DamageRowKey(3), DamageRowValue(3)},
         {Space::kMeta, DamageRowKey(0x3fff), DamageRowValue(0x3fff)}});
  Identity after = Open();
  EXPECT_EQ(after.damaged, (std::vector<TokenRange>{3, 0x3fff}));
  EXPECT_EQ(after.lease.actor, before.lease.actor);
  for (TokenRange range = 0; range < 1 << kTokenRangeBits; ++range) {
    Write({{Space::kMeta, DamageRowKey(range), DamageRowValue(range)}});
  }
  after = Open();
  EXPECT_EQ(after.damaged.size(), 16'384u);
  EXPECT_NE(after.lease.actor, before.lease.actor);
  EXPECT_EQ(after.lease.begin, 0u);
  EXPECT_EQ(after.history.begin, 1u);
}

TEST_F(IdentityTest, ACleanStartGoesOnWithTheHistory) {
  const Identity before = Open();
  ASSERT_TRUE(CloseIdentity(&engine_, lattice::History{77}).has_value());
  engine_.Crash();
  const Identity after = Open();
  EXPECT_EQ(after.lease.begin, before.lease.end);
  EXPECT_EQ(after.history.begin, 77u);
}

TEST_F(IdentityTest, ACleanStopCountsForOneStartOnly) {
  Open();
  ASSERT_TRUE(CloseIdentity(&engine_, lattice::History{1}).has_value());
  Open();
  engine_.Crash();
  const Identity after = Open();
  EXPECT_EQ(after.history.begin, after.lease.begin + 1);
}

TEST_F(IdentityTest, ACleanStopBringsToDiskWhatWasNotLogged) {
  Open();
  ASSERT_TRUE(engine_.Write({{Space::kData, "key", "value"}}, Logging::kUnlogged).has_value());
  ASSERT_TRUE(CloseIdentity(&engine_, lattice::History{1}).has_value());
  engine_.Crash();
  std::string value;
  EXPECT_EQ(engine_.Get(Space::kData, "key", Tier::kDisk, &value), Presence::kFound);
}

TEST_F(IdentityTest, AStopThatCouldNotSyncIsNotClean) {
  Open();
  engine_.FailCall(MemoryEngine::Call::kSync, 1, Error{Code::kIo, "bad disk"});
  EXPECT_FALSE(CloseIdentity(&engine_, lattice::History{1}).has_value());
  EXPECT_EQ(Open().history.begin, kLeaseBlock + 1);
}

// Whatever fails or is lost around a start, no counter is leased twice to one actor.
TEST_F(IdentityTest, NoCounterIsLeasedTwice) {
  uint64_t leased_to = 0;
  for (uint64_t life = 0; life < 60; ++life) {
    if (life % 5 == 1) {
      engine_.FailCall(MemoryEngine::Call::kWrite, 1, Error{Code::kIo, "bad disk"});
    }
    if (life % 5 == 2) engine_.FailCall(MemoryEngine::Call::kSync, 1, Error{Code::kIo, "bad disk"});
    if (const Result<Identity> identity = TryOpen(); identity.has_value()) {
      EXPECT_GE(identity->lease.begin, leased_to);
      EXPECT_GE(identity->lease.end, identity->lease.begin + kLeaseBlock);
      EXPECT_GE(identity->lease.begin + 1, identity->history.begin);
      leased_to = identity->lease.end;
    }
    if (life % 3 == 0) {
      ASSERT_TRUE(CloseIdentity(&engine_, lattice::History{1}).has_value());
    }
    // Of what was not synced, the crash keeps nothing or all.
    engine_.Crash(life % 2 == 0 ? 0 : engine_.unsynced_batches());
  }
  EXPECT_GT(leased_to, 40 * kLeaseBlock);
}

TEST_F(IdentityTest, IsDurableWhenOpenReturns) {
  const Identity before = Open();
  EXPECT_EQ(engine_.unsynced_batches(), 0u);
  engine_.Crash();
  EXPECT_EQ(Open().lease.actor, before.lease.actor);
}

TEST_F(IdentityTest, WhatTheNodeWroteComesBack) {
  const Identity before = Open();
  const Lease lease{before.lease.actor, 0, 10 * kLeaseBlock, 5};
  const Lease first{ActorId{3, 4}, 10, 20, 30}, second{ActorId{~uint64_t{0}, 0}, 1, 2, 3};
  Write({{Space::kMeta, ActorRowKey(), ActorRowValue(lease)},
         {Space::kMeta, WitnessRowKey(first.actor), WitnessRowValue(first)},
         {Space::kMeta, WitnessRowKey(second.actor), WitnessRowValue(second)}});
  engine_.Crash();
  const Identity after = Open();
  EXPECT_EQ(after.lease.begin, lease.end);
  EXPECT_THAT(after.witnessed, testing::ElementsAre(testing::Pair(first.actor, first),
                                                    testing::Pair(second.actor, second)));
}

TEST_F(IdentityTest, ANewActorTakesTheDirectoryOver) {
  Open();
  const ActorId successor{8, 9};
  Write({{Space::kMeta, ActorRowKey(), ActorRowValue(Lease{successor, 0, 100, 0})}});
  const Identity after = Open();
  EXPECT_EQ(after.lease.actor, successor);
  EXPECT_EQ(after.lease.begin, 100u);
}

TEST_F(IdentityTest, RefusesAnotherClustersDirectoryAndLeavesItAlone) {
  Open();
  const auto before = MetaRows();
  const Result<Identity> refused = TryOpen("theirs");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kWrongCluster);
  EXPECT_THAT(refused.error().text, HasSubstr("'ours'"));
  EXPECT_THAT(refused.error().text, HasSubstr("'theirs'"));
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(IdentityTest, RefusesAnotherNodesDirectoryAndLeavesItAlone) {
  Open();
  const auto before = MetaRows();
  const NodeId other{.high = 5, .low = 6};
  const Result<Identity> refused = TryOpen("ours", other);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kWrongCluster);
  EXPECT_THAT(refused.error().text, HasSubstr(kNode.ToHex()));
  EXPECT_THAT(refused.error().text, HasSubstr(other.ToHex()));
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(IdentityTest, RefusesANewerFormatAndLeavesItAlone) {
  Open();
  std::string newer;
  AppendU32(&newer, kFormatVersion + 1);
  SealRow("format", &newer);
  Write({{Space::kMeta, "format", newer}});
  const auto before = MetaRows();
  const Result<Identity> refused = TryOpen();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kWrongCluster);
  EXPECT_THAT(refused.error().text, HasSubstr("format 2"));
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(IdentityTest, ANewDirectoryIsSomebodyNewAndStaysSo) {
  const Owner owner{.cluster = "ours", .name = "n1"};
  MemoryEngine other;
  const auto first = OpenIdentity(&engine_, owner, &random_);
  const auto second = OpenIdentity(&other, owner, &random_);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first->node, second->node) << "of one name, and yet not the same";
  EXPECT_EQ(OpenIdentity(&engine_, owner, &random_)->node, first->node);
}

TEST_F(IdentityTest, RefusesTheDirectoryOfANodeOfAnotherName) {
  ASSERT_TRUE(OpenIdentity(&engine_, {.cluster = "ours", .name = "n1"}, &random_).has_value());
  const auto before = MetaRows();
  const auto refused = OpenIdentity(&engine_, {.cluster = "ours", .name = "n2"}, &random_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kWrongCluster);
  EXPECT_THAT(refused.error().text, HasSubstr("'n1'"));
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(IdentityTest, KeepsWhatTheNodeKnowsOfTheLayouts) {
  Open();
  Write({{Space::kMeta, LayoutsRowKey(), LayoutsRowValue("layouts")},
         {Space::kMeta, VotesRowKey(), VotesRowValue("votes")}});
  const auto identity = TryOpen();
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->layouts, "layouts");
  EXPECT_EQ(identity->votes, "votes");
}

TEST_F(IdentityTest, CountsTheHintsThatAreThere) {
  Open();
  constexpr NodeId kAway{.high = 7, .low = 7};
  const auto key = [](std::string_view name) {
    return EncodeHintKey(kAway, EncodeKey({.token = 1, .bucket = "b", .key = name}));
  };
  Write({{Space::kHints, key("a"), "12345"}, {Space::kHints, key("b"), "123"}});
  const Identity identity = Open();
  ASSERT_EQ(identity.hints.size(), 1u);
  EXPECT_EQ(identity.hints.at(kAway),
            (HintUsage{.rows = 2, .bytes = key("a").size() + key("b").size() + 8}));
}

TEST_F(IdentityTest, FindsEveryFlippedBitInItsRows) {
  Open();
  const Lease witnessed{ActorId{3, 4}, 10, 20, 30};
  Write({{Space::kMeta, WitnessRowKey(witnessed.actor), WitnessRowValue(witnessed)},
         {Space::kMeta, LayoutsRowKey(), LayoutsRowValue("layouts")},
         {Space::kMeta, VotesRowKey(), VotesRowValue("votes")}});
  ASSERT_TRUE(CloseIdentity(&engine_, lattice::History{1}).has_value());
  const auto rows = MetaRows();
  ASSERT_EQ(rows.size(), 9u)
      << "format, cluster, node, name, actor, clean, the witness, layouts and votes";
  for (const auto& [key, value] : rows) {
    for (size_t bit = 0; bit < value.size() * 8; ++bit) {
      std::string rotten = value;
      rotten[bit / 8] = static_cast<char>(rotten[bit / 8] ^ (1 << (bit % 8)));
      Write({{Space::kMeta, key, rotten}});
      const Result<Identity> refused = TryOpen();
      ASSERT_FALSE(refused.has_value()) << key << " bit " << bit;
      EXPECT_EQ(refused.error().code, Code::kCorruption);
      EXPECT_THAT(refused.error().text, HasSubstr(key));
    }
    Write({{Space::kMeta, key, value}});
  }
  EXPECT_TRUE(TryOpen().has_value());
}

TEST_F(IdentityTest, RefusesDataWithoutAnIdentity) {
  Open();
  Write({{Space::kData, "key", "value"}});
  for (const std::string row : {"format", "cluster", "node", "actor"}) {
    std::string value;
    ASSERT_EQ(engine_.Get(Space::kMeta, row, Tier::kDisk, &value), Presence::kFound);
    Write({{Space::kMeta, row, std::nullopt}});
    const Result<Identity> refused = TryOpen();
    ASSERT_FALSE(refused.has_value()) << row;
    EXPECT_EQ(refused.error().code, Code::kCorruption);
    Write({{Space::kMeta, row, value}});
  }
}

TEST_F(IdentityTest, AReadErrorIsNoEmptyDirectory) {
  Open();
  for (uint64_t call = 1; call <= 6; ++call) {
    engine_.FailCall(MemoryEngine::Call::kGet, call, Error{Code::kIo, "bad disk"});
    const Result<Identity> refused = TryOpen();
    ASSERT_FALSE(refused.has_value()) << call;
    EXPECT_EQ(refused.error().code, Code::kIo);
  }
}

}  // namespace
}  // namespace eddy::storage
