// Runs the store of a node: verbs execute on the loop thread, in order, from memory; a verb whose
// record is on disk waits for a reader thread, and later verbs of its key wait behind it; syncs run
// on a thread of their own. Nothing here blocks the loop on a disk. Loop thread only.
//
//   Execute(verbs) ─▶ results now ──── not in memory ──▶ readers ─┐
//   Commit()       ─▶ results now ──── wants a sync ───▶ syncer ──┤
//   TakeArrived()  ◀─ results later ◀──────── uv_async ◀──────────┘
//
// A sync that fails ends all writing: the kernel may have dropped the pages that it could not
// write, so neither what waits nor anything later may be called durable. Reads go on.
#pragma once

#include <uv.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "base/time.h"
#include "server/reader_pool.h"
#include "server/sync_thread.h"
#include "storage/engine.h"
#include "storage/store.h"

namespace eddy::server {

struct StoreRunnerOptions {
  unsigned reader_threads = 2;
  // Verbs that wait for a reader, and verbs that wait for a sync. Beyond: refused with kBusy, and
  // nothing was done.
  size_t reads_waiting_max = 16 * 1024;
  size_t writes_waiting_max = 256 * 1024;
  size_t scans_waiting_max = 64;
  // What those hold that wait for a reader or, executed, for an engine that takes nothing.
  size_t bytes_waiting_max = 128 * 1024 * 1024;
  size_t record_cache_bytes = 0;
  std::vector<storage::TokenRange> damaged = {};  // as OpenIdentity gave them
};

class StoreRunner {
 public:
  struct Counters {
    uint64_t verbs = 0;
    uint64_t disk_reads = 0;
    uint64_t commits = 0;
    uint64_t syncs = 0;
    uint64_t refused_busy = 0;
    uint64_t refused_no_room = 0;
  };

  // `lease`, `trees` and `hints` as for storage::Store. `arrived` is called on the loop thread when
  // TakeArrived has something to do.
  StoreRunner(uv_loop_t* loop, storage::Engine* engine, const storage::Lease& lease,
              storage::TreeKeeper* trees, storage::HintLedger hints, StoreRunnerOptions options,
              std::function<void()> arrived);
  // Requires Close, and a turn of the loop after it.
  ~StoreRunner();
  StoreRunner(const StoreRunner&) = delete;
  StoreRunner& operator=(const StoreRunner&) = delete;

  // Executes the verbs in order and appends the results that are there at once.
  void Execute(std::vector<storage::StoreVerb>* verbs, std::vector<storage::StoreResult>* results);
  // Ends a turn: one write of all that was executed since the last one. While the engine stalls,
  // that is put off: call it every few milliseconds.
  void Commit(std::vector<storage::StoreResult>* results);
  // What readers and syncs have brought: executes verbs that waited, appends results.
  void TakeArrived(std::vector<storage::StoreResult>* results);

  // No verb waits for anything.
  bool idle() const {
    return waiting_count_ == 0 && scans_under_way_ == 0 && !uncommitted_ && store_.waiting() == 0;
  }
  // Why no write is taken any more; nullopt while all is well.
  const std::optional<Error>& failure() const { return failure_; }
  const Counters& counters() const { return counters_; }
  const storage::HintLedger& hints() const { return store_.hints(); }
  const storage::RecordCache& cache() const { return store_.cache(); }
  // Verbs that wait for a reader, and for a sync.
  size_t reads_waiting() const { return waiting_count_; }
  size_t writes_waiting() const { return store_.waiting(); }
  size_t bytes_waiting() const { return waiting_bytes_ + uncommitted_bytes_; }
  // How long syncs took, in microseconds.
  const Histogram& sync_us() const { return sync_us_; }

  // From now on what needs room is refused with this error; nullopt: nothing is. Reads, deletes and
  // what keeps the node going are done all the same.
  void RefuseForRoom(std::optional<Error> error) { no_room_ = std::move(error); }

  // When the sync under way began; nullopt: there is none. Any thread, until Close.
  std::optional<MonotonicTime> sync_since() const { return syncer_->under_way_since(); }

  // Stops the threads, after the sync and the reads that are under way.
  void Close();

 private:
  struct Arrived {
    std::vector<std::string> read_keys;
    std::vector<storage::StoreResult> scans;
    uint64_t synced_commit = 0;
    Status sync_status;
    std::vector<Duration> syncs;  // how long each took
  };

  // False: it waits now.
  void ExecuteOne(storage::StoreVerb verb, storage::Tier tier,
                  std::vector<storage::StoreResult>* results);
  bool RefuseIfFull(const storage::StoreVerb& verb, std::vector<storage::StoreResult>* results);
  void Wait(std::deque<storage::StoreVerb>* behind, storage::StoreVerb verb);
  void Scan(storage::StoreVerb verb, std::vector<storage::StoreResult>* results);
  void Post(const std::function<void(Arrived*)>& change);

  const StoreRunnerOptions options_;
  storage::Engine* const engine_;
  const std::function<void()> on_arrived_;
  storage::Store store_;

  // By key, the verbs that wait for it to be read, in order; the first is the one that missed.
  std::unordered_map<std::string, std::deque<storage::StoreVerb>> waiting_;
  size_t waiting_count_ = 0;
  size_t waiting_bytes_ = 0;
  size_t scans_under_way_ = 0;
  bool uncommitted_ = false;
  size_t uncommitted_bytes_ = 0;
  uint64_t last_commit_ = 0;
  std::optional<Error> failure_;
  std::optional<Error> no_room_;
  Counters counters_;
  Histogram sync_us_;

  // Heap-allocated, since libuv uses it until its close callback, which frees it.
  uv_async_t* async_;
  std::mutex mutex_;
  Arrived arrived_;  // guarded by mutex_
  std::unique_ptr<SyncThread> syncer_;
  std::unique_ptr<ReaderPool> readers_;
};

}  // namespace eddy::server
