#include "storage/rocks_engine.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/check.h"
#include "storage/damage.h"
#include "storage/key.h"
#include "storage/rocks_log_check.h"
#include "storage/rocks_options.h"
#include "storage/rocks_salvage.h"
#include "tests/storage/engine_promises.h"
#include "tests/storage/scan_promises.h"
#include "tests/storage/temp_dir.h"

namespace eddy::storage {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::unique_ptr<RocksEngine> Open(const std::string& path) {
  Result<std::unique_ptr<RocksEngine>> engine = RocksEngine::Open({.path = path});
  if (!engine.has_value()) ADD_FAILURE() << engine.error().text;
  CHECK(engine.has_value());
  return *std::move(engine);
}

Error OpenError(const RocksEngineOptions& options) {
  const Result<std::unique_ptr<RocksEngine>> engine = RocksEngine::Open(options);
  if (engine.has_value()) return Error{Code{}, "opened"};
  return engine.error();
}

// The files of an open store as they are now: what a killed process would leave.
void CopyFiles(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    if (entry.path().filename() != "LOCK") fs::copy(entry.path(), to / entry.path().filename());
  }
}

class RocksHost final : public EngineHost {
 public:
  Engine* engine() override { return engine_.get(); }
  void Kill() override {
    const fs::path after = directory_.path() / std::to_string(++life_);
    CopyFiles(path_, after);
    path_ = after;
    engine_ = Open(path_);
  }

 private:
  TempDir directory_;
  int life_ = 0;
  fs::path path_ = directory_.path() / "0";
  std::unique_ptr<RocksEngine> engine_ = Open(path_);
};

INSTANTIATE_TEST_SUITE_P(Rocks, EngineTest,
                         testing::Values(EngineKind{"Rocks",
                                                    [] { return std::make_unique<RocksHost>(); }}),
                         [](const auto& kind) { return kind.param.name; });

WriteBatch Row(const std::string& key, const std::string& value) {
  return {{Space::kData, key, value}};
}

std::vector<fs::path> FilesEndingWith(const fs::path& directory, std::string_view ending) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().string().ends_with(ending)) files.push_back(entry.path());
  }
  return files;
}

void FlipByte(const fs::path& file, std::streamoff offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(offset);
  const char byte = static_cast<char>(stream.get() ^ 0x40);
  stream.seekp(offset);
  stream.put(byte);
  ASSERT_TRUE(stream.good());
}

TEST(RocksEngine, ReopensWithEverythingAfterAStop) {
  TempDir directory;
  {
    const auto engine = Open(directory / "data");
    ASSERT_TRUE(engine->Write(Row("logged", "1"), Logging::kLogged).has_value());
    ASSERT_TRUE(engine->Write(Row("unlogged", "2"), Logging::kUnlogged).has_value());
    ASSERT_TRUE(engine->Flush().has_value());
  }
  const auto engine = Open(directory / "data");
  std::string value;
  EXPECT_EQ(engine->Get(Space::kData, "logged", Tier::kDisk, &value), Presence::kFound);
  EXPECT_EQ(engine->Get(Space::kData, "unlogged", Tier::kDisk, &value), Presence::kFound);
}

TEST(RocksEngine, TellsWhatItTakesOfMemoryAndDisk) {
  TempDir directory;
  const auto engine = Open(directory / "data");
  const EngineUsage before = engine->Usage();
  EXPECT_GT(before.cache_bytes_max, 0u);
  ASSERT_TRUE(engine->Write(Row("k", std::string(1 << 20, 'v')), Logging::kLogged).has_value());
  const EngineUsage written = engine->Usage();
  EXPECT_GE(written.memtable_bytes, before.memtable_bytes + (1 << 20));
  EXPECT_EQ(written.files_bytes, before.files_bytes);
  // Memtables are charged to the cache.
  EXPECT_GE(written.cache_bytes, before.cache_bytes + (1 << 20));
  ASSERT_TRUE(engine->Flush().has_value());
  const EngineUsage flushed = engine->Usage();
  EXPECT_GT(flushed.files_bytes, before.files_bytes);
  EXPECT_LT(flushed.memtable_bytes, written.memtable_bytes);
  // The thread that flushed may still be at putting its things away.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (engine->Usage().flushes > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    std::this_thread::yield();
  }
}

