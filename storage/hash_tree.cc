#include "storage/hash_tree.h"

#include <bit>

namespace eddy::storage {

Digest TreeDigest(std::string_view key, const Digest& record) {
  const Digest bound = Hash128(key);
  // Not a plain XOR of the two: records of two keys that are exchanged must not cancel out.
  return {Hash64({}, bound.high ^ std::rotl(record.high, 23) ^ record.low),
          Hash64({}, bound.low + std::rotl(record.low, 31) + record.high)};
}

}  // namespace eddy::storage
