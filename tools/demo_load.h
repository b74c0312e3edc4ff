// What a demo's clients do all the time: they read and write carts through nodes chosen at random,
// each as a client should, with what it has read. Runs in a thread of its own; the rest may be
// called from another one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "client/address.h"

namespace eddy::tools {

inline constexpr const char* kDemoBucket = "demo";
inline constexpr uint32_t kDemoCarts = 12;
inline constexpr uint32_t kDemoRateMax = 2000;

std::string DemoCart(uint32_t cart);

class DemoLoad {
 public:
  // How long a client leaves several values as they are, for people to see them, before it writes
  // one in their place.
  static constexpr auto kSettleAfter = std::chrono::seconds(5);

  DemoLoad(std::vector<client::Address> nodes, std::string cluster, uint32_t per_second);
  ~DemoLoad();
  DemoLoad(const DemoLoad&) = delete;
  DemoLoad& operator=(const DemoLoad&) = delete;

  // Zero: none.
  void SetRate(uint32_t per_second) { per_second_ = per_second; }
  uint32_t rate() const { return per_second_; }

  struct Totals {
    uint64_t done = 0;
    uint64_t failed = 0;   // not done, or not known
    uint64_t settled = 0;  // writes that replaced several siblings
  };
  Totals totals() const { return {done_, failed_, settled_}; }

 private:
  void Run();

  const std::vector<client::Address> nodes_;
  const std::string cluster_;
  std::atomic<uint32_t> per_second_;
  std::atomic<uint64_t> done_ = 0;
  std::atomic<uint64_t> failed_ = 0;
  std::atomic<uint64_t> settled_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace eddy::tools
