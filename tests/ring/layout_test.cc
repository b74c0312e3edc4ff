#include "ring/layout.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace eddy::ring {
namespace {

using testing::HasSubstr;

Member MakeMember(uint64_t id, std::string zone, uint32_t weight = 100) {
  Member member;
  member.id = NodeId{.high = 7, .low = id};
  member.name = "n" + std::to_string(id);
  member.zone = std::move(zone);
  member.weight = weight;
  member.doors.host = "127.0.0." + std::to_string(id % 250);
  return member;
}

// Owners drawn at random, so that walks meet every order of members and zones; some members have no
// weight, and some that have own nothing.
LayoutParts RandomParts(uint64_t seed) {
  Random random(seed);
  LayoutParts parts;
  parts.version = random.Between(1, 1'000'000);
  if (parts.version > 1) parts.origin = Hash128("the first one");
  parts.partition_bits = static_cast<unsigned>(random.Below(9));
  const uint64_t zones = random.Between(1, 6);
  const uint64_t members = random.Between(1, 30);
  std::vector<MemberIndex> holders;
  for (uint64_t i = 0; i < members; ++i) {
    const bool holds = i == 0 || !random.Chance(1, 8);
    parts.members.push_back(MakeMember(i + 1, "z" + std::to_string(random.Below(zones)),
                                       holds ? static_cast<uint32_t>(random.Between(1, 300)) : 0));
    if (holds) holders.push_back(MemberIndex{static_cast<uint16_t>(i)});
  }
  const uint64_t owning = random.Between(1, holders.size());
  for (uint32_t i = 0; i < PartitionCount(parts.partition_bits); ++i) {
    parts.owners.push_back(holders[random.Below(owning)]);
  }
  return parts;
}

Layout MakeLayout(LayoutParts parts) {
  Result<Layout> layout = Layout::Make(std::move(parts));
  EXPECT_TRUE(layout.has_value()) << layout.error().text;
  return *std::move(layout);
}

Layout RandomLayout(uint64_t seed) { return MakeLayout(RandomParts(seed)); }

// The walk as the header tells it, step by step.
std::vector<MemberIndex> WalkByTheBook(const Layout& layout, PartitionId from) {
  const std::vector<PartitionId> ring = RingOrder(layout.partition_bits());
  const auto start = static_cast<size_t>(std::ranges::find(ring, from) - ring.begin());
  std::vector<MemberIndex> met;
  const auto meet = [&](MemberIndex member) {
    if (std::ranges::find(met, member) == met.end()) met.push_back(member);
  };
  for (size_t i = 0; i < ring.size(); ++i) meet(layout.OwnerOf(ring[(start + i) % ring.size()]));
  for (size_t i = 0; i < layout.members().size(); ++i) {
    if (layout.members()[i].weight > 0) meet(MemberIndex{static_cast<uint16_t>(i)});
  }

  std::vector<MemberIndex> walk;
  while (!met.empty()) {
    std::set<std::string> zones_of_round;
    std::vector<MemberIndex> later;
    for (const MemberIndex member : met) {
      const bool first = zones_of_round.insert(layout.member(member).zone).second;
      (first ? walk : later).push_back(member);
    }
    met = later;
  }
  walk.resize(std::min(walk.size(), kWalkMax));
  return walk;
}

RC_GTEST_PROP(Layout, WalksClockwiseDistinctMembersAndZonesFirst, (uint64_t seed)) {
  const Layout layout = RandomLayout(seed);
  for (uint32_t number = 0; number < layout.partition_count(); ++number) {
    const auto walk = layout.Walk(PartitionId{number});
    RC_ASSERT(std::vector(walk.begin(), walk.end()) == WalkByTheBook(layout, PartitionId{number}));
  }
}

// Dynamo section 4.3: the list holds distinct nodes, not positions of the same few; 6.2: and
// spreads over data centres.
RC_GTEST_PROP(Layout, ListsDistinctMembersInAsManyZonesAsThereAre, (uint64_t seed)) {
  const Layout layout = RandomLayout(seed);
  std::set<std::string> zones_in_all;
  size_t holders = 0;
  for (const Member& member : layout.members()) {
    if (member.weight == 0) continue;
    zones_in_all.insert(member.zone);
    ++holders;
  }
  for (uint32_t number = 0; number < layout.partition_count(); ++number) {
    const PartitionId partition{number};
    for (size_t n = 1; n <= kWalkMax; ++n) {
      const auto list = layout.PreferenceList(partition, n);
      RC_ASSERT(list.size() == std::min(n, holders));
      RC_ASSERT(list.front() == layout.OwnerOf(partition));
      std::set<MemberIndex> members(list.begin(), list.end());
      RC_ASSERT(members.size() == list.size());
      std::set<std::string> zones;
      for (const MemberIndex member : list) zones.insert(layout.member(member).zone);
      RC_ASSERT(zones.size() == std::min(list.size(), zones_in_all.size()));
    }
  }
}

RC_GTEST_PROP(Layout, ListForNBeginsTheListForOneMore, (uint64_t seed)) {
  const Layout layout = RandomLayout(seed);
  for (uint32_t number = 0; number < layout.partition_count(); ++number) {
    for (size_t n = 1; n < kWalkMax; ++n) {
      const auto list = layout.PreferenceList(PartitionId{number}, n);
      const auto longer = layout.PreferenceList(PartitionId{number}, n + 1);
      RC_ASSERT(std::ranges::equal(list, longer.first(list.size())));
    }
  }
}

TEST(Layout, KeepsMembersWithoutWeightOutOfEveryWalk) {
  const Layout layout =
      MakeLayout({.partition_bits = 3,
                  .members = {MakeMember(1, "a"), MakeMember(2, "b", 0), MakeMember(3, "c")},
                  .owners = std::vector(8, MemberIndex{2})});
  for (uint32_t number = 0; number < 8; ++number) {
    EXPECT_THAT(layout.Walk(PartitionId{number}),
                testing::ElementsAre(MemberIndex{2}, MemberIndex{0}));
  }
}

TEST(Layout, FindsMembersById) {
  const Layout layout = RandomLayout(5);
  for (size_t i = 0; i < layout.members().size(); ++i) {
    const Member& member = layout.members()[i];
    EXPECT_EQ(layout.IndexOf(member.id), MemberIndex{static_cast<uint16_t>(i)});
    EXPECT_EQ(layout.Find(member.id), &member);
  }
  EXPECT_EQ(layout.IndexOf(NodeId{.high = 7, .low = 1000}), std::nullopt);
  EXPECT_EQ(layout.Find(NodeId{}), nullptr);
}

RC_GTEST_PROP(Layout, DecodesToItselfAndToTheSameDigest, (uint64_t seed)) {
  const Layout layout = RandomLayout(seed);
  const Result<Layout> decoded = Layout::Decode(layout.Encode());
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == layout);
  RC_ASSERT(decoded->digest() == layout.digest());
  RC_ASSERT(decoded->Encode() == layout.Encode());
  RC_ASSERT(std::ranges::equal(decoded->Walk(PartitionId{0}), layout.Walk(PartitionId{0})));
}

