#include "tools/zipfian.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace eddy::tools {

namespace {

// In [0, 1), with all the bits that a double has room for.
double Unit(Random* random) { return static_cast<double>(random->Next() >> 11) * 0x1.0p-53; }

}  // namespace

Zipfian::Zipfian(uint64_t items, double theta)
    : theta_(theta),
      from_(Integral(1.5) - 1),
      certain_(2 - IntegralInverse(Integral(2.5) - Density(2))) {
  CHECK(theta > 0 && theta != 1);
  SetItems(items);
}

void Zipfian::SetItems(uint64_t items) {
  CHECK(items > 0);
  if (items == items_) return;
  items_ = items;
  to_ = Integral(static_cast<double>(items) + 0.5);
}

uint64_t Zipfian::Next(Random* random) const {
  const auto last = static_cast<double>(items_);
  for (;;) {
    const double u = to_ + Unit(random) * (from_ - to_);
    const double x = IntegralInverse(u);
    const double k = std::clamp(std::floor(x + 0.5), 1.0, last);
    if (k - x <= certain_ || u >= Integral(k + 0.5) - Density(k)) {
      return static_cast<uint64_t>(k) - 1;
    }
  }
}

double Zipfian::Density(double x) const { return std::exp(-theta_ * std::log(x)); }

// expm1 and log1p, since near theta = 1 both are differences of nearly equal numbers.
double Zipfian::Integral(double x) const {
  return std::expm1((1 - theta_) * std::log(x)) / (1 - theta_);
}

double Zipfian::IntegralInverse(double y) const {
  // Below -1 only by rounding, for theta > 1.
  return std::exp(std::log1p(std::max(y * (1 - theta_), -1.0)) / (1 - theta_));
}

}  // namespace eddy::tools
