// What is written and read in this benchmark, the same bytes for the store and for the bare
// programs: keys as they lie on disk, drawn from one sequence, and a value.
#pragma once

#include <cstdint>
#include <string>

#include "base/hash.h"
#include "base/random.h"
#include "storage/key.h"

namespace eddy::bench {

inline constexpr size_t kValueBytes = 100;
inline constexpr uint64_t kKeys = 100'000;
inline constexpr size_t kClients = 64;

inline std::string KeyAt(uint64_t number) {
  const std::string name = "user" + std::to_string(10'000'000 + number);
  return storage::EncodeKey({.token = Hash64(name), .bucket = "redis", .key = name});
}

class KeySequence {
 public:
  std::string Next() { return KeyAt(random_.Below(kKeys)); }

 private:
  Random random_{1};
};

// How much was done, and what it took.
struct Measured {
  uint64_t operations = 0;
  double seconds = 0;
  double cpu_seconds = 0;  // of the whole process, all threads
};

}  // namespace eddy::bench
