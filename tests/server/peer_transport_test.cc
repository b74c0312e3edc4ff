// Transports of several nodes in one loop, over real loopback sockets: who connects with whom, who
// is refused and told why, and what becomes of messages when a peer is slow, silent or gone.
#include "server/peer_transport.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/loop.h"
#include "tests/server/members.h"
#include "tests/server/native_frames.h"

namespace eddy::server {
namespace {

using testing::HasSubstr;

class KeptLog final : public LogSink {
 public:
  void Log(LogLevel, std::string_view text) override { all += std::string(text) + '\n'; }
  std::string all;
};

// A node as far as its transport can tell.
class Peer final : public PeerHandler {
 public:
  Peer(TestLoop* loop, const MonotonicTime* time, std::string cluster, std::vector<Seed> seeds,
       size_t self, PeerOptions options = {})
      : time_(time) {
    id = IdOf(seeds[self].name);
    options.hello = {
        .cluster = cluster,
        .software = "eddyd test",
        .node = id,
        .node_name = seeds[self].name,
        .doors = {.host = seeds[self].host, .native = 1234, .peer = seeds[self].peer_port}};
    options.seeds.assign(seeds.begin() + static_cast<std::ptrdiff_t>(self) + 1, seeds.end());
    options.seeds_dialled = options.seeds.size();
    options.seeds.insert(options.seeds.end(), seeds.begin(),
                         seeds.begin() + static_cast<std::ptrdiff_t>(self));
    options.host = seeds[self].host;
    options.port = seeds[self].peer_port;
    transport = std::make_unique<PeerTransport>(loop->get(), options, this, &log, Random(self));
  }

  void OnPeerUp(NodeId peer) override { ++up[peer]; }
  void OnPeerDown(NodeId peer) override { ++down[peer]; }
  void OnPeerMessage(NodeId from, wire::PeerMessage message) override {
    received.emplace_back(from, std::move(message));
  }
  MonotonicTime clock() override { return *time_; }

  bool Connected(const Peer& other) { return up[other.id] > down[other.id]; }
  ring::Doors DoorsOf(const Peer& other) { return *transport->DoorsOf(other.id); }

  NodeId id;
  KeptLog log;
  std::map<NodeId, int> up;
  std::map<NodeId, int> down;
  std::vector<std::pair<NodeId, wire::PeerMessage>> received;
  std::unique_ptr<PeerTransport> transport;

 private:
  const MonotonicTime* const time_;
};

// A port that nobody listens on: one that the system gave and took back.
uint16_t FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  socklen_t size = sizeof(address);
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

class PeerTransportTest : public testing::Test {
 protected:
  void SetUp() override {
    seeds_ = {{"a", "127.0.0.1", FreePort(), ""}, {"b", "127.0.0.1", FreePort(), ""}};
    loop_.turn = [this] {
      for (const auto& peer : peers_) {
        peer->transport->Tick(time_);
        peer->transport->Flush();
      }
      if (time_runs_) time_ += std::chrono::milliseconds(10);
    };
  }
  void TearDown() override {
    while (!peers_.empty()) Stop(peers_.back().get());
  }

  Peer* Start(size_t self, std::string cluster, std::vector<Seed> seeds, PeerOptions options = {}) {
    peers_.push_back(std::make_unique<Peer>(&loop_, &time_, std::move(cluster), std::move(seeds),
                                            self, options));
    EXPECT_TRUE(peers_.back()->transport->Listen().has_value());
    return peers_.back().get();
  }
  Peer* Start(size_t self, PeerOptions options = {}) {
    return Start(self, "test", seeds_, options);
  }
  void Stop(Peer* peer) {
    peer->transport->Close();
    ASSERT_TRUE(loop_.Until([&] { return peer->transport->empty(); }));
    std::erase_if(peers_, [peer](const auto& each) { return each.get() == peer; });
  }
  bool Connect(Peer* a, Peer* b) {
    return loop_.Until([&] { return a->Connected(*b) && b->Connected(*a); });
  }

