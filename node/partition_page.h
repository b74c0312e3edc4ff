// Reading a partition from one end to the other, a page at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ring/partition.h"
#include "storage/key.h"
#include "storage/store.h"

namespace eddy::node {

// The verb of the page that begins at the key `from`; empty: at the partition's beginning. The
// result names the key at which the next one begins, empty behind the last. Its id is the caller's
// to set.
inline storage::StoreVerb PartitionPage(uint32_t partition, unsigned partition_bits,
                                        const std::string& from, uint32_t rows_max,
                                        size_t bytes_max) {
  const auto tokens = ring::TokensOf(ring::PartitionId{partition}, partition_bits);
  return {.id = 0,
          .key = from.empty() ? storage::FirstKeyOf(tokens.first.value) : from,
          .action = storage::ScanVerb{.end = storage::FirstKeyAfter(tokens.last.value),
                                      .rows_max = rows_max,
                                      .bytes_max = bytes_max}};
}

}  // namespace eddy::node
