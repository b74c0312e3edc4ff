// Promises of anti-entropy (Dynamo, section 4.7): node 1, which is tested, is an owner of
// everything; the other owners are played with what they are said to hold.
#include <map>
#include <set>

#include "storage/hash_tree.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::HashTree;

constexpr uint8_t kN = 3;

// Another owner: holds records, and answers as a node would.
class Owner {
 public:
  Owner(Bench* bench, NodeId id) : bench_(bench), id_(id) {}

  std::map<std::string, std::string> records;  // by encoded key
  size_t roots = 0;
  size_t trees = 0;  // below a root
  size_t segments = 0;
  size_t rows_listed = 0;
  size_t reads = 0;
  size_t writes = 0;

  HashTree TreeOf(uint32_t partition) const {
    HashTree tree;
    const unsigned bits = bench_->layout().partition_bits();
    for (const auto& [key, record] : records) {
      const uint64_t token = storage::TokenOfKey(key);
      if (token >> (64 - bits) != partition) continue;
      tree.Toggle(storage::LeafOf(token, bits),
                  storage::TreeDigest(key, storage::RecordDigest(record)));
    }
    return tree;
  }

  // Answers all that was sent; false: nothing was.
  bool Answer() {
    bool any = false;
    for (const auto& request : bench_->Sent<wire::TreeRequest>(id_)) {
      any = true;
      ++(request.inner ? trees : roots);
      const HashTree tree = TreeOf(request.partition);
      const Digest here = request.inner ? tree.inner()[*request.inner] : tree.root();
      wire::TreeReply reply{.op = request.op, .known = true, .same = here == request.hash};
      const auto below = request.inner ? tree.LeavesOf(*request.inner) : tree.inner();
      if (!reply.same) reply.hashes.assign(below.begin(), below.end());
      bench_->Receive(id_, reply);
    }
    for (const auto& request : bench_->Sent<wire::SegmentRequest>(id_)) {
      any = true;
      ++segments;
      const unsigned bits = bench_->layout().partition_bits();
      const auto first = storage::TokensOfLeaf(request.partition, request.first_leaf, bits).first;
      const auto last = storage::TokensOfLeaf(request.partition, request.last_leaf, bits).last;
      wire::SegmentReply reply{.op = request.op};
      for (const auto& [key, record] : records) {
        const uint64_t token = storage::TokenOfKey(key);
        if (token < first || token > last || key < request.from) continue;
        if (reply.rows.size() == rows_max) {
          reply.next = key;
          break;
        }
        reply.rows.push_back({key, storage::RecordDigest(record), 1});
      }
      if (lies) reply.rows = {{RecordKeyOf("elsewhere"), {}, 1}};
      rows_listed += reply.rows.size();
      bench_->Receive(id_, reply);
    }
    for (const auto& request : bench_->Sent<wire::ReadRequest>(id_)) {
      any = true;
      ++reads;
      bench_->Receive(id_, wire::ReadReply{.op = request.op, .record = records[request.key]});
    }
    for (const auto& request : bench_->Sent<wire::WriteRequest>(id_)) {
      any = true;
      ++writes;
      auto record = *storage::DecodeRecord(records[request.key]);
      record.Join(*storage::DecodeRecord(request.record));
      records[request.key] = storage::EncodeRecord(record);
      bench_->Receive(id_, wire::WriteReply{.op = request.op});
    }
    return any;
  }

  size_t rows_max = 1000;
  bool lies = false;

 private:
  Bench* const bench_;
  const NodeId id_;
};

class Sync : public ::testing::Test {
 protected:
  static NodeOptions Options() {
    NodeOptions options;
    options.anti_entropy_period = seconds(10);
    options.tree_age_max = {};
    return options;
  }

  explicit Sync(const NodeOptions& options = Options()) : bench_(3, options) {
    bench_.GrantLeases();
  }