TEST(RocksEngine, ReadsFromTheCacheWhatADiskReadBroughtThere) {
  TempDir directory;
  {
    const auto engine = Open(directory / "data");
    ASSERT_TRUE(engine->Write(Row("key", "value"), Logging::kLogged).has_value());
    ASSERT_TRUE(engine->Flush().has_value());
  }
  const auto engine = Open(directory / "data");
  std::string value;
  EXPECT_EQ(engine->Get(Space::kData, "key", Tier::kCache, &value), Presence::kNotCached);
  EXPECT_EQ(engine->Get(Space::kData, "key", Tier::kDisk, &value), Presence::kFound);
  EXPECT_EQ(engine->Get(Space::kData, "key", Tier::kCache, &value), Presence::kFound);
  EXPECT_EQ(value, "value");
}

// Power loss: the disk has everything up to the last sync and any part of what followed.
TEST(RocksEngine, ATornLogLosesOnlyWholeBatchesAfterTheSync) {
  constexpr size_t kSynced = 3, kUnsynced = 4;
  TempDir directory;
  const auto engine = Open(directory / "data");
  const auto write = [&](size_t number) {
    ASSERT_TRUE(engine
                    ->Write({{Space::kData, std::to_string(number), std::string(10, 'v')},
                             {Space::kMeta, std::to_string(number), "row"}},
                            Logging::kLogged)
                    .has_value());
  };
  for (size_t i = 0; i < kSynced; ++i) write(i);
  ASSERT_TRUE(engine->Sync().has_value());
  const std::vector<fs::path> logs = FilesEndingWith(directory / "data", ".log");
  ASSERT_EQ(logs.size(), 1u);
  const uintmax_t synced_bytes = fs::file_size(logs[0]);
  for (size_t i = 0; i < kUnsynced; ++i) write(kSynced + i);
  const uintmax_t all_bytes = fs::file_size(logs[0]);
  ASSERT_GT(all_bytes, synced_bytes);

  size_t least = kSynced + kUnsynced;
  for (uintmax_t bytes = synced_bytes; bytes <= all_bytes; bytes += 7) {
    const fs::path torn = directory / ("torn" + std::to_string(bytes));
    CopyFiles(directory / "data", torn);
    fs::resize_file(torn / logs[0].filename(), bytes);
    const auto after = Open(torn);
    size_t left = 0;
    for (size_t i = 0; i < kSynced + kUnsynced; ++i) {
      std::string value;
      const auto data = after->Get(Space::kData, std::to_string(i), Tier::kDisk, &value);
      const auto meta = after->Get(Space::kMeta, std::to_string(i), Tier::kDisk, &value);
      ASSERT_EQ(data, meta) << "half of a batch";
      if (data == Presence::kFound) {
        ASSERT_EQ(left, i) << "a batch without the one before it";
        ++left;
      }
    }
    EXPECT_GE(left, kSynced);
    least = std::min(least, left);
    fs::remove_all(torn);
  }
  EXPECT_EQ(least, kSynced) << "the truncation lost nothing, so this test shows nothing";
}

TEST(RocksEngine, ARottenFileIsAnErrorAndNeverAbsent) {
  TempDir directory;
  constexpr int kRows = 200;
  {
    const auto engine = Open(directory / "data");
    for (int i = 0; i < kRows; ++i) {
      ASSERT_TRUE(engine->Write(Row(std::to_string(i), std::string(200, 'v')), Logging::kLogged)
                      .has_value());
    }
    ASSERT_TRUE(engine->Flush().has_value());
  }
  const std::vector<fs::path> tables = FilesEndingWith(directory / "data", ".sst");
  ASSERT_EQ(tables.size(), 1u);
  FlipByte(tables[0], 100);
  const auto engine = Open(directory / "data");
  int errors = 0;
  for (int i = 0; i < kRows; ++i) {
    std::string value;
    const Result<Presence> presence =
        engine->Get(Space::kData, std::to_string(i), Tier::kDisk, &value);
    if (!presence.has_value()) {
      EXPECT_EQ(presence.error().code, Code::kCorruption);
      ++errors;
    } else {
      EXPECT_EQ(*presence, Presence::kFound);
      EXPECT_EQ(value, std::string(200, 'v'));
    }
  }
  EXPECT_GT(errors, 0);
  const Status scanned =
      engine->Scan(Space::kData, "", "", [](std::string_view, std::string_view) { return true; });
  EXPECT_EQ(scanned.error().code, Code::kCorruption);
}

