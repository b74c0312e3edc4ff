// Logarithms in whole numbers, since timeouts that follow from them must be the same on every
// machine. Only their ratios mean anything.
#pragma once

#include <cstdint>

namespace eddy::gossip {

// 65536 times the logarithm to base 2, rounded down. Requires n > 0.
uint64_t Logarithm(uint64_t n);

}  // namespace eddy::gossip