  // Until nobody has had anything to say for longer than it takes to try again.
  void Settle() {
    int quiet = 0;
    while (quiet < 300) {
      bench_.Advance(milliseconds(5));
      bench_.Sync();
      const bool any = second_.Answer() | third_.Answer();
      quiet = any ? 0 : quiet + 1;
    }
  }
  void Store(const std::string& key, const lattice::Record& record) {
    bench_.Receive(
        Bench::Peer(2),
        wire::WriteRequest{
            .op = 0, .key = key, .record = storage::EncodeRecord(record), .budget = seconds(1)});
    bench_.Sync();
  }
  void StoreEverywhere(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = RecordKeyOf("k" + std::to_string(i));
      const lattice::Record record = RecordOf(1, 1, "v");
      Store(key, record);
      second_.records[key] = third_.records[key] = storage::EncodeRecord(record);
    }
  }
  uint64_t Counter(const std::string& name) {
    for (const auto& counter : bench_.node().Counters()) {
      if (counter.name == name) return counter.value;
    }
    ADD_FAILURE() << name;
    return 0;
  }

  Bench bench_;
  Owner second_{&bench_, Bench::Peer(2)};
  Owner third_{&bench_, Bench::Peer(3)};
};

TEST_F(Sync, GivesWayWhileClientsAreAnsweredLate) {
  Settle();
  EXPECT_EQ(bench_.node().background_percent(), 100u);
  const uint64_t ticket = bench_.Submit(GetOf("k"));
  bench_.Advance(milliseconds(500));
  for (const NodeId peer : {Bench::Peer(2), Bench::Peer(3)}) {
    for (const auto& read : bench_.Sent<wire::ReadRequest>(peer)) {
      bench_.Receive(peer, wire::ReadReply{.op = read.op, .same = true});
    }
  }
  ASSERT_NE(bench_.Reply(ticket), nullptr);
  for (int second = 0; second < 10; ++second) bench_.Advance(seconds(1));
  EXPECT_EQ(bench_.node().background_percent(), 3u) << "and never less";
  for (int second = 0; second < 90; ++second) bench_.Advance(seconds(1));
  EXPECT_EQ(bench_.node().background_percent(), 100u) << "that was more than a minute ago";
}

TEST_F(Sync, OfEqualPartitionsIsOneRootEachAPeriod) {
  StoreEverywhere(300);
  Settle();
  const uint32_t partitions = bench_.layout().partition_count();
  EXPECT_EQ(second_.roots, partitions);
  EXPECT_EQ(third_.roots, partitions);
  EXPECT_EQ(second_.trees + second_.segments + second_.reads + second_.writes, 0u);
  EXPECT_EQ(Counter("syncs_equal"), 2u * partitions);
  ASSERT_TRUE(bench_.node().equal_since().has_value());
  const MonotonicTime first = *bench_.node().equal_since();
  bench_.Advance(seconds(11));
  Settle();
  EXPECT_EQ(second_.roots, 2 * partitions);
  EXPECT_GT(*bench_.node().equal_since(), first);
}

TEST_F(Sync, BringsBothSidesLevelAndLooksAtNothingElse) {
  StoreEverywhere(2000);
  const std::string ours = RecordKeyOf("only here");
  const std::string theirs = RecordKeyOf("only there");
  const std::string both = RecordKeyOf("both");
  Store(ours, RecordOf(1, 2, "a"));
  second_.records[theirs] = storage::EncodeRecord(RecordOf(2, 1, "b"));
  Store(both, RecordOf(1, 3, "c"));
  second_.records[both] = third_.records[both] = storage::EncodeRecord(RecordOf(2, 2, "d"));
  Settle();
  // What came from one is the others' with the next round.
  bench_.Advance(seconds(11));
  Settle();

  EXPECT_EQ(bench_.Stored(ours), RecordOf(1, 2, "a"));
  EXPECT_EQ(bench_.Stored(theirs), RecordOf(2, 1, "b"));
  lattice::Record joined = RecordOf(1, 3, "c");
  joined.Join(RecordOf(2, 2, "d"));
  EXPECT_EQ(bench_.Stored(both), joined);
  for (const std::string& key : {ours, theirs, both}) {
    const std::string here = storage::EncodeRecord(bench_.Stored(key));
    EXPECT_EQ(second_.records[key], here);
    EXPECT_EQ(third_.records[key], here);
  }
  // Of 2,000 records only those near the three were ever named, and only the three were sent.
  EXPECT_LE(second_.segments, 3u);
  EXPECT_LE(second_.rows_listed, 12u);
  EXPECT_EQ(second_.reads, 2u) << "what we lacked, and what both had";
  EXPECT_EQ(second_.writes, 2u) << "what it lacked, and what both had";
  EXPECT_TRUE(bench_.node().equal_since().has_value()) << "compared again, and found equal";
  EXPECT_EQ(bench_.node().background_in_flight(), 0u);
}