TEST(RocksEngine, ASecondOpeningIsRefusedAndHarmsNothing) {
  TempDir directory;
  const std::string path = directory / "data";
  const auto engine = Open(path);
  ASSERT_TRUE(engine->Write(Row("key", "1"), Logging::kLogged).has_value());
  const Error error = OpenError({.path = path});
  EXPECT_EQ(error.code, Code::kConflict);
  EXPECT_THAT(error.text, HasSubstr(path));
  EXPECT_THAT(error.text, HasSubstr("in use"));
  ASSERT_TRUE(engine->Write(Row("key", "2"), Logging::kLogged).has_value());
  ASSERT_TRUE(engine->Sync().has_value());
  std::string value;
  ASSERT_EQ(engine->Get(Space::kData, "key", Tier::kDisk, &value), Presence::kFound);
  EXPECT_EQ(value, "2");
}

TEST(RocksEngine, RefusesADirectoryOfSomethingElse) {
  TempDir directory;
  std::ofstream(directory / "photo.jpg") << "x";
  const Error error = OpenError({.path = directory.path()});
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_THAT(error.text, HasSubstr(directory.path().string()));
  EXPECT_THAT(error.text, HasSubstr("photo.jpg"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1) << "left files behind";
}

TEST(RocksEngine, RefusesAnotherProgramsDatabase) {
  TempDir directory;
  const std::string path = directory / "data";
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, path, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::ColumnFamilyHandle* family = nullptr;
  ASSERT_TRUE(db->CreateColumnFamily({}, "photos", &family).ok());
  ASSERT_TRUE(db->DestroyColumnFamilyHandle(family).ok());
  ASSERT_TRUE(db->Close().ok());
  const Error error = OpenError({.path = path});
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_THAT(error.text, HasSubstr(path));
  EXPECT_THAT(error.text, HasSubstr("photos"));
}

TEST(RocksEngine, RefusesAFileInPlaceOfADirectory) {
  TempDir directory;
  std::ofstream(directory / "file") << "x";
  const Error error = OpenError({.path = directory / "file"});
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_THAT(error.text, HasSubstr(directory / "file"));
  EXPECT_EQ(OpenError({.path = directory / "file/data"}).code, Code::kIo);
}

TEST(RocksEngine, MakesNoDirectoryUnlessAllowed) {
  TempDir directory;
  const std::string path = directory / "data";
  EXPECT_EQ(OpenError({.path = path, .create_if_missing = false}).code, Code::kInvalidArgument);
  EXPECT_FALSE(fs::exists(path));
  fs::create_directory(path);
  EXPECT_EQ(OpenError({.path = path, .create_if_missing = false}).code, Code::kInvalidArgument);
  Open(path);
  EXPECT_EQ(OpenError({.path = path, .create_if_missing = false}).text, "opened");
}

// A first start can be killed before there is a database; the next one must go on.
TEST(RocksEngine, OpensWhatAnInterruptedFirstOpeningLeft) {
  TempDir directory;
  const fs::path path = directory / "data";
  Open(path);
  for (const fs::path& log : FilesEndingWith(path, ".log")) fs::remove(log);
  fs::remove(path / "CURRENT");
  const auto engine = Open(path);
  EXPECT_TRUE(engine->Write(Row("key", "1"), Logging::kLogged).has_value());
}

TEST(RocksEngine, NeverBeginsAnewWhereDataLies) {
  TempDir directory;
  const fs::path path = directory / "data";
  Open(path);
  fs::remove(path / "CURRENT");
  const Error error = OpenError({.path = path});
  EXPECT_EQ(error.code, Code::kCorruption);
  EXPECT_THAT(error.text, HasSubstr(path.string()));
  EXPECT_THAT(error.text, HasSubstr("CURRENT"));
}

TEST(RocksEngine, RefusesADirectoryWithARottenManifest) {
  TempDir directory;
  const std::string path = directory / "data";
  Open(path);
  std::ofstream(path + "/CURRENT") << "MANIFEST-999999\n";
  const Error error = OpenError({.path = path});
  EXPECT_NE(error.text, "opened");
  EXPECT_THAT(error.text, HasSubstr(path));
}

TEST(RocksEngine, RefusesALimitThatCannotHoldItsMemtables) {
  TempDir directory;
  const Error error = OpenError({.path = directory / "data", .memory_limit_bytes = 1 << 20});
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_THAT(error.text, HasSubstr("memory limit"));
}

TEST(RocksOptions, SteersRoundTheBugsOfDebiansRelease) {
  const RocksOptions options = MakeRocksOptions(256 << 20);
  EXPECT_FALSE(options.database.track_and_verify_wals_in_manifest);
  EXPECT_EQ(options.database.wal_compression, rocksdb::kNoCompression);
  EXPECT_FALSE(options.database.atomic_flush);
  EXPECT_EQ(options.database.recycle_log_file_num, 0u);
  for (const rocksdb::ColumnFamilyOptions& space : options.spaces) {
    EXPECT_EQ(space.comparator, rocksdb::BytewiseComparator()) << "no user-defined timestamps";
  }
}

TEST(RocksOptions, AreThoseOfADurableStore) {
  const rocksdb::DBOptions database = MakeRocksOptions(256 << 20).database;
  EXPECT_EQ(database.wal_recovery_mode, rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  EXPECT_FALSE(database.manual_wal_flush);
  EXPECT_FALSE(database.avoid_flush_during_recovery);
  EXPECT_TRUE(database.paranoid_checks);
  EXPECT_GT(database.max_total_wal_size, 0u);
  EXPECT_GT(database.wal_bytes_per_sync, 0u);
  EXPECT_EQ(database.max_background_jobs, 2);
}

TEST(RocksOptions, BoundMemoryByOneCache) {
  constexpr size_t kLimit = 64 << 20;
  const RocksOptions options = MakeRocksOptions(kLimit);
  ASSERT_NE(options.database.write_buffer_manager, nullptr);
  EXPECT_TRUE(options.database.write_buffer_manager->cost_to_cache());
  EXPECT_LE(options.database.write_buffer_manager->buffer_size(), kLimit / 2);
  EXPECT_GT(options.database.max_open_files, 0);
  rocksdb::Cache* cache = nullptr;
  for (const rocksdb::ColumnFamilyOptions& space : options.spaces) {
    const auto* table = space.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    ASSERT_NE(table, nullptr);
    if (cache == nullptr) cache = table->block_cache.get();
    EXPECT_EQ(table->block_cache.get(), cache);
    EXPECT_EQ(cache->GetCapacity(), kLimit);
    EXPECT_TRUE(table->cache_index_and_filter_blocks);
    EXPECT_NE(table->filter_policy, nullptr);
    EXPECT_TRUE(table->whole_key_filtering);
    EXPECT_TRUE(space.level_compaction_dynamic_level_bytes);
    EXPECT_LE(space.write_buffer_size, size_t{8} << 20);
  }
}

// RocksDB tells of the beginning and the end of a stall from different threads, in either order:
// whoever believes the last word may hold writes back for ever.
TEST(RocksEngine, IsStalledNoLongerThanRocksDbIs) {
  TempDir directory;
  const auto engine = Open(directory / "data");
  const std::string value(size_t{1} << 20, 'v');
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(
        engine->Write(Row("key" + std::to_string(i % 8), value), Logging::kLogged).has_value());
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (engine->Health().stalled) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "stalled for good, after " << i;
      std::this_thread::yield();
    }
  }
}

