// How RocksDB is set up. Everything here is for the release that Debian 12 ships (7.8.3), with its
// known bugs steered round; look here first when that release changes.
#pragma once

#include <array>
#include <cstddef>

#include <rocksdb/options.h>

#include "storage/engine.h"

namespace eddy::storage {

struct RocksOptions {
  rocksdb::DBOptions database;
  std::array<rocksdb::ColumnFamilyOptions, kSpaces> spaces;  // by Space
};

// `memory_limit_bytes` bounds memtables, cached blocks, indexes and filters together.
RocksOptions MakeRocksOptions(size_t memory_limit_bytes);

}  // namespace eddy::storage
