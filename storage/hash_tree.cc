#include "storage/hash_tree.h"

#include <bit>

namespace eddy::storage {

Digest TreeDigest(const Digest& key, const Digest& record) {
  // Not a plain XOR of the two: records of two keys that are exchanged must not cancel out.
  return {Hash64({}, key.high ^ std::rotl(record.high, 23) ^ record.low),
          Hash64({}, key.low + std::rotl(record.low, 31) + record.high)};
}

}  // namespace eddy::storage
