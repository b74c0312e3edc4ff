// The clients of `eddyctl chaos`: many at once, over the native door and through the client
// library, on a few keys that all of them want and many that few do. Each writes down what it asked
// and what it was told. Threads of its own, each with a client library and a part of the clients;
// the counts may be read from any thread while they run.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "client/address.h"
#include "tools/chaos_history.h"

namespace eddy::tools {

// When the run began: what all times of a history count from.
using ChaosClock = std::chrono::steady_clock;

struct ChaosWorkloadOptions {
  std::vector<client::Address> nodes;
  std::string cluster;
  ChaosClock::time_point began;
  uint64_t seed = 1;
  uint32_t clients = 32;
  uint32_t rate = 600;  // operations a second, of all clients together
  uint32_t hot_keys = 8;
  uint32_t cold_keys = 400;
};

class ChaosWorkload {
 public:
  struct Counts {
    std::atomic<uint64_t> done{0};
    std::atomic<uint64_t> not_done{0};
    std::atomic<uint64_t> unknown{0};
  };

  // In how many threads, half of which send to the replicas of a key and half to one node, as a
  // client that knows no ring does.
  static constexpr uint32_t kThreads = 4;

  explicit ChaosWorkload(ChaosWorkloadOptions options);
  ~ChaosWorkload();
  ChaosWorkload(const ChaosWorkload&) = delete;
  ChaosWorkload& operator=(const ChaosWorkload&) = delete;

  void Start();
  // Begins nothing more, and waits for what is under way, which takes as long as an operation may.
  void Stop();

  const std::vector<ChaosKey>& keys() const { return keys_; }
  const Counts& counts() const { return counts_; }
  // After Stop.
  std::vector<ChaosOperation> TakeOperations();

 private:
  class Worker;

  const ChaosWorkloadOptions options_;
  std::vector<ChaosKey> keys_;
  Counts counts_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

// Reads every key through that node alone, with r = 1 as well as with r = n.
std::vector<ChaosOperation> ReadAllThrough(const ChaosWorkloadOptions& options,
                                           const std::vector<ChaosKey>& keys,
                                           const client::Address& node, uint8_t number);

}  // namespace eddy::tools