TEST_F(Sync, FillsAnEmptyOwnerPageByPage) {
  second_.rows_max = 7;
  std::set<std::string> keys;
  for (int i = 0; i < 1500; ++i) {
    // All in one partition: one slot.
    const std::string key = RecordKeyOf("{tag}" + std::to_string(i));
    keys.insert(key);
    if (i % 2 == 0) {
      Store(key, RecordOf(1, 1, "v"));
    } else {
      second_.records[key] = storage::EncodeRecord(RecordOf(2, 1, "w"));
    }
  }
  Settle();
  for (const std::string& key : keys) {
    ASSERT_FALSE(bench_.Stored(key).empty());
    ASSERT_EQ(second_.records[key], storage::EncodeRecord(bench_.Stored(key)));
  }
  EXPECT_EQ(second_.reads, 750u);
  EXPECT_EQ(second_.writes, 750u);
}

TEST_F(Sync, IsBegunWhenAskedFor) {
  Settle();
  const size_t roots = second_.roots;
  EXPECT_EQ(bench_.node().StartSync(bench_.now(), 7), 2u) << "with each of the others";
  Settle();
  EXPECT_EQ(second_.roots, roots + 1);
  EXPECT_EQ(bench_.node().StartSync(bench_.now(), std::nullopt),
            2u * bench_.layout().partition_count());
  const MonotonicTime asked = bench_.now().monotonic;
  // Also what was just being compared is compared again.
  bench_.Advance(milliseconds(5));
  bench_.node().StartSync(bench_.now(), std::nullopt);
  const MonotonicTime asked_again = bench_.now().monotonic;
  Settle();
  EXPECT_GT(asked_again, asked);
  for (const SyncState& state : bench_.node().SyncStates()) {
    ASSERT_TRUE(state.equal_at.has_value());
    EXPECT_GE(*state.equal_at, asked_again);
  }
}

TEST_F(Sync, OfAPeerThatGoesAwayIsTakenUpWhenItIsBack) {
  const std::string key = RecordKeyOf("k");
  Store(key, RecordOf(1, 1, "v"));
  bench_.Advance(milliseconds(5));
  bench_.PeerDown(Bench::Peer(2));
  bench_.PeerDown(Bench::Peer(3));
  bench_.Advance(milliseconds(5));
  EXPECT_TRUE(second_.records.empty());
  bench_.PeerUp(Bench::Peer(2));
  bench_.Advance(seconds(2));
  Settle();
  EXPECT_EQ(second_.records[key], storage::EncodeRecord(RecordOf(1, 1, "v")));
}

TEST_F(Sync, WhatSomebodyWaitsForBeginsWithinASecondOnceThePeerIsThere) {
  Settle();
  bench_.PeerDown(Bench::Peer(2));
  const size_t roots = second_.roots;
  bench_.node().StartSync(bench_.now(), 7);
  bench_.Advance(milliseconds(5));
  bench_.PeerUp(Bench::Peer(2));
  for (int i = 0; i < 210; ++i) {
    bench_.Advance(milliseconds(5));
    bench_.Sync();
    second_.Answer();
    third_.Answer();
  }
  EXPECT_EQ(second_.roots, roots + 1) << "the others wait until they are due";
}

