// A few threads that read from disk what the loop thread did not find in memory, so that it is in
// memory when the loop thread asks again. The bytes themselves are dropped: what counts is the warm
// cache.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/engine.h"

namespace eddy::server {

class ReaderPool {
 public:
  // Called on a reader's thread once the key was read, whatever came of it: an error will show
  // again when the loop thread reads.
  using Done = std::function<void(std::string key)>;

  ReaderPool(storage::Engine* engine, unsigned threads, Done done);
  // Ends after the reads under way; what is queued is not read.
  ~ReaderPool();

  // Reads a record. The caller bounds how many it has asked for.
  void Read(std::string key);

 private:
  void Run();

  storage::Engine* const engine_;
  const Done done_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> keys_;  // guarded by mutex_, as is what follows
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace eddy::server
