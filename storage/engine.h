// The one virtual seam of the store: an ordered map of byte strings per space, with atomic batches
// and explicit durability. RocksDB is behind it in eddyd, a memory twin (which loses what was not
// synced when it crashes) in tests and in the simulator.
//
// Threads: one thread owns an engine and calls everything; Get with Tier::kDisk, Scan and Sync may
// also be called from other threads at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace eddy::storage {

// Column families.
enum class Space : uint8_t { kData = 0, kHints = 1, kMeta = 2 };
inline constexpr int kSpaces = 3;

// How far a read may go: kCache answers from memory alone or says kNotCached.
enum class Tier { kCache, kDisk };
enum class Presence { kFound, kAbsent, kNotCached };

// Whether a batch is written to the log at all. What is not logged is lost in a crash, whatever is
// synced later.
enum class Logging { kLogged, kUnlogged };

struct Write {
  Space space = Space::kData;
  std::string key;
  std::optional<std::string> value;  // nullopt removes the key
};
using WriteBatch = std::vector<Write>;

struct EngineEstimate {
  uint64_t data_keys = 0;   // records in Space::kData, tombstones of deleted keys included
  uint64_t data_bytes = 0;  // on disk, or in memory where there is no disk
};

// Whether the engine can take writes now.
struct EngineHealth {
  // Set while the engine refuses writes, until it has recovered or the node is started anew.
  std::optional<Error> refuses_writes;
  // A write would wait for flushes or compactions: hold writes back rather than the calling thread.
  bool stalled = false;
  // Set for good once something that was written has been found to be unreadable: see
  // AskForSalvage.
  std::optional<Error> damaged;
};

// What an engine takes now of memory and disk, and what it has still to do, in bytes where nothing
// else is said.
struct EngineUsage {
  uint64_t cache_bytes = 0;  // of blocks, and of memtables where those are charged to it
  uint64_t cache_bytes_max = 0;
  uint64_t memtable_bytes = 0;  // not yet flushed, and being flushed
  uint64_t index_bytes = 0;     // indexes and filters that are not in the cache
  uint64_t files_bytes = 0;
  uint64_t compaction_bytes = 0;  // that have to be rewritten before the files are in order
  uint64_t compactions = 0;       // under way
  uint64_t flushes = 0;           // under way
};

class Engine {
 public:
  virtual ~Engine() = default;

  // On kFound `*value` holds the bytes. An error is never "absent".
  [[nodiscard]] virtual Result<Presence> Get(Space space, std::string_view key, Tier tier,
                                             std::string* value) = 0;

  // All of the batch or nothing. Visible to Get at once; durable only after a Sync that began
  // later.
  [[nodiscard]] virtual Status Write(const WriteBatch& batch, Logging logging) = 0;

  // Everything logged before this call began is on disk when it returns, also what an earlier Sync
  // failed to bring there. Any thread.
  [[nodiscard]] virtual Status Sync() = 0;

  // Everything written, logged or not, is on disk when it returns. Slow: for a clean stop.
  [[nodiscard]] virtual Status Flush() = 0;

  // Visits [from, to) in key order (an empty `to` means the end) until `visit` returns false. Sees
  // one consistent moment; `visit` must not write.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  [[nodiscard]] virtual Status Scan(Space space, std::string_view from, std::string_view to,
                                    const Visitor& visit) = 0;

  virtual EngineEstimate Estimate() = 0;
  virtual EngineUsage Usage() { return {}; }

  // Cheap. Any thread.
  virtual EngineHealth Health() { return {}; }

  // From the next opening on there is only what can be read, and the rest is known to be damaged
  // (storage/damage.h). Durable on return.
  [[nodiscard]] virtual Status AskForSalvage() {
    return Fail(Code::kUnsupported, "this engine has no files");
  }
};

}  // namespace eddy::storage
