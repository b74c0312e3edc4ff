#include "server/memory_plan.h"

#include <algorithm>

#include <fmt/core.h>

#include "storage/hash_tree.h"
#include "storage/rocks_engine.h"

namespace eddy::server {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// What a node without data and clients has, and a part of the limit for what the allocator keeps.
constexpr uint64_t kProcess = 20 * kMiB;
constexpr uint64_t kProcessPart = 16;
constexpr uint64_t kRequestsMin = 3 * kMiB;
constexpr uint64_t kPeersMin = 3 * kMiB;
constexpr uint64_t kEngineMin = storage::RocksEngine::kMemoryLimitBytesMin;
// More of these helps nobody.
constexpr uint64_t kRequestsMax = 512 * kMiB;
constexpr uint64_t kPeersMax = 512 * kMiB;

constexpr uint64_t kLimitDefaultMin = 256 * kMiB;

}  // namespace

Result<MemoryPlan> PlanMemory(const MemoryNeeds& needs) {
  const uint64_t trees = needs.partitions * needs.replica_counts * sizeof(storage::HashTree);
  const uint64_t least = (kProcess + trees + kRequestsMin + kPeersMin + kEngineMin) * kProcessPart /
                         (kProcessPart - 1);
  if (needs.limit_bytes < least) {
    return Fail(
        Code::kInvalidArgument,
        fmt::format("memory_limit is {} MiB, and must be {} MiB at least, {} of them for the "
                    "hash trees of {} partitions",
                    needs.limit_bytes / kMiB, (least + kMiB - 1) / kMiB, (trees + kMiB - 1) / kMiB,
                    needs.partitions));
  }
  const uint64_t process = kProcess + needs.limit_bytes / kProcessPart;
  const uint64_t shared_out = needs.limit_bytes - process - trees;
  // With little to share out the engine goes before the cache in front of it.
  const uint64_t sixth = std::min(shared_out / 6, (shared_out - kEngineMin) / 2);
  MemoryPlan plan{.process = process,
                  .trees = trees,
                  .requests = std::clamp(sixth, kRequestsMin, kRequestsMax),
                  .peers = std::clamp(sixth, kPeersMin, kPeersMax)};
  const uint64_t rest = shared_out - plan.requests - plan.peers;
  plan.records = std::min(shared_out / 6, rest - kEngineMin);
  plan.engine = rest - plan.records;
  return plan;
}

uint64_t MemoryLimitFor(uint64_t machine_bytes) {
  return std::max(machine_bytes / 4 / kMiB * kMiB, kLimitDefaultMin);
}

}  // namespace eddy::server