  MonotonicTime time_{std::chrono::hours(1)};
  bool time_runs_ = true;
  TestLoop loop_;
  std::vector<Seed> seeds_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

TEST_F(PeerTransportTest, ConnectsEachPairOnceAndLearnsDoors) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  for (int i = 0; i < 100; ++i) loop_.Step();
  EXPECT_EQ(a->transport->counters().connections_made, 1u);
  EXPECT_EQ(b->transport->counters().connections_made, 1u);
  EXPECT_EQ(a->DoorsOf(*b).native, 1234);
  EXPECT_EQ(b->DoorsOf(*a).native, 1234);
}

TEST_F(PeerTransportTest, DeliversMessagesInOrderBothWays) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  for (uint64_t i = 0; i < 1000; ++i) {
    a->transport->Send(b->id, wire::ReadRequest{.op = i, .key = std::string(i + 1, 'k')});
    b->transport->Send(a->id, wire::WriteReply{.op = i});
  }
  ASSERT_TRUE(
      loop_.Until([&] { return a->received.size() == 1000 && b->received.size() == 1000; }));
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(b->received[i].first, a->id);
    EXPECT_EQ(std::get<wire::ReadRequest>(b->received[i].second).op, i);
    EXPECT_EQ(std::get<wire::WriteReply>(a->received[i].second).op, i);
  }
}

TEST_F(PeerTransportTest, CarriesTheLargestRecord) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  const wire::PeerMessage message =
      wire::WriteRequest{.op = 1, .key = "k", .record = std::string(kRecordBytesMax, 'r')};
  a->transport->Send(b->id, message);
  ASSERT_TRUE(loop_.Until([&] { return b->received.size() == 1; }));
  EXPECT_TRUE(b->received[0].second == message);
}

TEST_F(PeerTransportTest, DropsAndCountsWhatHasNoWay) {
  Peer* a = Start(0);
  a->transport->Send(IdOf("b"), wire::WriteReply{.op = 1});
  a->transport->Send(IdOf("stranger"), wire::WriteReply{.op = 2});
  EXPECT_EQ(a->transport->counters().messages_dropped, 2u);
}

TEST_F(PeerTransportTest, DropsWhatAPeerIsTooSlowToTake) {
  Peer* a = Start(0, {.queues_bytes_max = 1'000'000});
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  // Nothing moves while the loop stands still.
  const wire::WriteRequest message{.op = 1, .key = "k", .record = std::string(100'000, 'r')};
  for (int i = 0; i < 100; ++i) a->transport->Send(b->id, message);
  EXPECT_EQ(a->transport->counters().messages_sent, 10u);
  EXPECT_EQ(a->transport->counters().messages_dropped, 90u);
  EXPECT_TRUE(loop_.Until([&] { return b->received.size() == 10; }));
}

TEST_F(PeerTransportTest, ConnectsAgainAfterAPeerWasGone) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  const NodeId id = b->id;
  Stop(b);
  ASSERT_TRUE(loop_.Until([&] { return a->down[id] == 1; }));
  EXPECT_THAT(a->log.all, HasSubstr("lost the connection with b"));
  b = Start(1);
  EXPECT_TRUE(Connect(a, b));
}

TEST_F(PeerTransportTest, DialsOftenAtFirstAndThenLess) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  Peer* dialler = a;
  Stop(b);
  const MonotonicTime begin = time_;
  ASSERT_TRUE(loop_.Until([&] { return time_ - begin > std::chrono::seconds(30); }));
  EXPECT_THAT(dialler->log.all, HasSubstr("connection refused; trying on"));
  // At the slowest every half second, so the log would have some 60 lines and has one in ten
  // seconds.
  EXPECT_LE(std::count(dialler->log.all.begin(), dialler->log.all.end(), '\n'), 5);
}

TEST_F(PeerTransportTest, RefusesANodeOfAnotherClusterAndBothSidesSayWhy) {
  Peer* a = Start(0);
  Peer* foreign = Start(1, "other", seeds_);
  ASSERT_TRUE(loop_.Until([&] {
    return a->transport->counters().refusals > 0 && foreign->transport->counters().refusals > 0;
  }));
  for (const std::string& log : {a->log.all, foreign->log.all}) {
    EXPECT_THAT(log, HasSubstr("'test'"));
    EXPECT_THAT(log, HasSubstr("'other'"));
  }
  EXPECT_TRUE(a->up.empty());
  EXPECT_TRUE(foreign->up.empty());
}

