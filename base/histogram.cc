#include "base/histogram.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace eddy {

unsigned Histogram::BucketOf(uint64_t value) {
  if (value < (1u << kSubBits)) return static_cast<unsigned>(value);
  const unsigned exponent = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
  const unsigned mantissa = static_cast<unsigned>(value >> exponent) & ((1u << kSubBits) - 1);
  return ((exponent + 1) << kSubBits) + mantissa;
}

uint64_t Histogram::UpperBound(unsigned bucket) {
  if (bucket < (1u << kSubBits)) return bucket;
  const unsigned exponent = (bucket >> kSubBits) - 1;
  const uint64_t mantissa = (bucket & ((1u << kSubBits) - 1)) | (1u << kSubBits);
  return (mantissa << exponent) + ((uint64_t{1} << exponent) - 1);
}

void Histogram::Add(uint64_t value) {
  ++buckets_[BucketOf(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::Join(const Histogram& other) {
  if (other.count_ == 0) return;
  for (unsigned i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::Quantile(uint32_t per_myriad) const {
  if (count_ == 0) return 0;
  // Rounded up: the median of one value is that value.
  const uint64_t rank = std::max<uint64_t>(
      1, (count_ / 10000) * per_myriad + ((count_ % 10000) * per_myriad + 9999) / 10000);
  uint64_t seen = 0;
  for (unsigned i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(UpperBound(i), max_);
  }
  return max_;
}

uint64_t Histogram::CountBelowPowerOfTwo(unsigned bits) const {
  CHECK(bits < 64);
  uint64_t count = 0;
  for (unsigned i = 0; i < BucketOf(uint64_t{1} << bits); ++i) count += buckets_[i];
  return count;
}

}  // namespace eddy
