// A few threads for reads that would touch the disk, so that the loop thread never waits for it.
// The record of a verb is read only to be in memory when the loop thread asks again, and the bytes
// are dropped; the rows of a scan are its result.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace eddy::server {

class ReaderPool {
 public:
  using Job = std::move_only_function<void()>;

  explicit ReaderPool(unsigned threads);
  // Ends after the jobs under way; what is queued is not done.
  ~ReaderPool();

  // Runs `job` on one of the threads. The caller bounds how many it has asked for.
  void Run(Job job);

 private:
  void Serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;  // guarded by mutex_, as is what follows
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace eddy::server