// Rows as a node has them: tokens spread over all ranges.
std::string KeyAt(uint64_t token) {
  return EncodeKey({.token = token, .bucket = "b", .key = "k" + std::to_string(token)});
}
constexpr int kSpread = 4000;
uint64_t SpreadToken(int i) { return static_cast<uint64_t>(i) * (UINT64_MAX / kSpread); }
void WriteSpread(Engine* engine) {
  for (int i = 0; i < kSpread; ++i) {
    ASSERT_TRUE(engine->Write(Row(KeyAt(SpreadToken(i)), std::string(200, 'v')), Logging::kLogged)
                    .has_value());
  }
}

struct Salvaged {
  int found = 0;
  int lost = 0;
  std::vector<TokenRange> damaged;
};
Salvaged LookAt(RocksEngine* engine) {
  Salvaged seen{.damaged = ReadDamage(engine).value()};
  for (int i = 0; i < kSpread; ++i) {
    const uint64_t token = SpreadToken(i);
    std::string value;
    const auto presence = engine->Get(Space::kData, KeyAt(token), Tier::kDisk, &value);
    EXPECT_TRUE(presence.has_value());
    if (presence == Presence::kFound) {
      EXPECT_EQ(value, std::string(200, 'v'));
      ++seen.found;
      continue;
    }
    ++seen.lost;
    EXPECT_TRUE(std::ranges::binary_search(seen.damaged, TokenRangeOf(token)))
        << "absent, and nobody knows that it was lost";
  }
  return seen;
}

