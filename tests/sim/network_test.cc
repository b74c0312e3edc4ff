// What the simulated network does to messages is what it says.

#include "sim/network.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eddy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr NodeIndex kA{0};
constexpr NodeIndex kB{1};

class NetworkTest : public ::testing::Test, public NetworkListener {
 protected:
  void Make(bool ordered, NetworkPlan plan = {}) {
    plan.ordered = ordered;
    plan.delay = {milliseconds(1), milliseconds(20)};
    plan.stall_before_reset = {seconds(1), seconds(1)};
    plan.reconnect = {milliseconds(50), milliseconds(50)};
    network_.emplace(&world_, plan, 2, false, Random(1), this);
    network_->ProcessUp(kA);
    network_->ProcessUp(kB);
  }

  void Deliver(NodeIndex, NodeIndex, wire::PeerMessage message) override {
    arrived_.push_back(std::get<wire::WriteReply>(message).op);
  }
  void DeliverDatagram(NodeIndex, NodeIndex, std::string bytes) override {
    datagrams_.push_back(std::move(bytes));
  }
  void PeerUp(NodeIndex at, NodeIndex) override { heard_ += "up" + std::to_string(at.value) + " "; }
  void PeerDown(NodeIndex at, NodeIndex) override {
    heard_ += "down" + std::to_string(at.value) + " ";
  }

  void Send(uint64_t first, uint64_t last) {
    for (uint64_t op = first; op <= last; ++op) network_->Send(kA, kB, wire::WriteReply{.op = op});
  }
  void Pass(Duration time) {
    const VirtualTime until = world_.now + time;
    while (!world_.queue.empty() && world_.queue.next_time() <= until) {
      world_.now = world_.queue.next_time();
      network_->OnEvent(world_.queue.Pop());
    }
    world_.now = until;
  }
  static std::vector<uint64_t> UpTo(uint64_t last) {
    std::vector<uint64_t> ops;
    for (uint64_t op = 1; op <= last; ++op) ops.push_back(op);
    return ops;
  }

  World world_{Trace({})};
  std::optional<Network> network_;
  std::vector<uint64_t> arrived_;
  std::vector<std::string> datagrams_;
  std::string heard_;
};

TEST_F(NetworkTest, AConnectionKeepsTheOrder) {
  Make(true);
  Pass(seconds(1));
  Send(1, 100);
  Pass(seconds(1));
  EXPECT_EQ(arrived_, UpTo(100));
}

TEST_F(NetworkTest, ACutHoldsWhatWasSentUntilItIsMended) {
  Make(true);
  Pass(seconds(1));
  network_->Cut(kA, kB);
  Send(1, 10);
  Pass(milliseconds(500));
  EXPECT_TRUE(arrived_.empty());
  network_->Mend(kA, kB);
  Send(11, 20);
  Pass(seconds(1));
  EXPECT_EQ(arrived_, UpTo(20));
}

TEST_F(NetworkTest, ALongCutBreaksTheConnectionAndBothEndsHear) {
  Make(true);
  Pass(seconds(1));
  heard_.clear();
  network_->Cut(kA, kB);
  Send(1, 10);
  Pass(seconds(10));
  EXPECT_TRUE(heard_ == "down0 down1 " || heard_ == "down1 down0 ") << heard_;
  network_->Mend(kA, kB);
  Pass(seconds(1));
  EXPECT_TRUE(arrived_.empty()) << "what was sent over the old connection is lost";
  Send(11, 11);
  Pass(seconds(1));
  EXPECT_EQ(arrived_, std::vector<uint64_t>{11});
}

TEST_F(NetworkTest, NothingOutlivesAProcessOnAConnection) {
  Make(true);
  Pass(seconds(1));
  Send(1, 10);
  network_->ProcessDown(kB, false);
  network_->ProcessUp(kB);
  Pass(seconds(10));
  EXPECT_TRUE(arrived_.empty());
}

TEST_F(NetworkTest, PacketsAreOvertakenRepeatedAndLost) {
  Make(false, {.lost_per_10000 = 1'000, .repeated_per_10000 = 1'000});
  Send(1, 1'000);
  Pass(seconds(10));
  EXPECT_FALSE(std::ranges::is_sorted(arrived_));
  EXPECT_GT(network_->lost(), 50u);
  EXPECT_GT(arrived_.size() + network_->lost(), 1'050u) << "some came twice";
}

TEST_F(NetworkTest, PacketsReachALaterLife) {
  Make(false);
  Send(1, 10);
  network_->ProcessDown(kB, false);
  network_->ProcessUp(kB);
  Pass(seconds(1));
  EXPECT_EQ(arrived_.size(), 10u);
}

TEST_F(NetworkTest, DatagramsGoByThemselvesOnAnyNetwork) {
  Make(true, {.datagrams_lost_per_10000 = 5'000});
  for (int i = 0; i < 1'000; ++i) network_->SendDatagram(kA, kB, "news");
  Pass(seconds(1));
  EXPECT_GT(datagrams_.size(), 400u);
  EXPECT_LT(datagrams_.size(), 600u);

  datagrams_.clear();
  network_->Cut(kA, kB);
  network_->SendDatagram(kA, kB, "lost");
  network_->Mend(kA, kB);
  Pass(seconds(1));
  EXPECT_TRUE(datagrams_.empty()) << "nobody sends it again";
}

}  // namespace
}  // namespace eddy::sim