TEST(Layout, DigestTellsEveryPartApart) {
  const LayoutParts parts = RandomParts(11);
  const Digest digest = MakeLayout(parts).digest();
  LayoutParts other = parts;
  ++other.version;
  EXPECT_NE(MakeLayout(other).digest(), digest);
  other = parts;
  ++other.members[0].doors.http;
  EXPECT_NE(MakeLayout(other).digest(), digest);
  other = parts;
  other.members[0].zone += "x";
  EXPECT_NE(MakeLayout(other).digest(), digest);
}

TEST(Layout, RefusesEveryTruncationAndEveryTrailingByte) {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::string bytes = RandomLayout(seed).Encode();
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(Layout::Decode(bytes.substr(0, size)).has_value()) << size;
    }
    EXPECT_FALSE(Layout::Decode(bytes + '\0').has_value());
  }
}

// A flipped bit may give another layout (a digest tells), but never one that breaks a rule, and
// never two encodings of one layout.
TEST(Layout, TakesFromAFlippedBitAnErrorOrAWholeLayout) {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::string bytes = RandomLayout(seed).Encode();
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      const Result<Layout> decoded = Layout::Decode(flipped);
      if (decoded) {
        EXPECT_EQ(decoded->Encode(), flipped);
      } else {
        EXPECT_THAT(decoded.error().code, testing::AnyOf(Code::kCorruption, Code::kWrongCluster));
      }
    }
  }
}

