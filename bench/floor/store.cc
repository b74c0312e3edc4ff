#include "bench/floor/store.h"

#include <array>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "base/check.h"

namespace eddy::bench {

namespace {

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

FloorStore::FloorStore(const std::string& path, bool sync) {
  rocksdb::Options options;
  options.create_if_missing = true;
  // Fits into the processor's cache, where the skip list costs the least.
  options.write_buffer_size = size_t{8} << 20;
  options.max_background_jobs = 2;
  options.compression = rocksdb::kNoCompression;
  options.allow_concurrent_memtable_write = false;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(size_t{1} << 30);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* opened = nullptr;
  CHECK(rocksdb::DB::Open(options, path, &opened).ok());
  db_.reset(opened);
  write_options_.sync = sync;
}

void FloorStore::Put(std::string_view key, std::string_view version, std::string_view value) {
  const std::array<rocksdb::Slice, 1> keys{ToSlice(key)};
  const std::array<rocksdb::Slice, 2> values{ToSlice(version), ToSlice(value)};
  CHECK(batch_
            .Put(rocksdb::SliceParts(keys.data(), keys.size()),
                 rocksdb::SliceParts(values.data(), values.size()))
            .ok());
}

std::string_view FloorStore::Get(std::string_view key) {
  found_.Reset();
  const auto status =
      db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), ToSlice(key), &found_);
  if (status.IsNotFound()) return {};
  CHECK(status.ok());
  return {found_.data(), found_.size()};
}

void FloorStore::Commit() {
  if (batch_.Count() == 0) return;
  CHECK(db_->Write(write_options_, &batch_).ok());
  batch_.Clear();
}

}  // namespace eddy::bench