TEST_F(PeerTransportTest, RefusesANodeOfAClusterThatWasFoundedApart) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  a->transport->SetCluster(Digest{1, 1}, {MemberOf(seeds_[0])});
  b->transport->SetCluster(Digest{2, 2}, {MemberOf(seeds_[1])});
  ASSERT_TRUE(loop_.Until([&] { return a->transport->counters().refusals > 0; }));
  EXPECT_THAT(a->log.all + b->log.all, HasSubstr("founded apart"));
  EXPECT_TRUE(a->up.empty());
  EXPECT_TRUE(b->up.empty());
}

TEST_F(PeerTransportTest, TakesANodeThatIsOfNoClusterYet) {
  Peer* a = Start(0);
  a->transport->SetCluster(Digest{1, 1}, {MemberOf(seeds_[0])});
  Peer* b = Start(1);
  EXPECT_TRUE(Connect(a, b));
}

TEST_F(PeerTransportTest, RefusesACopyOfItself) {
  Peer* a = Start(0);
  auto copied = seeds_;
  copied[1].name = "a";
  Peer* copy = Start(1, "test", copied);
  ASSERT_TRUE(loop_.Until([&] {
    return a->transport->counters().refusals + copy->transport->counters().refusals > 0 ||
           time_ > MonotonicTime(std::chrono::hours(1)) + std::chrono::seconds(10);
  }));
  EXPECT_TRUE(a->up.empty());
  EXPECT_TRUE(copy->up.empty());
}

TEST_F(PeerTransportTest, DialsAMemberThatItWasToldOf) {
  Peer* a = Start(0, "test", {seeds_[0]});
  Peer* b = Start(0, "test", {seeds_[1]});
  const std::vector<ring::Member> members = {MemberOf(seeds_[0]), MemberOf(seeds_[1])};
  for (int i = 0; i < 100; ++i) loop_.Step();
  EXPECT_TRUE(a->up.empty()) << "neither knows of the other";
  a->transport->SetCluster(Digest{1, 1}, members);
  EXPECT_TRUE(Connect(a, b));
}

TEST_F(PeerTransportTest, FindsAMemberAgainThatHasMoved) {
  Peer* a = Start(0);
  Peer* b = Start(1);
  const std::vector<ring::Member> members = {MemberOf(seeds_[0]), MemberOf(seeds_[1])};
  a->transport->SetCluster(Digest{1, 1}, members);
  b->transport->SetCluster(Digest{1, 1}, members);
  ASSERT_TRUE(Connect(a, b));
  const NodeId id = b->id;
  Stop(b);
  ASSERT_TRUE(loop_.Until([&] { return a->down[id] == 1; }));
  // Whoever has the smaller id would dial the old address for ever.
  auto moved = seeds_;
  moved[1].peer_port = FreePort();
  b = Start(1, "test", moved);
  b->transport->SetCluster(Digest{1, 1}, members);
  EXPECT_TRUE(Connect(a, b));
}

TEST_F(PeerTransportTest, DialsAMemberWhereItIsSaidToBeNow) {
  auto before = seeds_;
  before[1].peer_port = FreePort();
  Peer* a = Start(0, "test", {seeds_[0]});
  Peer* b = Start(0, "test", {seeds_[1]});
  a->transport->SetCluster(Digest{1, 1}, {MemberOf(before[0]), MemberOf(before[1])});
  for (int i = 0; i < 100; ++i) loop_.Step();
  EXPECT_TRUE(a->up.empty()) << "nobody is there";
  a->transport->Learn(IdOf("no member"), "127.0.0.1", seeds_[1].peer_port);
  a->transport->Learn(b->id, "127.0.0.1", seeds_[1].peer_port);
  EXPECT_TRUE(Connect(a, b));
  EXPECT_EQ(a->DoorsOf(*b).peer, seeds_[1].peer_port);
}

TEST_F(PeerTransportTest, RefusesAStrangerWhoSaysNoHello) {
  Peer* a = Start(0);
  TestSocket stranger(seeds_[0].peer_port);
  ASSERT_TRUE(SendAll(&loop_, &stranger, GetFrame(1, "k")));
  ASSERT_TRUE(loop_.Until([&] {
    stranger.Receive();
    return stranger.ended();
  }));
  const auto frames = Frames(stranger.received);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].first, wire::FrameKind::kRefusal);
  EXPECT_TRUE(a->up.empty());
}