TEST_F(Sync, WhatSomebodyAskedForIsCountedUntilItIsEqualAndStopsWhenTold) {
  Settle();
  bench_.PeerDown(Bench::Peer(2));
  const size_t roots = second_.roots;
  EXPECT_EQ(bench_.node().syncs_left(), 0u);
  bench_.node().StartSync(bench_.now(), 7);
  EXPECT_EQ(bench_.node().syncs_asked(), 2u);
  EXPECT_EQ(bench_.node().syncs_left(), 2u);
  bench_.node().StartSync(bench_.now(), 7);
  EXPECT_EQ(bench_.node().syncs_asked(), 2u) << "again is not more";
  Settle();
  EXPECT_EQ(bench_.node().syncs_asked(), 2u);
  EXPECT_EQ(bench_.node().syncs_left(), 1u) << "the third has answered";
  EXPECT_EQ(bench_.node().StopSyncs(bench_.now()), 1u);
  EXPECT_EQ(bench_.node().syncs_left(), 0u);
  EXPECT_EQ(bench_.node().StopSyncs(bench_.now()), 0u);
  bench_.PeerUp(Bench::Peer(2));
  for (int i = 0; i < 210; ++i) {
    bench_.Advance(milliseconds(5));
    bench_.Sync();
    second_.Answer();
    third_.Answer();
  }
  EXPECT_EQ(second_.roots, roots) << "its usual turn is later";
}

TEST_F(Sync, OfAPeerThatSaysNothingEnds) {
  const std::string key = RecordKeyOf("k");
  Store(key, RecordOf(1, 1, "v"));
  for (int i = 0; i < 1000; ++i) bench_.Advance(milliseconds(10));
  EXPECT_GT(Counter("syncs_failed"), 0u);
  EXPECT_LE(bench_.node().background_in_flight(), 5u);
}

TEST_F(Sync, AnswersOthersFromItsTree) {
  const std::string key = RecordKeyOf("k");
  Store(key, RecordOf(1, 1, "v"));
  const unsigned bits = bench_.layout().partition_bits();
  const auto partition = static_cast<uint32_t>(storage::TokenOfKey(key) >> (64 - bits));
  const uint32_t leaf = storage::LeafOf(storage::TokenOfKey(key), bits);
  bench_.Receive(Bench::Peer(2), wire::TreeRequest{.op = 5, .partition = partition, .n = kN});
  EXPECT_FALSE(bench_.Sent<wire::TreeReply>(Bench::Peer(2)).at(0).known) << "not built yet";
  Settle();

  Owner same(&bench_, Bench::Peer(2));
  same.records[key] = storage::EncodeRecord(RecordOf(1, 1, "v"));
  const HashTree tree = same.TreeOf(partition);
  bench_.Receive(Bench::Peer(2),
                 wire::TreeRequest{.op = 6, .partition = partition, .n = kN, .hash = tree.root()});
  auto replies = bench_.Sent<wire::TreeReply>(Bench::Peer(2));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(replies[0].known && replies[0].same && replies[0].hashes.empty());
  bench_.Receive(Bench::Peer(2),
                 wire::TreeRequest{.op = 7,
                                   .partition = partition,
                                   .n = kN,
                                   .inner = static_cast<uint8_t>(leaf / HashTree::kFan)});
  replies = bench_.Sent<wire::TreeReply>(Bench::Peer(2));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_FALSE(replies[0].same);
  const auto leaves = tree.LeavesOf(leaf / HashTree::kFan);
  EXPECT_EQ(replies[0].hashes, std::vector<Digest>(leaves.begin(), leaves.end()));

  // Keys of other numbers of replicas have other trees and other owners.
  bench_.Receive(Bench::Peer(2), wire::TreeRequest{.op = 8, .partition = partition, .n = 2});
  EXPECT_TRUE(bench_.Sent<wire::TreeReply>(Bench::Peer(2)).at(0).same);
  const auto segment = [&](uint8_t n) {
    bench_.Receive(Bench::Peer(2), wire::SegmentRequest{.op = 9,
                                                        .partition = partition,
                                                        .n = n,
                                                        .first_leaf = static_cast<uint16_t>(leaf),
                                                        .last_leaf = static_cast<uint16_t>(leaf)});
    return bench_.Sent<wire::SegmentReply>(Bench::Peer(2)).at(0).rows;
  };
  EXPECT_TRUE(segment(2).empty());
  ASSERT_EQ(segment(kN).size(), 1u);
  EXPECT_EQ(segment(kN)[0].key, key);
}

