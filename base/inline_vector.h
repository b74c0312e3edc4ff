// A short sequence of small values, held in place: what an operation keeps of its replicas costs no
// allocation. A plain value; not for types that own something.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/check.h"

namespace eddy {

template <class T, size_t kMax>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T> && kMax <= UINT16_MAX);

 public:
  // Requires size() < kMax.
  void push_back(const T& value) {
    CHECK(size_ < kMax);
    items_[size_++] = value;
  }
  void clear() { size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](size_t index) const { return items_[index]; }
  T& operator[](size_t index) { return items_[index]; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + size_; }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }

  friend bool operator==(const InlineVector& a, const InlineVector& b) {
    return std::ranges::equal(a, b);
  }

 private:
  uint16_t size_ = 0;
  std::array<T, kMax> items_{};
};

}  // namespace eddy