TEST_F(PeerTransportTest, RefusesEveryDamagedHello) {
  Start(0);
  const std::string hello = HelloFrame("test");
  for (size_t byte = 0; byte < hello.size(); byte += 7) {
    std::string damaged = hello;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 0x40);
    TestSocket stranger(seeds_[0].peer_port);
    SendAll(&loop_, &stranger, damaged);
    // A damaged length may make it wait for bytes that never come: that ends with the hello's
    // time.
    ASSERT_TRUE(loop_.Until([&] {
      stranger.Receive();
      return stranger.ended() || stranger.broken();
    })) << byte;
  }
}

TEST_F(PeerTransportTest, EndsAStrangerWhoSaysNothing) {
  Start(0);
  TestSocket silent(seeds_[0].peer_port);
  EXPECT_TRUE(loop_.Until([&] {
    silent.Receive();
    return silent.ended() || silent.broken();
  }));
}

TEST_F(PeerTransportTest, GivesUpAPeerThatWasAskedAndIsSilent) {
  Peer* a = Start(0, {.silence_max = std::chrono::seconds(3)});
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  // b gets the request and never answers, as if it were paused.
  a->transport->Send(b->id, wire::ReadRequest{.op = 1, .key = "k"});
  const MonotonicTime asked = time_;
  ASSERT_TRUE(loop_.Until([&] { return a->down[b->id] == 1; }));
  EXPECT_GE(time_ - asked, std::chrono::seconds(3));
  EXPECT_THAT(a->log.all, HasSubstr("asked and has not answered"));
  EXPECT_TRUE(Connect(a, b));
}

TEST_F(PeerTransportTest, KeepsAPeerThatIsIdleOrAnswers) {
  Peer* a = Start(0, {.silence_max = std::chrono::seconds(3)});
  Peer* b = Start(1);
  ASSERT_TRUE(Connect(a, b));
  const MonotonicTime begin = time_;
  uint64_t asked = 0;
  ASSERT_TRUE(loop_.Until([&] {
    if (asked == b->received.size() && time_ - begin > std::chrono::seconds(20)) {
      a->transport->Send(b->id, wire::ReadRequest{.op = ++asked, .key = "k"});
      b->transport->Send(a->id, wire::ReadReply{.op = asked});
    }
    return time_ - begin > std::chrono::seconds(40);
  }));
  EXPECT_EQ(a->down[b->id], 0);
}

TEST_F(PeerTransportTest, TakesTheNewerOfTwoConnectionsOfOnePeer) {
  Peer* first_a = Start(0);
  Peer* first_b = Start(1);
  const bool a_smaller = first_a->id < first_b->id;
  Peer* acceptor = a_smaller ? first_b : first_a;
  Peer* dialler = a_smaller ? first_a : first_b;
  ASSERT_TRUE(Connect(first_a, first_b));
  // A second process of the dialler's name, or the same one after its machine was cut off.
  TestSocket again(seeds_[a_smaller ? 1 : 0].peer_port);
  std::string hello;
  wire::Encoder().AppendHello({.cluster = "test",
                               .software = "eddyd test",
                               .node = dialler->id,
                               .node_name = "again",
                               .doors = {.host = "127.0.0.1"}},
                              &hello);
  ASSERT_TRUE(SendAll(&loop_, &again, hello));
  ASSERT_TRUE(loop_.Until([&] { return acceptor->up[dialler->id] == 2; }));
  EXPECT_EQ(acceptor->down[dialler->id], 1);
  acceptor->transport->Send(dialler->id, wire::WriteReply{.op = 9});
  EXPECT_TRUE(loop_.Until([&] {
    again.Receive();
    return Frames(again.received).size() == 2;
  }));
}

TEST_F(PeerTransportTest, FindsAPeerByItsName) {
  for (Seed& seed : seeds_) seed.host = "localhost";
  Peer* a = Start(0);
  Peer* b = Start(1);
  EXPECT_TRUE(Connect(a, b));
}