TEST_F(Sync, RefusesRequestsThatMakeNoSense) {
  const uint64_t before = Counter("refused_malformed");
  const NodeId peer = Bench::Peer(2);
  const uint32_t partitions = bench_.layout().partition_count();
  bench_.Receive(peer, wire::TreeRequest{.op = 1, .partition = partitions, .n = kN});
  bench_.Receive(peer, wire::SegmentRequest{.op = 1, .partition = partitions, .n = kN});
  bench_.Receive(peer, wire::SegmentRequest{
                           .op = 1, .partition = 0, .n = kN, .first_leaf = 2, .last_leaf = 1});
  bench_.Receive(peer, wire::SegmentRequest{.op = 1, .partition = 0, .n = kN, .last_leaf = 1024});
  const std::string elsewhere = storage::EncodeKey({UINT64_MAX, "b", "k"});
  bench_.Receive(peer, wire::SegmentRequest{.op = 1, .partition = 0, .n = kN, .from = elsewhere});
  bench_.Receive(peer, wire::SegmentRequest{.op = 1, .partition = 0, .n = kN, .from = "no key"});
  EXPECT_EQ(Counter("refused_malformed"), before + 6);
  EXPECT_TRUE(bench_.Sent<wire::TreeReply>(peer).empty());
  EXPECT_TRUE(bench_.Sent<wire::SegmentReply>(peer).empty());
}

TEST_F(Sync, DoesNotBelieveAListOfKeysThatLieElsewhere) {
  const std::string key = RecordKeyOf("k");
  Store(key, RecordOf(1, 1, "v"));
  second_.lies = true;
  Settle();
  ASSERT_GT(second_.segments, 0u);
  EXPECT_EQ(Counter("refused_malformed"), second_.segments);
  EXPECT_EQ(second_.reads + second_.writes, 0u);
}

class Mending : public Sync, public ::testing::WithParamInterface<Duration> {
 protected:
  static NodeOptions OptionsOf(Duration anti_entropy_period) {
    NodeOptions options = Options();
    options.anti_entropy_period = anti_entropy_period;
    return options;
  }
  Mending() : Sync(OptionsOf(GetParam())) {}

  void Rot(const std::string& key) {
    ASSERT_TRUE(bench_.engine().Rot(storage::Space::kData, RecordKeyOf(key), 100));
  }
  // What this node tells another that reads one of its records.
  wire::ReadReply AskedFor(const std::string& key, bool as_owner = false) {
    bench_.Receive(Bench::Peer(2), wire::ReadRequest{.op = 5,
                                                     .key = RecordKeyOf(key),
                                                     .have = {},
                                                     .budget = seconds(1),
                                                     .as_owner = as_owner});
    const auto replies = bench_.Sent<wire::ReadReply>(Bench::Peer(2));
    EXPECT_EQ(replies.size(), 1u);
    return replies.front();
  }
};

TEST_P(Mending, WhatIsLostComesBackFromTheOthersAndIsNotAnsweredForUntilThen) {
  StoreEverywhere(300);
  Settle();
  const size_t reads = second_.reads + third_.reads;
  Rot("k7");
  EXPECT_EQ(AskedFor("k7").error->code, Code::kCorruption);
  EXPECT_EQ(bench_.node().damaged_ranges(), 1u);
  EXPECT_EQ(bench_.node().damaged_partitions(), 1u);

  // A record that is behind takes its place, and is not shown.
  const std::string key = RecordKeyOf("k7");
  second_.records[key] = storage::EncodeRecord(RecordOf(2, 9, "later"));
  bench_.Receive(Bench::Peer(3),
                 wire::WriteRequest{.op = 6,
                                    .key = key,
                                    .record = storage::EncodeRecord(RecordOf(3, 1, "behind")),
                                    .budget = seconds(1)});
  bench_.Sync();
  EXPECT_EQ(bench_.Sent<wire::WriteReply>(Bench::Peer(3)).size(), 1u) << "what is new is kept";
  EXPECT_EQ(AskedFor("k7").error->code, Code::kUnavailable);
  EXPECT_FALSE(AskedFor("k7", true).error) << "to an owner it says what it holds";
  // A client is led to who can tell.
  bench_.Submit(GetOf("k7"));
  EXPECT_EQ(bench_.Sent<wire::ForwardRequest>(Bench::Peer(2)).size() +
                bench_.Sent<wire::ForwardRequest>(Bench::Peer(3)).size(),
            1u);

  Settle();
  EXPECT_EQ(bench_.node().damaged_ranges(), 0u);
  lattice::Record joined = RecordOf(3, 1, "behind");
  joined.Join(RecordOf(2, 9, "later"));
  joined.Join(RecordOf(1, 1, "v"));
  EXPECT_EQ(bench_.Stored(key), joined);
  EXPECT_FALSE(AskedFor("k7").error);
  EXPECT_EQ(second_.reads + third_.reads - reads, 2u) << "that record alone, from each";
  EXPECT_EQ(Counter("bad_records_found"), 1u);
  EXPECT_EQ(Counter("partitions_mended"), 1u);
}

