// A directory of each format that there was must open for ever, and show what was written to it.
// tests/storage/golden/format-N holds them; EDDY_WRITE_GOLDEN=DIR has the current one written to
// DIR.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/random.h"
#include "ring/layout_history.h"
#include "ring/planner.h"
#include "ring/token.h"
#include "storage/identity.h"
#include "storage/inspection.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "storage/rocks_engine.h"
#include "storage/store.h"
#include "tests/storage/temp_dir.h"

namespace eddy::storage {
namespace {

namespace fs = std::filesystem;
using lattice::Record;
using lattice::Sibling;

constexpr ActorId kOther{.high = 0x0102030405060708, .low = 0x1112131415161718};
constexpr NodeId kAway{.high = 7, .low = 9};

std::string KeyOf(const std::string& bucket, const std::string& key) {
  return EncodeKey({ring::TokenOf(bucket, key).value, bucket, key});
}

Sibling Value(uint64_t counter, const std::string& value, WallTime expires_at = Sibling::kNever) {
  return {.dot = {kOther, counter},
          .timestamp = {.value = (uint64_t{1'700'000'000'000} << 16) + counter},
          .expires_at = expires_at,
          .value = value};
}

// What is in the directory: in each step all that is written at once.
std::vector<std::pair<std::string, Record>> Records() {
  std::vector<std::pair<std::string, Record>> records;
  const auto add = [&](const std::string& bucket, const std::string& key) -> Record& {
    return records.emplace_back(KeyOf(bucket, key), Record()).second;
  };
  add("default", "one").Put({}, Value(1, "a value"), {});
  Record& siblings = add("default", "siblings");
  siblings.Put({}, Value(3, "left"), {});
  siblings.Put({}, Value(9, std::string(5'000, 'r')), {9});
  Record& deleted = add("default", "deleted");
  deleted.Put({}, Value(12, "gone"), {});
  deleted.Delete(deleted.context());
  add("sessions", "expiring")
      .Put({}, Value(20, "", WallTime(std::chrono::milliseconds(1'800'000'000'000))), {});
  add("binary", std::string("k\0{tag}\xff", 8)).Put({}, Value(30, std::string("\0\xff", 2)), {});
  return records;
}
Record Hint() {
  Record hint;
  hint.Put({}, Value(40, "for somebody who is away"), {});
  return hint;
}

std::string Layouts() {
  ring::PlanRequest request;
  request.partition_bits = 4;
  for (uint64_t i = 1; i <= 3; ++i) {
    ring::Member member;
    member.id = NodeId{1, i};
    member.name = "n" + std::to_string(i);
    member.zone = "z" + std::to_string(i);
    member.doors.host = "127.0.0." + std::to_string(i);
    request.members.push_back(std::move(member));
  }
  return ring::LayoutHistory(ring::PlanLayout(request)->layout).Encode();
}

void Run(Store* store, RocksEngine* engine, StoreVerb verb) {
  std::vector<StoreResult> results;
  CHECK(store->Execute(&verb, Tier::kDisk, &results));
  const uint64_t commit = store->Commit(&results);
  store->Synced(commit, engine->Sync(), &results);
  for (const StoreResult& result : results) CHECK(result.record.has_value());
}

// Some of it in a table, some in the log.
void WriteDirectory(const std::string& directory) {
  TempDir scratch;
  {
    const auto engine = *RocksEngine::Open({.path = scratch / "data"});
    Random random(1);
    const auto identity = OpenIdentity(
        engine.get(), {.cluster = "golden", .name = "n1", .node = NodeId{1, 1}}, &random);
    Store store(engine.get(), identity->lease);
    const auto records = Records();
    for (size_t i = 0; i < records.size(); ++i) {
      const auto& [key, record] = records[i];
      Run(&store, engine.get(), {.id = 1, .key = key, .action = JoinVerb{EncodeRecord(record)}});
      if (i == 2) CHECK(engine->Flush().has_value());
    }
    Run(&store, engine.get(),
        {.id = 1,
         .key = KeyOf("default", "hinted"),
         .action = JoinVerb{EncodeRecord(Hint())},
         .hint_owner = kAway});
    const Lease lease{.actor = kOther, .begin = 5, .end = 10, .boot = 3};
    Run(&store, engine.get(),
        {.id = 1, .key = WitnessRowKey(kOther), .action = PutMetaVerb{WitnessRowValue(lease)}});
    Run(&store, engine.get(),
        {.id = 1, .key = LayoutsRowKey(), .action = PutMetaVerb{LayoutsRowValue(Layouts())}});
    Run(&store, engine.get(),
        {.id = 1, .key = DamageRowKey(77), .action = PutMetaVerb{DamageRowValue(77)}});
    // As a killed process leaves it.
    fs::create_directories(directory);
    for (const fs::directory_entry& entry : fs::directory_iterator(scratch / "data")) {
      const std::string name = entry.path().filename();
      const bool needed = name == "CURRENT" || name.starts_with("MANIFEST") ||
                          name.ends_with(".log") || name.ends_with(".sst");
      if (needed) fs::copy_file(entry.path(), fs::path(directory) / name);
    }
  }
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, OpensForEver) {
  TempDir scratch;
  fs::copy(fs::path(EDDY_GOLDEN_DIR) / GetParam(), scratch / "data");
  {
    const auto read_only = RocksEngine::OpenToRead(scratch / "data");
    ASSERT_TRUE(read_only.has_value()) << read_only.error().text;
    const Inspection found = Inspect(read_only->get(), [](uint64_t, uint64_t) { return true; });
    EXPECT_TRUE(found.sound());
    EXPECT_EQ(found.buckets.at("default").records, 3u);
    EXPECT_EQ(found.buckets.at("default").tombstones, 1u);
    EXPECT_EQ(found.hints.at(kAway).rows, 1u);
    const auto peeked = PeekIdentity(read_only->get());
    ASSERT_TRUE(peeked.has_value()) << peeked.error().text;
    EXPECT_EQ(peeked->cluster, "golden");
    EXPECT_EQ(peeked->name, "n1");
    EXPECT_FALSE(peeked->clean.has_value());
  }

  const auto engine = RocksEngine::Open({.path = scratch / "data"});
  ASSERT_TRUE(engine.has_value()) << engine.error().text;
  EXPECT_EQ((*engine)->news(), "");
  Random random(2);
  const auto identity =
      OpenIdentity(engine->get(), {.cluster = "golden", .name = "n1", .node = {}}, &random);
  ASSERT_TRUE(identity.has_value()) << identity.error().text;
  EXPECT_EQ(identity->node, (NodeId{1, 1}));
  EXPECT_EQ(identity->lease.begin, kLeaseBlock) << "the first block was out";
  EXPECT_EQ(identity->witnessed.at(kOther).end, 10u);
  EXPECT_TRUE(identity->hints.contains(kAway));
  EXPECT_EQ(identity->damaged, std::vector<TokenRange>{77});
  const auto layouts = ring::LayoutHistory::Decode(identity->layouts);
  ASSERT_TRUE(layouts.has_value());
  EXPECT_EQ(layouts->newest().members().size(), 3u);
  EXPECT_EQ(layouts->newest().partition_count(), 16u);
  for (const auto& [key, record] : Records()) {
    const auto found = InspectKey(engine->get(), key);
    ASSERT_TRUE(found.has_value() && found->record.has_value());
    EXPECT_EQ(DecodeRecord(*found->record).value(), record);
  }
  const auto hinted = InspectKey(engine->get(), KeyOf("default", "hinted"));
  ASSERT_TRUE(hinted.has_value() && hinted->hints.contains(kAway));
  EXPECT_EQ(DecodeRecord(*hinted->hints.at(kAway)).value(), Hint());
}

INSTANTIATE_TEST_SUITE_P(Formats, Golden, testing::Values("format-1"), [](const auto& format) {
  std::string name = format.param;
  std::erase(name, '-');
  return name;
});

// The rows that are written now are those of the newest one, byte for byte: whatever changes them
// is another format.
TEST(GoldenNow, WritesTheSameBytes) {
  TempDir scratch;
  WriteDirectory(scratch / "data");
  if (const char* wanted = std::getenv("EDDY_WRITE_GOLDEN")) WriteDirectory(wanted);
  fs::copy(fs::path(EDDY_GOLDEN_DIR) / ("format-" + std::to_string(kFormatVersion)),
           scratch / "golden");
  const auto now = *RocksEngine::OpenToRead(scratch / "data");
  const auto then = *RocksEngine::OpenToRead(scratch / "golden");
  for (const Space space : {Space::kData, Space::kHints, Space::kMeta}) {
    const auto rows = [&](RocksEngine* engine) {
      std::vector<std::pair<std::string, std::string>> found;
      CHECK(engine
                ->Scan(space, {}, {},
                       [&](std::string_view key, std::string_view row) {
                         found.emplace_back(key, row);
                         return true;
                       })
                .has_value());
      return found;
    };
    EXPECT_EQ(rows(now.get()), rows(then.get()));
  }
}

}  // namespace
}  // namespace eddy::storage
