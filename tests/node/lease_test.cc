// Promises about dots: no counter is minted twice, whoever copies a data directory (design, section
// 4).
#include "node/actor_lease.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Lease, NodeServesOnlyAfterItsPeersConfirmed) {
  Bench bench;
  const uint64_t early = bench.Submit(GetOf("k"));
  ASSERT_NE(bench.Reply(early), nullptr);
  EXPECT_EQ(bench.Reply(early)->error->code, Code::kUnavailable);
  bench.GrantLeases();
  std::string_view reason;
  EXPECT_TRUE(bench.node().Ready(&reason));
}

TEST(Lease, NodeGoesOnWithoutPeersThatCannotBeReached) {
  Bench bench;
  bench.PeerDown(Bench::Peer(2));
  bench.PeerDown(Bench::Peer(3));
  std::string_view reason;
  bench.Advance(NodeOptions{}.lease_wait - milliseconds(1));
  EXPECT_FALSE(bench.node().Ready(&reason));
  EXPECT_FALSE(reason.empty());
  bench.Advance(milliseconds(1));
  EXPECT_TRUE(bench.node().Ready(&reason));
}

TEST(Lease, LostAnnouncementIsRepeated) {
  Bench bench;
  EXPECT_EQ(bench.Sent<wire::LeaseAnnouncement>(Bench::Peer(2)).size(), 1u);
  bench.Advance(milliseconds(300));
  EXPECT_EQ(bench.Sent<wire::LeaseAnnouncement>(Bench::Peer(2)).size(), 1u);
}

TEST(Lease, RefusedMakesTheNodeTakeANewActorAndAnnounceThat) {
  Bench bench;
  const ActorId before = bench.node().actor();
  const auto announced = bench.Sent<wire::LeaseAnnouncement>(Bench::Peer(2)).at(0);
  bench.Receive(Bench::Peer(2), wire::LeaseAnswer{.op = announced.op, .granted = false});
  EXPECT_NE(bench.node().actor(), before);
  bench.Sync();
  const auto again = bench.Sent<wire::LeaseAnnouncement>(Bench::Peer(2));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].actor, bench.node().actor());
  // An answer to the old announcement says nothing about the new actor.
  bench.Receive(Bench::Peer(3), wire::LeaseAnswer{.op = announced.op, .granted = true});
  std::string_view reason;
  EXPECT_FALSE(bench.node().Ready(&reason));
}

TEST(Lease, NewActorIsTheDirectorysAfterARestart) {
  Bench bench;
  const auto announced = bench.Sent<wire::LeaseAnnouncement>(Bench::Peer(2)).at(0);
  bench.Receive(Bench::Peer(2), wire::LeaseAnswer{.op = announced.op, .granted = false});
  bench.Sync();
  Random random(8);
  const auto identity =
      storage::OpenIdentity(&bench.engine(), {.cluster = "test", .node = Bench::Self()}, &random);
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->lease.actor, bench.node().actor());
  EXPECT_GE(identity->lease.begin, storage::kLeaseBlock);
}

TEST(Lease, ContextsOfANewActorStayShort) {
  Bench bench(1);
  bench.LoseActor("old");
  for (int i = 0; i < 10; ++i) {
    for (const char* key : {"a", "b"}) {
      bench.Submit(PutOf(key, "v"));
      bench.Sync();
    }
  }
  for (const char* key : {"a", "b"}) {
    EXPECT_EQ(bench.Stored(RecordKeyOf(key)).siblings().size(), 10u);
    EXPECT_EQ(bench.Stored(RecordKeyOf(key)).context().intervals().size(), 1u) << key;
  }
}

TEST(Lease, WitnessRefusesATwinAndGrantsARestart) {
  Bench bench;
  bench.GrantLeases();
  const ActorId actor{4, 4};
  const auto announce = [&](uint64_t begin, uint64_t end, uint64_t boot) -> std::optional<bool> {
    bench.Receive(
        Bench::Peer(2),
        wire::LeaseAnnouncement{.op = 1, .actor = actor, .begin = begin, .end = end, .boot = boot});
    bench.Sync();
    const auto answers = bench.Sent<wire::LeaseAnswer>(Bench::Peer(2));
    if (answers.empty()) return std::nullopt;
    return answers[0].granted;
  };
  EXPECT_EQ(announce(0, 100, 1), true);
  EXPECT_EQ(announce(0, 100, 1), true) << "the same start, again";
  EXPECT_EQ(announce(0, 200, 1), true) << "the same start, extended";
  EXPECT_EQ(announce(200, 300, 2), true) << "the next start goes on where the last one ended";
  EXPECT_EQ(announce(200, 300, 3), false) << "a twin of that start";
  EXPECT_EQ(announce(100, 200, 4), false) << "an old backup";
}

TEST(Lease, WitnessRemembersAcrossItsOwnRestart) {
  Bench bench;
  bench.GrantLeases();
  bench.Receive(Bench::Peer(2), wire::LeaseAnnouncement{
                                    .op = 1, .actor = {4, 4}, .begin = 0, .end = 100, .boot = 1});
  EXPECT_TRUE(bench.Sent<wire::LeaseAnswer>(Bench::Peer(2)).empty()) << "not durable yet";
  bench.Sync();
  EXPECT_EQ(bench.Sent<wire::LeaseAnswer>(Bench::Peer(2)).size(), 1u);
  Random random(8);
  const auto identity =
      storage::OpenIdentity(&bench.engine(), {.cluster = "test", .node = Bench::Self()}, &random);
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->witnessed.at(ActorId{4, 4}).end, 100u);
}

TEST(Lease, MintsOnlyWhatIsLeasedAndEachNumberOnce) {
  ActorLease lease({.actor = {1, 1}, .begin = 10, .end = 12, .boot = 1}, {});
  EXPECT_EQ(lease.Mint(), 11u);
  EXPECT_EQ(lease.Mint(), 12u);
  EXPECT_EQ(lease.Mint(), std::nullopt);
  const auto block = lease.WantsBlock();
  ASSERT_TRUE(block);
  EXPECT_EQ(lease.WantsBlock(), std::nullopt) << "asked once";
  EXPECT_EQ(lease.Mint(), std::nullopt) << "not durable yet";
  lease.Extend(*block);
  EXPECT_EQ(lease.Mint(), 13u);
}

TEST(Lease, BlockOfAnActorGivenUpIsIgnored) {
  Random random(1);
  ActorLease lease({.actor = {1, 1}, .begin = 0, .end = 1, .boot = 1}, {});
  const auto block = lease.WantsBlock();
  lease.TakeNewActor(&random);
  lease.Extend(*block);
  EXPECT_EQ(lease.Mint(), std::nullopt);
}

TEST(Lease, StoredDotsBeyondOurOwnMakeANewActor) {
  Bench bench(1);
  const ActorId before = bench.node().actor();
  bench.Submit(PutOf("k", "v"));
  bench.Sync();
  bench.LoseActor("k");
  EXPECT_NE(bench.node().actor(), before);
  const uint64_t again = bench.Submit(PutOf("k", "w"));
  bench.Sync();
  ASSERT_NE(bench.Reply(again), nullptr);
  EXPECT_FALSE(bench.Reply(again)->error);
  EXPECT_EQ(bench.Stored(RecordKeyOf("k")).siblings().size(), 2u);
}

}  // namespace
}  // namespace eddy::node
