// Pages of rows (storage/scan.h) and hints (storage/store.h) over every engine; part of the suite
// of tests/storage/engine_promises.h.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "storage/scan.h"
#include "storage/store.h"
#include "tests/storage/engine_promises.h"

namespace eddy::storage {

inline std::string KeyAt(uint64_t token) {
  return EncodeKey({.token = token, .bucket = "b", .key = "k"});
}

inline std::string EncodedRecord(const std::string& value) {
  lattice::Record record;
  record.Put({}, {.dot = {{9, 9}, 1}, .timestamp = {}, .value = value}, {});
  return EncodeRecord(record);
}

inline Write SealedRow(Space space, const std::string& key, const std::string& value) {
  std::string row = EncodedRecord(value);
  SealRecord(key, 0, &row);
  return {space, key, row};
}

TEST_P(EngineTest, PagesHoldEachRowOnceWithinTheirBounds) {
  for (uint64_t token = 1; token <= 10; ++token) {
    Write({SealedRow(Space::kData, KeyAt(token), std::string(100, 'v'))});
  }
  const auto pages = [&](ScanVerb scan) {
    scan.end = KeyAt(9);
    StoreVerb verb{.id = 3, .key = KeyAt(2), .action = scan};
    std::vector<size_t> sizes;
    uint64_t token = 2;
    do {
      const StoreResult page = ScanPage(engine(), verb);
      EXPECT_TRUE(page.record.has_value());
      EXPECT_EQ(page.id, 3u);
      for (const ScannedRow& row : page.rows) {
        EXPECT_EQ(row.key, KeyAt(token++));
        const std::string record = EncodedRecord(std::string(100, 'v'));
        EXPECT_EQ(row.record, scan.digests_only ? std::string() : record);
        EXPECT_EQ(row.digest, RecordDigest(record));
        EXPECT_EQ(row.bytes, record.size());
      }
      sizes.push_back(page.rows.size());
      verb.key = page.next;
    } while (!verb.key.empty());
    EXPECT_EQ(token, 9u);
    return sizes;
  };
  EXPECT_THAT(pages({.rows_max = 3}), testing::ElementsAre(3, 3, 1));
  EXPECT_THAT(pages({.digests_only = true}), testing::ElementsAre(7));
  EXPECT_THAT(pages({.bytes_max = 1}), testing::Each(1)) << "always one, however large";
}

TEST_P(EngineTest, TheHintsOfAnOwnerAreARangeOfTheirOwn) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  const std::vector<NodeId> owners = {{1, 7}, {1, kMost}, {2, 0}, {kMost, kMost}};
  for (const NodeId owner : owners) {
    for (uint64_t token = 1; token <= 3; ++token) {
      Write({SealedRow(Space::kHints, EncodeHintKey(owner, KeyAt(token)), owner.ToHex())});
    }
  }
  for (const NodeId owner : owners) {
    const StoreResult page =
        ScanPage(engine(), {.id = 1, .key = {}, .action = ScanVerb(), .hint_owner = owner});
    ASSERT_EQ(page.rows.size(), 3u) << owner.ToHex();
    EXPECT_EQ(page.next, "");
    for (uint64_t token = 1; token <= 3; ++token) {
      EXPECT_EQ(page.rows[token - 1].key, KeyAt(token));
      EXPECT_EQ(page.rows[token - 1].record, EncodedRecord(owner.ToHex()));
    }
  }
}

TEST_P(EngineTest, ARowThatRottedIsPartOfItsPage) {
  Write({SealedRow(Space::kData, KeyAt(1), "v"),
         {Space::kData, KeyAt(2), "rot"},
         SealedRow(Space::kData, KeyAt(3), "v")});
  const StoreResult page = ScanPage(engine(), {.id = 1, .key = {}, .action = ScanVerb()});
  ASSERT_EQ(page.rows.size(), 3u);
  EXPECT_TRUE(page.rows[0].record.has_value());
  EXPECT_EQ(page.rows[1].record.error().code, Code::kCorruption);
  EXPECT_TRUE(page.rows[2].record.has_value());
}

TEST_P(EngineTest, AHintGoesOnlyIfItIsStillTheOneThatWasDelivered) {
  constexpr NodeId kAway{7, 7};
  Store store(engine(), Lease{{1, 1}, 0, 1000, 0});
  const auto execute = [&](decltype(StoreVerb::action) action) {
    std::vector<StoreResult> results;
    StoreVerb verb{.id = 1, .key = KeyAt(1), .action = std::move(action), .hint_owner = kAway};
    EXPECT_TRUE(store.Execute(&verb, Tier::kDisk, &results));
    const uint64_t commit = store.Commit(&results);
    store.Synced(commit, engine()->Sync(), &results);
    EXPECT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].hint_owner, kAway);
    return results[0].record;
  };
  lattice::Record newer;
  newer.Put({}, {.dot = {{8, 8}, 1}, .timestamp = {}, .value = "newer"}, {});
  const std::string first = EncodedRecord("first");
  EXPECT_TRUE(execute(JoinVerb{first}).has_value());
  EXPECT_TRUE(execute(JoinVerb{EncodeRecord(newer)}).has_value());
  const Result<std::string> left = execute(RemoveVerb{RecordDigest(first)});
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(DecodeRecord(*left)->siblings().size(), 2u) << "it changed meanwhile, and stays";
  EXPECT_EQ(execute(RemoveVerb{RecordDigest(*left)}), "");
  EXPECT_EQ(Get(EncodeHintKey(kAway, KeyAt(1)), Space::kHints), "(absent)");
}

}  // namespace eddy::storage
