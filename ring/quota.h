// How many partitions each member should own. The ideal share of a member follows its weight as far
// as replicas allow: a member can stand in each preference list once, and a zone in each list as
// often as the walk's rounds give it a turn, so weight beyond that goes to the others. Pure, and in
// integers only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ring/member.h"

namespace eddy::ring {

// Ideal shares are counted in fractions of a partition.
inline constexpr int kShareBits = 20;
inline constexpr int64_t kWholeShare = int64_t{1} << kShareBits;

// What every preference list of n takes from each zone: the walk's first rounds give each zone
// `low` of its members, and `extras` zones one more from the round that n cuts short.
struct ZoneRule {
  std::string_view name;  // borrowed from a member
  size_t low = 0;
  size_t high = 0;
};

struct ListShape {
  size_t n = 0;                 // no more than there are members with weight
  std::vector<ZoneRule> zones;  // those that have a member with weight, by name
  std::vector<size_t> zone_of;  // by member; meaningless for one without weight
  size_t extras = 0;
};

ListShape ShapeOfLists(std::span<const Member> members, size_t n);

struct Quota {
  int64_t ideal = 0;  // in 1/kWholeShare of a partition
  // A whole number next to the ideal; all of them together are the number of partitions.
  uint32_t partitions = 0;
};

// Where rounding leaves a choice, it stays as near as it can to what a member owned before (empty:
// nobody owned anything).
std::vector<Quota> QuotasFor(std::span<const Member> members, const ListShape& shape,
                             uint32_t partition_count, std::span<const uint32_t> owned_before);

}  // namespace eddy::ring
