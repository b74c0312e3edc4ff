#include "storage/rocks_options.h"

#include <algorithm>
#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

namespace eddy::storage {

namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Small enough to stay in the processor's cache, where its skip list costs the least.
constexpr size_t kDataMemtableBytes = 8 * kMiB;
constexpr size_t kHintsMemtableBytes = 4 * kMiB;
constexpr size_t kMetaMemtableBytes = kMiB;
// One is filled while the others wait for their flush.
constexpr int kMemtablesMax = 4;

constexpr double kBloomBitsPerKey = 10;
constexpr size_t kOpenFilesMax = 512;

rocksdb::DBOptions MakeDatabaseOptions(size_t memory_limit_bytes,
                                       const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions options;

  // Memory: memtables are charged to the cache, so that its capacity bounds everything.
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(
      std::min(memory_limit_bytes / 2, kMemtablesMax * kDataMemtableBytes), cache);
  options.max_open_files = kOpenFilesMax;

  // The log. One thread writes and another calls SyncWAL, so every write goes to the file at once
  // (a crash of the process loses nothing) and the disk writes along in the background.
  options.manual_wal_flush = false;
  options.wal_bytes_per_sync = kMiB / 2;
  options.bytes_per_sync = kMiB;
  options.max_total_wal_size = 256 * kMiB;
  // What is recovered is a prefix of what was written, and is flushed before the store opens.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.avoid_flush_during_recovery = false;
  // Fixed after this release: with SyncWAL the database may refuse to open (7.10); compressed logs
  // are lost (8.0); writes past the log do not mix with atomic flush (8.1); recycled logs can bring
  // old records back (9.2).
  options.track_and_verify_wals_in_manifest = false;
  options.wal_compression = rocksdb::kNoCompression;
  options.atomic_flush = false;
  options.recycle_log_file_num = 0;

  // A wrong byte is an error, never a guess.
  options.paranoid_checks = true;

  // One thread writes: what lets many write at once only costs.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  options.max_background_jobs = 2;

  // RocksDB's own log stays small, and counters that nobody reads are not kept.
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_log_file_size = 4 * kMiB;
  options.keep_log_file_num = 4;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions MakeSpaceOptions(size_t memtable_bytes,
                                              const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = memtable_bytes;
  options.max_write_buffer_number = kMemtablesMax;
  // A write reads first, mostly what is not there: let the memtables say so cheaply.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.whole_key_filtering = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  options.level_compaction_dynamic_level_bytes = true;
  // What is flushed is soon compacted, so it is not compressed yet.
  options.compression = rocksdb::kLZ4Compression;
  options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  return options;
}

}  // namespace

RocksOptions MakeRocksOptions(size_t memory_limit_bytes) {
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(memory_limit_bytes);
  RocksOptions options;
  options.database = MakeDatabaseOptions(memory_limit_bytes, cache);
  const auto space = [&](Space which) -> rocksdb::ColumnFamilyOptions& {
    return options.spaces[static_cast<size_t>(which)];
  };
  space(Space::kData) = MakeSpaceOptions(kDataMemtableBytes, cache);
  // Keys come in no order, so each search of the skip list would begin at its head. It begins where
  // the last key of the same first byte (of the token) went instead. Not to be used together with
  // DeleteRange, whose rows this release would let share the hints of others.
  space(Space::kData)
      .memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  space(Space::kHints) = MakeSpaceOptions(kHintsMemtableBytes, cache);
  space(Space::kMeta) = MakeSpaceOptions(kMetaMemtableBytes, cache);
  return options;
}

}  // namespace eddy::storage
