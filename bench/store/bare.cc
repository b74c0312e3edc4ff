#include "bench/store/bare.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/store/stopwatch.h"
#include "storage/rocks_options.h"

namespace eddy::bench {

namespace {

constexpr size_t kMemoryBytes = size_t{256} << 20;

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

}  // namespace

Bare::Bare(const std::string& path, std::string record) : record_(std::move(record)) {
  const storage::RocksOptions tuned = storage::MakeRocksOptions(kMemoryBytes);
  rocksdb::Options options(tuned.database,
                           tuned.spaces[static_cast<size_t>(storage::Space::kData)]);
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  CHECK(rocksdb::DB::Open(options, path, &opened).ok());
  db_.reset(opened);
  for (uint64_t i = 0; i < kKeys; ++i) CHECK(db_->Put({}, KeyAt(i), record_).ok());
  CHECK(db_->Flush({}).ok());
}

rocksdb::WriteBatch Bare::BatchOf(size_t writes) {
  rocksdb::WriteBatch batch;
  for (size_t i = 0; i < writes; ++i) CHECK(batch.Put(keys_.Next(), record_).ok());
  return batch;
}

Measured Bare::PutSyncThread(double seconds) {
  std::mutex mutex;
  std::condition_variable changed;
  uint64_t written = 0;  // batches
  uint64_t synced = 0;
  bool stop = false;
  std::thread syncer([&] {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || written > synced; });
      if (stop) return;
      const uint64_t up_to = written;
      lock.unlock();
      CHECK(db_->SyncWAL().ok());
      lock.lock();
      synced = up_to;
      changed.notify_all();
    }
  });
  const Stopwatch watch;
  uint64_t acknowledged = 0;
  size_t ready = kClients;
  std::deque<size_t> waiting;  // clients of the batches that are not synced, in order
  uint64_t first_waiting = 1;
  while (watch.Seconds() < seconds) {
    if (ready > 0) {
      rocksdb::WriteBatch batch = BatchOf(ready);
      CHECK(db_->Write({}, &batch).ok());
      waiting.push_back(std::exchange(ready, 0));
      const std::lock_guard lock(mutex);
      ++written;
      changed.notify_all();
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return synced >= first_waiting; });
    for (; first_waiting <= synced; ++first_waiting) {
      ready += waiting.front();
      waiting.pop_front();
    }
    acknowledged += ready;
  }
  const Measured measured = watch.Stop(acknowledged);
  {
    const std::lock_guard lock(mutex);
    stop = true;
    changed.notify_all();
  }
  syncer.join();
  return measured;
}

Measured Bare::PutSyncInWrite(double seconds) {
  const Stopwatch watch;
  uint64_t acknowledged = 0;
  for (; watch.Seconds() < seconds; acknowledged += kClients) {
    rocksdb::WriteBatch batch = BatchOf(kClients);
    CHECK(db_->Write(Synced(), &batch).ok());
  }
  return watch.Stop(acknowledged);
}

Measured Bare::PutSyncThreads(double seconds) {
  const Stopwatch watch;
  std::atomic<uint64_t> acknowledged = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      for (uint64_t key = i; watch.Seconds() < seconds; key += kClients, ++acknowledged) {
        CHECK(db_->Put(Synced(), KeyAt(key % kKeys), record_).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return watch.Stop(acknowledged);
}

Measured Bare::Put(double seconds) {
  const Stopwatch watch;
  uint64_t operations = 0;
  for (; watch.Seconds() < seconds; ++operations) {
    CHECK(db_->Put({}, keys_.Next(), record_).ok());
  }
  return watch.Stop(operations);
}

Measured Bare::GetPut(double seconds) {
  const Stopwatch watch;
  std::string found;
  uint64_t operations = 0;
  for (; watch.Seconds() < seconds; ++operations) {
    const std::string key = keys_.Next();
    CHECK(db_->Get({}, key, &found).ok());
    CHECK(db_->Put({}, key, record_).ok());
  }
  return watch.Stop(operations);
}

Measured Bare::Get(double seconds) {
  const Stopwatch watch;
  std::string found;
  uint64_t operations = 0;
  for (; watch.Seconds() < seconds; ++operations) {
    CHECK(db_->Get({}, keys_.Next(), &found).ok());
  }
  return watch.Stop(operations);
}

}  // namespace eddy::bench
