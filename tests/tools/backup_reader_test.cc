// What a backup's directories hold together.
#include "tools/backup_reader.h"

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ring/token.h"
#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"
#include "tests/lattice/generators.h"

namespace eddy::tools {
namespace {

using lattice::Record;
using storage::Space;

std::string KeyOf(const std::string& key) {
  return storage::EncodeKey({.token = ring::TokenOf("b", key).value, .bucket = "b", .key = key});
}

void Put(storage::Engine* engine, Space space, const std::string& place, const Record& record) {
  std::string row = storage::EncodeRecord(record);
  storage::SealRecord(place, 0, &row);
  RC_ASSERT(engine->Write({{space, place, row}}, storage::Logging::kLogged).has_value());
}

// Any three directories, with records and hints of few keys.
RC_GTEST_PROP(BackupReader, GivesEachKeyOnceInOrderAndJoinedOverAllDirectoriesAndHints, ()) {
  std::vector<BackupReader::Directory> directories;
  std::map<std::string, Record> expected;
  for (int i = 0; i < 3; ++i) {
    auto engine = std::make_unique<storage::MemoryEngine>();
    for (int k = 0; k < 6; ++k) {
      const std::string key = KeyOf("k" + std::to_string(*rc::gen::inRange(0, 8)));
      const Record record = *lattice::ArbitraryRecord();
      if (record.empty()) continue;
      const bool hint = *rc::gen::inRange(0, 3) == 0;
      const NodeId owner{.high = 7, .low = *rc::gen::inRange<uint64_t>(1, 4)};
      const Space space = hint ? Space::kHints : Space::kData;
      const std::string place = hint ? storage::EncodeHintKey(owner, key) : key;
      std::string there;
      if (engine->Get(space, place, storage::Tier::kDisk, &there) == storage::Presence::kFound) {
        continue;
      }
      Put(engine.get(), space, place, record);
      expected[key].Join(record);
    }
    directories.push_back({.name = "n" + std::to_string(i), .engine = std::move(engine)});
  }
  auto reader = BackupReader::Open(std::move(directories), storage::FirstKeyOf(0));
  RC_ASSERT(reader.has_value());
  for (const auto& [key, record] : expected) {
    const auto next = reader->Next();
    RC_ASSERT(next.has_value());
    RC_ASSERT(next->key == key);
    RC_ASSERT((next->record == record));
  }
  RC_ASSERT(!reader->Next().has_value());
  RC_ASSERT(reader->flaw_count() == 0u);
}

Record Value(uint64_t counter) {
  Record record;
  record.Put({}, {.dot = {{1, 1}, counter}, .timestamp = {}, .value = "v"}, {});
  return record;
}

TEST(BackupReader, LeavesOutWhatHasRottedAndTakesTheOthersCopy) {
  std::vector<BackupReader::Directory> directories;
  for (uint64_t i = 1; i <= 2; ++i) {
    auto engine = std::make_unique<storage::MemoryEngine>();
    Put(engine.get(), Space::kData, KeyOf("both"), Value(1));
    Put(engine.get(), Space::kData, KeyOf("only" + std::to_string(i)), Value(i));
    directories.push_back({.name = "n" + std::to_string(i), .engine = std::move(engine)});
  }
  const auto rot = [&](size_t directory, const std::string& key) {
    storage::Engine* engine = directories[directory].engine.get();
    std::string row;
    ASSERT_EQ(engine->Get(Space::kData, key, storage::Tier::kDisk, &row),
              storage::Presence::kFound);
    row[3] = static_cast<char>(row[3] ^ 1);
    ASSERT_TRUE(engine->Write({{Space::kData, key, row}}, storage::Logging::kLogged).has_value());
  };
  rot(0, KeyOf("both"));
  rot(1, KeyOf("only2"));
  auto reader = BackupReader::Open(std::move(directories), storage::FirstKeyOf(0));
  ASSERT_TRUE(reader.has_value());
  std::map<std::string, Record> found;
  while (auto next = reader->Next()) found.emplace(next->key, next->record);
  EXPECT_EQ(found,
            (std::map<std::string, Record>{{KeyOf("both"), Value(1)}, {KeyOf("only1"), Value(1)}}));
  EXPECT_EQ(reader->flaw_count(), 2u);
  EXPECT_EQ(reader->rows(), 4u);
}

TEST(BackupReader, BeginsWhereItIsTold) {
  auto engine = std::make_unique<storage::MemoryEngine>();
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back(KeyOf("k" + std::to_string(i)));
  std::ranges::sort(keys);
  for (const std::string& key : keys) {
    Put(engine.get(), Space::kData, key, Value(1));
    Put(engine.get(), Space::kHints, storage::EncodeHintKey({1, 5}, key), Value(2));
  }
  std::vector<BackupReader::Directory> directories;
  directories.push_back({.name = "n1", .engine = std::move(engine)});
  auto reader = BackupReader::Open(std::move(directories),
                                   storage::FirstKeyOf(storage::TokenOfKey(keys[400])));
  ASSERT_TRUE(reader.has_value());
  size_t at = 400;
  while (auto next = reader->Next()) {
    ASSERT_EQ(next->key, keys.at(at++));
    ASSERT_EQ(next->record.siblings().size(), 2u);
  }
  EXPECT_EQ(at, keys.size());
}

}  // namespace
}  // namespace eddy::tools
