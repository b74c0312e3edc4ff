// The store of the bare quorum store: RocksDB, one batch a turn. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace eddy::bench {

class FloorStore {
 public:
  // Makes `path`. Ends the process when it cannot: there is nothing else to do here.
  FloorStore(const std::string& path, bool sync);

  // Not to be seen before the next Commit.
  void Put(std::string_view key, std::string_view version, std::string_view value);
  // Version and value, or empty; valid until the next call.
  std::string_view Get(std::string_view key);
  // Everything since the last one in one write, which is on disk afterwards if the store is to
  // sync.
  void Commit();

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_options_;
  rocksdb::WriteBatch batch_;
  rocksdb::PinnableSlice found_;
};

}  // namespace eddy::bench
