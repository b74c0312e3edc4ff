#include "ring/quota.h"

#include <algorithm>
#include <functional>
#include <map>

namespace eddy::ring {

namespace {

__extension__ using Wide = unsigned __int128;

constexpr int kLevelBits = 24;

// A member's share when the water stands at this level: its weight times the level, up to the cap.
int64_t ShareAt(uint32_t weight, uint64_t level, int64_t cap) {
  const Wide share = Wide{weight} * level >> kLevelBits;
  return share < static_cast<Wide>(cap) ? static_cast<int64_t>(share) : cap;
}

// The highest level at which `poured`, which never falls when the level rises, is within `total`.
uint64_t FindLevel(int64_t total, const std::function<int64_t(uint64_t)>& poured) {
  uint64_t low = 0;
  uint64_t high = static_cast<uint64_t>(total) << kLevelBits;  // the lightest member has it all
  while (low < high) {
    const uint64_t middle = high - (high - low) / 2;
    if (poured(middle) <= total) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// Whole numbers next to the ideals, with the given sum, as near as possible to `before`.
std::vector<uint32_t> Round(uint32_t total, std::span<const int64_t> ideals,
                            std::span<const uint32_t> before) {
  std::vector<uint32_t> counts(ideals.size());
  int64_t missing = total;
  for (size_t i = 0; i < ideals.size(); ++i) {
    const auto floor = static_cast<uint32_t>(ideals[i] >> kShareBits);
    const auto ceiling = static_cast<uint32_t>((ideals[i] + kWholeShare - 1) >> kShareBits);
    counts[i] = std::clamp(before[i], floor, ceiling);
    missing -= counts[i];
  }
  const auto shortage = [&](size_t i) { return ideals[i] - int64_t{counts[i]} * kWholeShare; };
  for (; missing != 0; missing += missing > 0 ? -1 : 1) {
    size_t chosen = 0;
    for (size_t i = 1; i < counts.size(); ++i) {
      const bool better = missing > 0 ? shortage(i) > shortage(chosen)
                                      : counts[i] > 0 && shortage(i) < shortage(chosen);
      if (better) chosen = i;
    }
    if (missing > 0) {
      ++counts[chosen];
    } else {
      --counts[chosen];
    }
  }
  return counts;
}

}  // namespace

ListShape ShapeOfLists(std::span<const Member> members, size_t n) {
  std::map<std::string_view, size_t> sizes;
  size_t walkable = 0;
  for (const Member& member : members) {
    if (member.weight == 0) continue;
    ++sizes[member.zone];
    ++walkable;
  }
  ListShape shape;
  shape.n = std::min(n, walkable);
  // Whole rounds first: each gives every zone that still has a member one more.
  size_t rounds = 0;
  size_t taken = 0;
  for (;; ++rounds) {
    size_t next = 0;
    for (const auto& [name, size] : sizes) next += size > rounds;
    if (next == 0 || taken + next > shape.n) break;
    taken += next;
  }
  shape.extras = shape.n - taken;
  for (const auto& [name, size] : sizes) {
    const size_t low = std::min(size, rounds);
    const size_t high = shape.extras > 0 ? std::min(size, rounds + 1) : low;
    shape.zones.push_back(ZoneRule{.name = name, .low = low, .high = high});
  }
  for (const Member& member : members) {
    const auto zone = std::ranges::lower_bound(shape.zones, member.zone, {}, &ZoneRule::name);
    shape.zone_of.push_back(static_cast<size_t>(zone - shape.zones.begin()));
  }
  return shape;
}

std::vector<Quota> QuotasFor(std::span<const Member> members, const ListShape& shape,
                             uint32_t partition_count, std::span<const uint32_t> owned_before) {
  const int64_t whole = int64_t{partition_count} * kWholeShare;
  const auto n = static_cast<int64_t>(shape.n);
  const int64_t member_cap = (whole + n - 1) / n;

  std::vector<std::vector<size_t>> by_zone(shape.zones.size());
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].weight > 0) by_zone[shape.zone_of[i]].push_back(i);
  }
  const auto zone_share_at = [&](size_t zone, uint64_t level) {
    int64_t share = 0;
    for (const size_t i : by_zone[zone]) share += ShareAt(members[i].weight, level, member_cap);
    return share;
  };
  const auto bounded_zone_share_at = [&](size_t zone, uint64_t level) {
    const ZoneRule& rule = shape.zones[zone];
    return std::clamp(zone_share_at(zone, level), whole * static_cast<int64_t>(rule.low) / n,
                      (whole * static_cast<int64_t>(rule.high) + n - 1) / n);
  };

  // First the zones share the ring, then the members share their zone.
  const uint64_t ring_level = FindLevel(whole, [&](uint64_t level) {
    int64_t share = 0;
    for (size_t zone = 0; zone < by_zone.size(); ++zone)
      share += bounded_zone_share_at(zone, level);
    return share;
  });
  std::vector<int64_t> zone_ideals;
  std::vector<uint32_t> zone_before;
  for (size_t zone = 0; zone < by_zone.size(); ++zone) {
    zone_ideals.push_back(bounded_zone_share_at(zone, ring_level));
    zone_before.push_back(0);
    for (const size_t i : by_zone[zone]) {
      if (!owned_before.empty()) zone_before.back() += owned_before[i];
    }
  }
  const std::vector<uint32_t> zone_counts = Round(partition_count, zone_ideals, zone_before);

  std::vector<Quota> quotas(members.size());
  for (size_t zone = 0; zone < by_zone.size(); ++zone) {
    const uint64_t level = FindLevel(
        zone_ideals[zone], [&](uint64_t candidate) { return zone_share_at(zone, candidate); });
    std::vector<int64_t> ideals;
    std::vector<uint32_t> before;
    for (const size_t i : by_zone[zone]) {
      ideals.push_back(ShareAt(members[i].weight, level, member_cap));
      before.push_back(owned_before.empty() ? 0 : owned_before[i]);
    }
    const std::vector<uint32_t> counts = Round(zone_counts[zone], ideals, before);
    for (size_t k = 0; k < counts.size(); ++k) {
      quotas[by_zone[zone][k]] = Quota{.ideal = ideals[k], .partitions = counts[k]};
    }
  }
  return quotas;
}

}  // namespace eddy::ring
