#include "ring/partition.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/hash.h"

namespace eddy::ring {

std::vector<PartitionId> RingOrder(unsigned bits) {
  std::vector<std::pair<uint64_t, PartitionId>> placed;
  placed.reserve(PartitionCount(bits));
  for (uint32_t number = 0; number < PartitionCount(bits); ++number) {
    std::string bytes;
    AppendBigEndian32(&bytes, number);
    placed.emplace_back(Hash64(bytes), PartitionId{number});
  }
  std::sort(placed.begin(), placed.end());

  std::vector<PartitionId> order;
  order.reserve(placed.size());
  for (const auto& [hash, partition] : placed) order.push_back(partition);
  return order;
}

}  // namespace eddy::ring