TEST(RocksEngine, ASalvageKeepsWhatCanBeReadAndMarksTheRest) {
  TempDir directory;
  {
    const auto engine = Open(directory / "data");
    WriteSpread(engine.get());
    ASSERT_TRUE(engine->Flush().has_value());
  }
  const std::vector<fs::path> tables = FilesEndingWith(directory / "data", ".sst");
  ASSERT_EQ(tables.size(), 1u);
  FlipByte(tables[0], 300'000);
  {
    const auto engine = Open(directory / "data");
    EXPECT_FALSE(engine->Health().damaged.has_value());
    const Status scanned =
        engine->Scan(Space::kData, "", "", [](std::string_view, std::string_view) { return true; });
    ASSERT_FALSE(scanned.has_value());
    EXPECT_EQ(engine->Health().damaged->code, Code::kCorruption);
    ASSERT_TRUE(engine->AskForSalvage().has_value());
  }
  std::vector<TokenRange> damaged;
  for (int opening = 0; opening < 3; ++opening) {
    const auto engine = Open(directory / "data");
    EXPECT_EQ(engine->news().empty(), opening > 0);
    const Salvaged seen = LookAt(engine.get());
    EXPECT_GT(seen.lost, 0);
    EXPECT_LT(seen.lost, 100) << "a block, and no more";
    EXPECT_LT(seen.damaged.size(), 400u);
    if (opening == 0) damaged = seen.damaged;
    EXPECT_EQ(seen.damaged, damaged);
    EXPECT_FALSE(engine->Health().damaged.has_value());
    // It is a store like any other: also for the next salvage.
    ASSERT_TRUE(engine->Write(Row("key", "value"), Logging::kLogged).has_value());
    ASSERT_TRUE(engine->Flush().has_value());
    if (opening == 1) {
      std::string ignored;
      ASSERT_TRUE(engine->Get(Space::kData, "key", Tier::kDisk, &ignored).has_value());
    }
  }
}

TEST(RocksEngine, ASalvageThatWasInterruptedBeginsAnew) {
  TempDir directory;
  const std::string path = directory / "data";
  {
    const auto engine = Open(path);
    WriteSpread(engine.get());
    ASSERT_TRUE(engine->Flush().has_value());
  }
  // What it would have left half-way: the copy, with something in it that is only there.
  {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names)
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), path, families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::ColumnFamilyHandle* copy = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily({}, OtherFamilyName("data"), &copy).ok());
    ASSERT_TRUE(db->Put({}, copy, "half", "way").ok());
    handles.push_back(copy);
    for (auto* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  }
  ASSERT_TRUE(AskForSalvage(path).has_value());
  const auto engine = Open(path);
  const Salvaged seen = LookAt(engine.get());
  EXPECT_EQ(seen.found, kSpread);
  EXPECT_TRUE(seen.damaged.empty());
  std::string value;
  EXPECT_EQ(engine->Get(Space::kData, "half", Tier::kDisk, &value), Presence::kAbsent);
  EXPECT_FALSE(SalvageIsAskedFor(path));
}

