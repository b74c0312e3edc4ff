// Packets and full states as bytes: what is sent arrives, and whatever else arrives, by accident or
// on purpose, is refused or is something that could have been sent. Run under the sanitizers, this
// also shows that no byte outside the input is read.
#include "gossip/packet.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "gossip/state_sync.h"
#include "tests/gossip/members.h"

namespace eddy::gossip {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

constexpr ClusterDigest kCluster{1234};

StateSync RandomState(Random* random) {
  StateSync state{.sender = random->NextId<NodeId>(), .members = {}};
  for (uint64_t i = random->Below(20); i > 0; --i) {
    state.members.push_back(RandomUpdate(random).member);
  }
  std::ranges::sort(state.members, {}, &MemberState::id);
  return state;
}

// In a buffer of exactly its size, so that AddressSanitizer sees every step outside.
template <class Decode>
auto DecodeExact(std::string_view bytes, Decode decode) {
  const std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::ranges::copy(bytes, copy.get());
  return decode(kCluster, std::string_view(copy.get(), bytes.size()));
}

// What was accepted encodes to the same bytes; all else is refused with a documented code.
bool AcceptsSoundly(std::string_view bytes) {
  const Result<Packet> packet = DecodeExact(bytes, DecodePacket);
  const Result<StateSync> state = DecodeExact(bytes, DecodeStateSync);
  if (packet) {
    EXPECT_EQ(EncodePacket(kCluster, *packet), bytes);
    EXPECT_FALSE(state.has_value());
    return true;
  }
  EXPECT_THAT(packet.error().code, AnyOf(Code::kCorruption, Code::kTooLarge, Code::kWrongCluster));
  if (!state) return false;
  EXPECT_EQ(EncodeStateSync(kCluster, *state), bytes);
  return true;
}

void Reseal(std::string* bytes) {
  if (bytes->size() < 8) return;
  bytes->resize(bytes->size() - 8);
  AppendU64(bytes, Hash64(*bytes));
}

RC_GTEST_PROP(Packet, DecodesToItself, (uint64_t seed)) {
  Random random(seed);
  const Packet packet = RandomPacket(&random);
  const std::string bytes = EncodePacket(kCluster, packet);
  RC_ASSERT(bytes.size() == PacketBytes(packet));
  RC_ASSERT(DecodePacket(kCluster, bytes).value() == packet);
}

RC_GTEST_PROP(StateSync, DecodesToItself, (uint64_t seed)) {
  Random random(seed);
  const StateSync state = RandomState(&random);
  RC_ASSERT(DecodeStateSync(kCluster, EncodeStateSync(kCluster, state)).value() == state);
}

TEST(StateSync, TheLargestIsWithinItsLimit) {
  StateSync state{.sender = Peer(1), .members = {}};
  for (uint64_t i = 1; i <= kMembersMax; ++i) {
    MemberState member = Member(i, kIncarnationMax.value, Liveness::kDead);
    member.address = {std::string(255, 'h'), UINT16_MAX};
    state.members.push_back(member);
  }
  const std::string bytes = EncodeStateSync(kCluster, state);
  EXPECT_LE(bytes.size(), kStateSyncBytesMax);
  EXPECT_EQ(DecodeStateSync(kCluster, bytes).value(), state);
}

TEST(StateSync, RefusesMembersOutOfOrder) {
  for (const auto& [first, second] : {std::pair(2, 1), std::pair(1, 1)}) {
    const StateSync state{.sender = Peer(9), .members = {Member(first), Member(second)}};
    const std::string bytes = EncodeStateSync(kCluster, state);
    EXPECT_EQ(DecodeStateSync(kCluster, bytes).error().code, Code::kCorruption);
  }
}

TEST(Packet, EveryTruncationAndEveryTrailingByteIsRefused) {
  Random random(1);
  for (int i = 0; i < 20; ++i) {
    for (const std::string& bytes : {EncodePacket(kCluster, RandomPacket(&random)),
                                     EncodeStateSync(kCluster, RandomState(&random))}) {
      for (size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(AcceptsSoundly(bytes.substr(0, size)));
        std::string sealed = bytes.substr(0, size);
        Reseal(&sealed);
        EXPECT_FALSE(AcceptsSoundly(sealed));
      }
      std::string longer = bytes + '\0';
      EXPECT_FALSE(AcceptsSoundly(longer));
      Reseal(&longer);
      EXPECT_FALSE(AcceptsSoundly(longer));
    }
  }
}

TEST(Packet, EveryFlippedBitIsRefused) {
  Random random(2);
  const std::string bytes = EncodePacket(kCluster, RandomPacket(&random));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(AcceptsSoundly(flipped)) << bit;
  }
}

