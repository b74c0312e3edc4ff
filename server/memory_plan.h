// One limit for the memory of a node, and what each of its parts gets of it:
//
//   process   the program, its threads' stacks, idle connections, what nobody counts
//   trees     hash trees: as many as the cluster has partitions, for each number of replicas
//   requests  of clients: server/request_memory.h
//   peers     messages that other nodes have not taken yet, and writes that wait for the engine
//   records   the cache of records (storage/record_cache.h)
//   engine    memtables, blocks, indexes, filters: the rest, and half of what can be shared out
//
// Each part is held to its share by its owner. The shares are figures of design and not of need: a
// part that needs less leaves its share unused.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace eddy::server {

struct MemoryPlan {
  size_t process = 0;
  size_t trees = 0;
  size_t requests = 0;
  size_t peers = 0;
  size_t records = 0;
  size_t engine = 0;
};

struct MemoryNeeds {
  uint64_t limit_bytes = 0;
  uint64_t partitions = 0;
  size_t replica_counts = 1;  // how many different numbers of replicas the buckets have
};

// kInvalidArgument where the limit is too small for so many partitions; the text says how much it
// must be at least.
[[nodiscard]] Result<MemoryPlan> PlanMemory(const MemoryNeeds& needs);

// The limit where none is given: a quarter of the memory there is, in whole MiB, and no less than
// 256 of them.
uint64_t MemoryLimitFor(uint64_t machine_bytes);

}  // namespace eddy::server