// A log that ends in the middle of a record is what a crash leaves; one that goes on behind a bad
// place has lost what was acknowledged.
TEST(RocksEngine, ALogThatHasRottedLeavesNothingToBeAnsweredForAndATornOneAll) {
  TempDir directory;
  const fs::path live = directory / "data";
  const fs::path killed = directory / "killed";
  constexpr int kRows = 400;
  {
    const auto engine = Open(live);
    for (int i = 0; i < kRows; ++i) {
      const std::string key = KeyAt(static_cast<uint64_t>(i) << 50);
      ASSERT_TRUE(engine->Write(Row(key, std::string(300, 'v')), Logging::kLogged).has_value());
    }
    ASSERT_TRUE(engine->Sync().has_value());
    CopyFiles(live, killed);
  }
  const fs::path log = FilesEndingWith(killed, ".log").at(0).filename();
  const auto bytes = static_cast<std::streamoff>(fs::file_size(killed / log));
  int case_number = 0;
  const auto damaged_after = [&](const auto& change) {
    const fs::path copy = directory / std::to_string(++case_number);
    CopyFiles(killed, copy);
    change(copy / log);
    EXPECT_TRUE(LogsHaveRotted(copy).has_value());
    size_t damaged = 0;
    for (int opening = 0; opening < 2; ++opening) {
      const auto engine = Open(copy);
      damaged = ReadDamage(engine.get()).value().size();
      EXPECT_EQ(engine->news().empty(), opening > 0 || damaged == 0);
    }
    return damaged;
  };
  EXPECT_EQ(damaged_after([](const fs::path&) {}), 0u);
  for (const std::streamoff cut : {1, 8, 400, 33'000}) {
    EXPECT_EQ(damaged_after([&](const fs::path& file) {
                fs::resize_file(file, static_cast<uintmax_t>(bytes - cut));
              }),
              0u)
        << cut;
  }
  // A payload, a length, a checksum, in the first block and in the last.
  for (const std::streamoff at : {std::streamoff{100}, std::streamoff{4}, std::streamoff{0},
                                  std::streamoff{40'000}, bytes - 1'000}) {
    EXPECT_EQ(damaged_after([&](const fs::path& file) { FlipByte(file, at); }), 16'384u) << at;
  }
}

TEST(RocksEngine, ACheckpointHoldsWhatWasWrittenBeforeItAndChangesNoMore) {
  TempDir directory;
  const std::string path = directory / "data";
  const std::string copy = directory / "data/backup/one";
  const auto read = [](Engine* engine, const std::string& key) {
    std::string value;
    const Result<Presence> found = engine->Get(Space::kData, key, Tier::kDisk, &value);
    EXPECT_TRUE(found.has_value());
    return found == Presence::kFound ? value : "(absent)";
  };
  {
    const auto engine = Open(path);
    ASSERT_TRUE(engine->Write({{Space::kData, "logged", "1"}}, Logging::kLogged).has_value());
    ASSERT_TRUE(engine->Write({{Space::kHints, "hint", "1"}}, Logging::kLogged).has_value());
    ASSERT_TRUE(engine->Write({{Space::kData, "unlogged", "1"}}, Logging::kUnlogged).has_value());
    fs::create_directories(directory / "data/backup");
    const Status made = engine->Checkpoint(copy);
    ASSERT_TRUE(made.has_value()) << made.error().text;
    ASSERT_TRUE(engine->Write({{Space::kData, "logged", "2"}}, Logging::kLogged).has_value());
    ASSERT_TRUE(engine->Flush().has_value());
    EXPECT_FALSE(engine->Checkpoint(copy).has_value()) << "never over another one";

    // Beside the engine that is still open, and without changing a file.
    const auto count = [&] {
      return std::distance(fs::directory_iterator(copy), fs::directory_iterator());
    };
    const auto files = count();
    const auto reader = RocksEngine::OpenToRead(copy);
    ASSERT_TRUE(reader.has_value()) << reader.error().text;
    EXPECT_EQ(read(reader->get(), "logged"), "1");
    EXPECT_EQ(read(reader->get(), "unlogged"), "1");
    std::string hint;
    EXPECT_EQ((*reader)->Get(Space::kHints, "hint", Tier::kDisk, &hint), Presence::kFound);
    EXPECT_EQ(count(), files);
  }
  // The engine does not mind what lies there.
  const auto engine = Open(path);
  EXPECT_EQ(read(engine.get(), "logged"), "2");
}

}  // namespace
}  // namespace eddy::storage