// With a right checksum, as a broken or hostile node would send it.
TEST(Packet, DamageUnderARightChecksumIsRefusedOrSound) {
  Random random(3);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = random.Chance(1, 2) ? EncodePacket(kCluster, RandomPacket(&random))
                                            : EncodeStateSync(kCluster, RandomState(&random));
    for (uint64_t damage = random.Between(1, 3); damage > 0; --damage) {
      const size_t at = random.Below(bytes.size());
      if (random.Chance(1, 16)) {
        bytes.resize(at);
        if (bytes.empty()) bytes.push_back('x');
      } else if (random.Chance(1, 2)) {
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.Below(8));
      } else {
        bytes[at] = static_cast<char>(random.Chance(1, 2) ? 0xff : random.Below(256));
      }
    }
    Reseal(&bytes);
    ++(AcceptsSoundly(bytes) ? accepted : refused);
  }
  // The damage is neither always fatal nor always without effect, or this would test nothing.
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(Packet, NoiseIsRefused) {
  Random random(4);
  for (int i = 0; i < 20'000; ++i) {
    std::string noise;
    for (uint64_t size = random.Below(200); size > 0; --size) {
      noise.push_back(static_cast<char>(random.Below(256)));
    }
    EXPECT_FALSE(AcceptsSoundly(noise));
    // Behind a right beginning and before a right end.
    std::string framed = EncodePacket(kCluster, {.sender = Peer(1)}).substr(0, 13) + noise;
    framed.append(8, '\0');
    Reseal(&framed);
    AcceptsSoundly(framed);
  }
}

TEST(Packet, RefusesAnotherClustersAndAnotherFormats) {
  const std::string bytes = EncodePacket(ClusterDigest{99}, {.sender = Peer(1)});
  EXPECT_EQ(DecodePacket(kCluster, bytes).error().code, Code::kWrongCluster);
  std::string newer = EncodePacket(kCluster, {.sender = Peer(1)});
  newer[4] = 2;
  EXPECT_EQ(DecodePacket(kCluster, newer).error().code, Code::kWrongCluster);
  EXPECT_THAT(DecodePacket(kCluster, newer).error().text, HasSubstr("upgrade"));
}

TEST(Packet, RefusesWhatIsOversized) {
  const std::string bytes(kPacketBytesMax + 1, 'x');
  EXPECT_EQ(DecodePacket(kCluster, bytes).error().code, Code::kTooLarge);
  const std::string state(kStateSyncBytesMax + 1, 'x');
  EXPECT_EQ(DecodeStateSync(kCluster, state).error().code, Code::kTooLarge);
}

TEST(Packet, RefusesNumbersAndIdsOutOfRange) {
  const auto refused = [](const Packet& packet) {
    return DecodePacket(kCluster, EncodePacket(kCluster, packet)).error().code == Code::kCorruption;
  };
  EXPECT_TRUE(refused({.sender = NodeId{}}));
  EXPECT_TRUE(refused({.kind = PacketKind::kPing, .sender = Peer(1), .target = NodeId{}}));
  EXPECT_TRUE(refused({.kind = static_cast<PacketKind>(0), .sender = Peer(1)}));
  EXPECT_TRUE(refused({.kind = static_cast<PacketKind>(6), .sender = Peer(1)}));
  const auto refused_update = [&](auto spoil) {
    Update update = Suspected(2, 3, 4);
    spoil(update);
    return refused({.sender = Peer(1), .updates = {update}});
  };
  EXPECT_TRUE(refused_update([](Update& u) { u.member.id = NodeId{}; }));
  EXPECT_TRUE(refused_update([](Update& u) { u.member.incarnation.value = 1 + (1ull << 56); }));
  EXPECT_TRUE(refused_update([](Update& u) { u.member.liveness = static_cast<Liveness>(4); }));
  EXPECT_TRUE(refused_update([](Update& u) { u.member.address.port = 0; }));
  EXPECT_TRUE(refused_update([](Update& u) { u.member.address.host = ""; }));
  EXPECT_TRUE(refused_update([](Update& u) { u.member.address.host = "a\nb"; }));
  EXPECT_TRUE(refused_update([](Update& u) { u.from = NodeId{}; }));
}

TEST(ClusterDigest, TellsClustersApart) {
  EXPECT_NE(ClusterDigest::Of("one"), ClusterDigest::Of("another"));
  EXPECT_EQ(ClusterDigest::Of("one"), ClusterDigest::Of("one"));
}

}  // namespace
}  // namespace eddy::gossip
