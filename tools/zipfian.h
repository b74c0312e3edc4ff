// Ranks by Zipf's law: of `items` things the one of rank k (from 0, the most popular) is drawn with
// a probability in proportion to 1 / (k + 1)^theta. Exact for every rank, and set up in constant
// time, so `items` may grow with every draw: rejection-inversion (W. Hörmann, G. Derflinger,
// "Rejection-inversion to generate variates from monotone discrete distributions", 1996). YCSB's
// own generator (Gray et al., 1994) is right for the first two ranks and near for the others, and
// must sum over all items first. Pure.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace eddy::tools {

// That of YCSB.
inline constexpr double kZipfianTheta = 0.99;

class Zipfian {
 public:
  // Requires items > 0, and theta > 0 but not 1.
  explicit Zipfian(uint64_t items, double theta = kZipfianTheta);

  // Requires items > 0.
  void SetItems(uint64_t items);
  uint64_t items() const { return items_; }

  // A rank below items().
  uint64_t Next(Random* random) const;

 private:
  // The density that lies over the law, its integral, and the inverse of that.
  double Density(double x) const;
  double Integral(double x) const;
  double IntegralInverse(double y) const;

  const double theta_;
  const double from_;     // what is inverted is drawn from from_ to to_
  const double certain_;  // so near to its rank a draw needs no further look
  uint64_t items_ = 0;
  double to_ = 0;
};

}  // namespace eddy::tools