TEST(Layout, RefusesANewerFormatByName) {
  std::string bytes = RandomLayout(1).Encode();
  bytes[0] = 2;
  const Result<Layout> decoded = Layout::Decode(bytes);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, Code::kWrongCluster);
  EXPECT_THAT(decoded.error().text, HasSubstr("upgrade"));
}

struct BadParts {
  std::string what;
  LayoutParts parts;
};

std::vector<BadParts> AllBadParts() {
  LayoutParts good{.partition_bits = 1,
                   .members = {MakeMember(1, "a"), MakeMember(2, ""), MakeMember(3, "a", 0)},
                   .owners = {MemberIndex{0}, MemberIndex{1}}};
  EXPECT_TRUE(Layout::Make(good).has_value());
  std::vector<BadParts> all;
  const auto bad = [&](std::string what, auto&& spoil) {
    LayoutParts parts = good;
    spoil(parts);
    all.push_back(BadParts{std::move(what), std::move(parts)});
  };
  bad("versions start at 1", [](LayoutParts& p) { p.version = 0; });
  bad("this one has 0", [](LayoutParts& p) { p.members.clear(); });
  bad("ids must be different", [](LayoutParts& p) { p.members[1].id = p.members[0].id; });
  bad("ascending", [](LayoutParts& p) { std::swap(p.members[0], p.members[1]); });
  bad("names nobody", [](LayoutParts& p) { p.members[0].id = NodeId{}; });
  bad("two members are named 'n1'", [](LayoutParts& p) { p.members[1].name = "n1"; });
  bad("name must be", [](LayoutParts& p) { p.members[0].name = ""; });
  bad("name must be", [](LayoutParts& p) { p.members[0].name = std::string(65, 'n'); });
  bad("name must be", [](LayoutParts& p) { p.members[0].name = "a b"; });
  bad("name must be", [](LayoutParts& p) { p.members[0].name = std::string("a\0b", 3); });
  bad("zone must be", [](LayoutParts& p) { p.members[0].zone = "a/b"; });
  bad("zone must be", [](LayoutParts& p) { p.members[0].zone = std::string(65, 'z'); });
  bad("the most is 1000000", [](LayoutParts& p) { p.members[0].weight = 1'000'001; });
  bad("weight 0", [](LayoutParts& p) { p.members[0].weight = p.members[1].weight = 0; });
  bad("host", [](LayoutParts& p) { p.members[0].doors.host = std::string(256, 'h'); });
  bad("1 owners for 2", [](LayoutParts& p) { p.owners.pop_back(); });
  bad("3 owners for 2", [](LayoutParts& p) { p.owners.push_back(MemberIndex{0}); });
  bad("owned by 3", [](LayoutParts& p) { p.owners[1] = MemberIndex{3}; });
  bad("owned by 2", [](LayoutParts& p) { p.owners[1] = MemberIndex{2}; });
  bad("15 partition bits", [](LayoutParts& p) { p.partition_bits = 15; });
  bad("this one has 1025", [](LayoutParts& p) {
    p.members.clear();
    for (uint64_t id = 1; id <= 1025; ++id) p.members.push_back(MakeMember(id, "a"));
  });
  return all;
}

TEST(Layout, RefusesWhatBreaksARuleAndNamesIt) {
  for (const BadParts& bad : AllBadParts()) {
    const Result<Layout> layout = Layout::Make(bad.parts);
    ASSERT_FALSE(layout.has_value()) << bad.what;
    EXPECT_EQ(layout.error().code, Code::kInvalidArgument);
    EXPECT_THAT(layout.error().text, HasSubstr(bad.what));
  }
}

TEST(Layout, HoldsTheMostMembersAndPartitions) {
  LayoutParts parts{.partition_bits = kPartitionBitsMax, .members = {}, .owners = {}};
  for (uint64_t id = 1; id <= kMembersMax; ++id) {
    parts.members.push_back(MakeMember(id, "z" + std::to_string(id % 5)));
  }
  for (uint32_t i = 0; i < kSlots; ++i) {
    parts.owners.push_back(MemberIndex{static_cast<uint16_t>(i % kMembersMax)});
  }
  const Layout layout = MakeLayout(std::move(parts));
  EXPECT_EQ(layout.Walk(PartitionId{kSlots - 1}).size(), kWalkMax);
  EXPECT_TRUE(Layout::Decode(layout.Encode()).has_value());
}

}  // namespace
}  // namespace eddy::ring
