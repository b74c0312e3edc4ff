// The numbers below `items` in an order that looks random, without a table: every number has one
// place and every place one number. By it the most popular keys of a workload lie far from each
// other. A Feistel network over the next even number of bits, walked until it stays below `items`
// (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", 2002). It keeps no secret. Pure.
#pragma once

#include <array>
#include <cstdint>

namespace eddy::tools {

class Permutation {
 public:
  // Requires items > 0.
  Permutation(uint64_t items, uint64_t seed);

  // Requires place < items. On average fewer than four rounds of the network.
  uint64_t At(uint64_t place) const;

 private:
  uint64_t Network(uint64_t number) const;

  const uint64_t items_;
  unsigned half_bits_ = 1;
  std::array<uint64_t, 4> keys_{};
};

}  // namespace eddy::tools
