// The engine in memory, for tests and the simulator: the same promises as on disk, and crashes and
// faults on demand. Everything it does is a function of the calls made. One thread only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace eddy::storage {

class MemoryEngine final : public Engine {
 public:
  Result<Presence> Get(Space space, std::string_view key, Tier tier, std::string* value) override;
  Status Write(const WriteBatch& batch, Logging logging) override;
  Status Sync() override { return SyncFirst(unsynced_.size()); }
  Status Flush() override;
  Status Scan(Space space, std::string_view from, std::string_view to,
              const Visitor& visit) override;
  EngineEstimate Estimate() override;

  // Logged batches that no sync has covered yet.
  size_t unsynced_batches() const { return unsynced_.size(); }

  // A sync that began when only the first `batches` of them were there. Requires batches <=
  // unsynced_batches().
  [[nodiscard]] Status SyncFirst(size_t batches);

  // The machine loses its power: what no sync covered is gone, and so is what was not logged; but
  // the first `kept` unsynced batches had reached the disk by themselves. Requires kept <=
  // unsynced_batches(). Planned faults and evictions are forgotten.
  void Crash(size_t kept = 0);

  // The `nth` call of this kind from now on (1: the next) fails with `error` and changes nothing.
  enum class Call { kGet, kWrite, kSync };
  void FailCall(Call call, uint64_t nth, Error error);

  // A bit of the row's value flips, on the disk as well, and nobody is told. False: there is no
  // such row, or its value is empty. `bit` counts from the first, and on from there.
  bool Rot(Space space, std::string_view key, uint64_t bit);

  // What lies there, past every planned fault; null: nothing. Until the next call that changes it.
  const std::string* Peek(Space space, std::string_view key) const;

  // Takes the key out of the cache: reads with Tier::kCache say kNotCached until one with
  // Tier::kDisk has found it.
  void Evict(Space space, std::string_view key);

 private:
  using Row = std::pair<Space, std::string>;
  using Rows = std::map<Row, std::string>;
  struct Fault {
    Call call;
    uint64_t calls_left;
    Error error;
  };

  static void Apply(const WriteBatch& batch, Rows* rows);
  std::optional<Error> TakeFault(Call call);

  Rows rows_;     // what reads see
  Rows durable_;  // what a crash leaves, the log's unsynced tail aside
  std::vector<WriteBatch> unsynced_;
  std::set<Row> unlogged_;  // rows written past the log and not flushed since

  std::set<Row> evicted_;
  std::vector<Fault> faults_;
};

}  // namespace eddy::storage
