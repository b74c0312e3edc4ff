// Which key an operation of a load is about. Keys are numbers; those below `keys` are there from
// the start, and inserts add to them in order. One thread; a function of its seed and of the calls.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tools/permutation.h"
#include "tools/zipfian.h"

namespace eddy::tools {

enum class KeyDistribution {
  kUniform,  // each of the first `keys` as often as any other
  kZipfian,  // by Zipf's law (theta 0.99), the popular ones spread over the first `keys`
  kLatest,   // by the same law, but the newer a key is, the more popular
};

std::string_view NameOf(KeyDistribution distribution);
std::optional<KeyDistribution> KeyDistributionOf(std::string_view name);

class KeyChooser {
 public:
  // Requires keys > 0.
  KeyChooser(KeyDistribution distribution, uint64_t keys, uint64_t seed);

  // A key that is there: inserted ones only once that is known.
  uint64_t Choose();

  // The number of a key to insert. Exactly one of the other two follows: a number that failed is
  // given out again, so that no hole stays among the keys.
  uint64_t Insert();
  void Inserted(uint64_t key);
  void InsertFailed(uint64_t key);

  // So many keys are there, from 0 on without a hole.
  uint64_t present() const { return present_; }

 private:
  const KeyDistribution distribution_;
  const uint64_t keys_;
  const Permutation places_;
  Random random_;
  Zipfian ranks_;
  uint64_t present_;
  uint64_t next_;             // never given out so far
  std::set<uint64_t> ahead_;  // inserted, but one before them is not
  std::vector<uint64_t> failed_;
};

}  // namespace eddy::tools
