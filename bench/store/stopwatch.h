// Wall and processor time from its making on.
#pragma once

#include <sys/resource.h>

#include <chrono>

#include "bench/store/rows.h"

namespace eddy::bench {

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }
  Measured Stop(uint64_t operations) const {
    return {.operations = operations, .seconds = Seconds(), .cpu_seconds = CpuSeconds() - cpu_};
  }

 private:
  static double CpuSeconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  const double cpu_ = CpuSeconds();
};

}  // namespace eddy::bench