TEST_F(PeerTransportTest, OpensNoDoorOnPortZero) {
  auto closed = seeds_;
  closed[0].peer_port = 0;
  Peer* alone = Start(0, "test", {closed[0]});
  for (int i = 0; i < 10; ++i) loop_.Step();
  EXPECT_TRUE(alone->transport->empty());
}

// What a fault table that `a` asks makes of its connection with `b`.
class PeerFaultTest : public PeerTransportTest {
 protected:
  void Start2() {
    a_ = Start(0, {.faults = &faults_});
    b_ = Start(1);
    ASSERT_TRUE(Connect(a_, b_));
  }
  void Set(FaultTable::Rule rule) {
    rule.host = seeds_[1].host;
    rule.port = seeds_[1].peer_port;
    ASSERT_TRUE(faults_.Set({rule}).has_value());
  }

  FaultTable faults_{Random(1)};
  Peer* a_ = nullptr;
  Peer* b_ = nullptr;
};

TEST_F(PeerFaultTest, WhatIsCutIsSilentThenGoneAndComesBack) {
  Start2();
  Set({.drop = true});
  a_->transport->Send(b_->id, wire::ReadRequest{.op = 1, .key = "k"});
  b_->transport->Send(a_->id, wire::ReadRequest{.op = 2, .key = "k"});
  ASSERT_TRUE(loop_.Until([&] { return a_->down[b_->id] == 1; })) << "it was asked and was silent";
  const MonotonicTime begin = time_;
  ASSERT_TRUE(loop_.Until([&] { return time_ - begin > std::chrono::seconds(5); }));
  EXPECT_FALSE(a_->Connected(*b_)) << "nobody gets through";
  EXPECT_TRUE(a_->received.empty());
  EXPECT_TRUE(b_->received.empty());
  ASSERT_TRUE(faults_.Set({}).has_value());
  ASSERT_TRUE(Connect(a_, b_));
  a_->transport->Send(b_->id, wire::WriteReply{.op = 3});
  ASSERT_TRUE(loop_.Until([&] { return b_->received.size() == 1; }));
}

TEST_F(PeerFaultTest, OneWayCutLetsTheOtherThrough) {
  Start2();
  Set({.in = false, .drop = true});
  a_->transport->Send(b_->id, wire::WriteReply{.op = 1});
  b_->transport->Send(a_->id, wire::WriteReply{.op = 2});
  ASSERT_TRUE(loop_.Until([&] { return a_->received.size() == 1; }));
  EXPECT_TRUE(b_->received.empty());
}

TEST_F(PeerFaultTest, AConnectionThatLostSomethingEndsWhenTheFaultDoes) {
  Start2();
  Set({.in = false, .drop = true});
  a_->transport->Send(b_->id, wire::WriteReply{.op = 1});
  ASSERT_TRUE(faults_.Set({}).has_value());
  ASSERT_TRUE(loop_.Until([&] { return a_->down[b_->id] == 1 && b_->down[a_->id] == 1; }));
  EXPECT_TRUE(Connect(a_, b_));
  EXPECT_TRUE(b_->received.empty());
}

TEST_F(PeerFaultTest, ALostMessageEndsTheConnection) {
  Start2();
  Set({.lose_per_mille = 1000});
  a_->transport->Send(b_->id, wire::WriteReply{.op = 1});
  ASSERT_TRUE(loop_.Until([&] { return a_->down[b_->id] == 1; }));
  EXPECT_TRUE(b_->received.empty());
  EXPECT_TRUE(Connect(a_, b_));
}

TEST_F(PeerFaultTest, DelayedMessagesComeLaterInTheirOrder) {
  Start2();
  Set({.delay = std::chrono::milliseconds(200)});
  const MonotonicTime begin = time_;
  a_->transport->Send(b_->id, wire::WriteReply{.op = 1});
  ASSERT_TRUE(faults_.Set({}).has_value());
  a_->transport->Send(b_->id, wire::WriteReply{.op = 2});
  ASSERT_TRUE(loop_.Until([&] { return b_->received.size() == 2; }));
  EXPECT_GE(time_ - begin, std::chrono::milliseconds(200));
  EXPECT_EQ(std::get<wire::WriteReply>(b_->received[0].second).op, 1u);
  EXPECT_EQ(a_->down[b_->id], 0);
}

}  // namespace
}  // namespace eddy::server
