// Programs on RocksDB that do nothing else, with the same tuning, keys and bytes as the store: what
// its part of the work costs at the least.
#pragma once

#include <memory>
#include <string>

#include <rocksdb/db.h>

#include "bench/store/rows.h"

namespace eddy::bench {

class Bare {
 public:
  // `record`: the bytes of each row's value. Fills the database with every key.
  Bare(const std::string& path, std::string record);

  // 64 clients, each with one write under way: those that were acknowledged since the last batch
  // form the next one, and a thread of its own calls SyncWAL.
  Measured PutSyncThread(double seconds);
  // The same, but the batch is written and synced in one call.
  Measured PutSyncInWrite(double seconds);
  // One write that syncs after the other: 64 threads, whose writes RocksDB may join.
  Measured PutSyncThreads(double seconds);
  // A loop of puts, without a sync.
  Measured Put(double seconds);
  // Each put reads first, as a merge has to.
  Measured GetPut(double seconds);
  Measured Get(double seconds);

 private:
  rocksdb::WriteBatch BatchOf(size_t writes);

  const std::string record_;
  std::unique_ptr<rocksdb::DB> db_;
  KeySequence keys_;
};

}  // namespace eddy::bench