TEST_P(Mending, WaitsForEveryOtherOwner) {
  StoreEverywhere(50);
  Settle();
  Rot("k7");
  bench_.PeerDown(Bench::Peer(3));
  EXPECT_TRUE(AskedFor("k7").error);
  Settle();
  EXPECT_EQ(bench_.node().damaged_ranges(), 1u);
  EXPECT_FALSE(bench_.Stored(RecordKeyOf("k7")).empty()) << "though it is back from one";
  EXPECT_EQ(AskedFor("k7").error->code, Code::kUnavailable);
  bench_.PeerUp(Bench::Peer(3));
  Settle();
  EXPECT_EQ(bench_.node().damaged_ranges(), 0u);
}

TEST_P(Mending, WhatNobodyElseHasIsGone) {
  StoreEverywhere(50);
  Settle();
  const std::string key = RecordKeyOf("k7");
  second_.records.erase(key);
  third_.records.erase(key);
  Rot("k7");
  EXPECT_TRUE(AskedFor("k7").error);
  Settle();
  EXPECT_EQ(bench_.node().damaged_ranges(), 0u);
  const wire::ReadReply reply = AskedFor("k7");
  EXPECT_FALSE(reply.error);
  EXPECT_TRUE(reply.record.empty());
}

TEST_P(Mending, TheScrubFindsWhatNobodyReads) {
  StoreEverywhere(50);
  Settle();
  Rot("k7");
  Rot("k8");
  // Nothing was read, and its trees still tell of them.
  for (int hour = 0; hour < 24 * 7; ++hour) bench_.Advance(std::chrono::hours(1));
  Settle();
  EXPECT_EQ(Counter("bad_records_found"), 2u);
  EXPECT_EQ(bench_.node().damaged_ranges(), 0u);
  EXPECT_EQ(bench_.Stored(RecordKeyOf("k7")), RecordOf(1, 1, "v"));
  EXPECT_EQ(bench_.Stored(RecordKeyOf("k8")), RecordOf(1, 1, "v"));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutAntiEntropy, Mending,
                         ::testing::Values(Duration(seconds(10)), Duration{}));

TEST(MendingAlone, WhereThereIsNobodyElseABadRecordStaysAnErrorAndTheOthersAreServed) {
  NodeOptions options;
  Bench bench(1, options);
  bench.Advance(seconds(5));
  bench.Sync();
  const auto read = [&](const std::string& key) {
    const uint64_t ticket = bench.Submit(GetOf(key));
    return *bench.Reply(ticket);
  };
  for (const std::string key : {"a", "b"}) {
    bench.Submit(PutOf(key, "v"));
    bench.Sync();
  }
  ASSERT_TRUE(bench.engine().Rot(storage::Space::kData, RecordKeyOf("a"), 100));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(read("a").error->code, Code::kUnavailable);
    bench.Advance(seconds(1));
    bench.Sync();
    EXPECT_EQ(bench.node().damaged_ranges(), 0u);
    EXPECT_EQ(read("b").siblings.size(), 1u);
  }
}

}  // namespace
}  // namespace eddy::node
