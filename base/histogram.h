// A latency histogram as a value: log-linear buckets (32 per power of two), so every figure it
// gives is within about 3 % of the truth, in constant memory. Histograms add up; none is shared
// between threads.
#pragma once

#include <array>
#include <cstdint>

namespace eddy {

class Histogram {
 public:
  void Add(uint64_t value);
  void Join(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  uint64_t max() const { return max_; }
  // The smallest value v such that `per_myriad` of 10,000 values are at most v (5,000 is the
  // median, 9,990 is p99.9); 0 when empty.
  uint64_t Quantile(uint32_t per_myriad) const;
  // How many values are less than 2^bits: exact, since buckets end there. `bits` at most 63.
  uint64_t CountBelowPowerOfTwo(unsigned bits) const;

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr unsigned kBuckets = (64 - kSubBits + 1) << kSubBits;

  static unsigned BucketOf(uint64_t value);
  static uint64_t UpperBound(unsigned bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace eddy
