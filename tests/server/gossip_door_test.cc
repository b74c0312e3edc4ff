// The door for datagrams over real loopback sockets.
#include "server/gossip_door.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/server/loop.h"

namespace eddy::server {
namespace {

// A port that was free a moment ago, for datagrams.
uint16_t FreePort() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

class GossipDoorTest : public ::testing::Test {
 protected:
  struct End {
    std::unique_ptr<GossipDoor> door;
    gossip::Address at;
    std::vector<std::pair<gossip::Address, std::string>> heard;
  };

  ~GossipDoorTest() override {
    for (End* end : {&a_, &b_}) {
      if (end->door != nullptr) end->door->Close();
    }
    EXPECT_TRUE(loop_.Until([&] {
      return (a_.door == nullptr || a_.door->empty()) && (b_.door == nullptr || b_.door->empty());
    }));
  }

  Status Open(End* end, const std::string& host, uint16_t port) {
    end->at = {host, port};
    end->door = std::make_unique<GossipDoor>(
        loop_.get(), end->at,
        [end](const gossip::Address& from, std::string_view bytes) {
          end->heard.emplace_back(from, bytes);
        },
        RealTime, end == &a_ ? &faults_ : nullptr);
    return end->door->Open();
  }

  FaultTable faults_{Random(1)};  // of a
  TestLoop loop_;
  End a_;
  End b_;
};

TEST_F(GossipDoorTest, BringsDatagramsWithTheirSendersAddress) {
  ASSERT_TRUE(Open(&a_, "127.0.0.1", FreePort()).has_value());
  ASSERT_TRUE(Open(&b_, "127.0.0.1", FreePort()).has_value());
  a_.door->Send(b_.at, "news");
  ASSERT_TRUE(loop_.Until([&] { return !b_.heard.empty(); }));
  EXPECT_EQ(b_.heard[0].first, a_.at);
  EXPECT_EQ(b_.heard[0].second, "news");
  // The address that is heard leads back.
  b_.door->Send(b_.heard[0].first, "answer");
  ASSERT_TRUE(loop_.Until([&] { return !a_.heard.empty(); }));
  EXPECT_EQ(a_.heard[0].second, "answer");
}

TEST_F(GossipDoorTest, FindsNamesBesideTheLoop) {
  ASSERT_TRUE(Open(&a_, "127.0.0.1", FreePort()).has_value());
  ASSERT_TRUE(Open(&b_, "127.0.0.1", FreePort()).has_value());
  const gossip::Address named{"localhost", b_.at.port};
  a_.door->Send(named, "too early");
  EXPECT_EQ(a_.door->counters().dropped, 1u) << "nobody waits for the lookup";
  ASSERT_TRUE(loop_.Until([&] {
    a_.door->Send(named, "news");
    return !b_.heard.empty();
  }));
  EXPECT_EQ(b_.heard[0].second, "news");
}

TEST_F(GossipDoorTest, ToNobodyNothingHappens) {
  ASSERT_TRUE(Open(&a_, "127.0.0.1", FreePort()).has_value());
  ASSERT_TRUE(Open(&b_, "127.0.0.1", FreePort()).has_value());
  a_.door->Send({"127.0.0.1", FreePort()}, "to nobody");
  a_.door->Send({"no-such-host.invalid", 1}, "to no address");
  a_.door->Send(b_.at, "news");
  ASSERT_TRUE(loop_.Until([&] { return !b_.heard.empty(); }));
  EXPECT_EQ(b_.heard[0].second, "news") << "an echo of what found nobody ends nothing";
}

TEST_F(GossipDoorTest, ALongerDatagramThanAnyPacketIsSeenToBeOne) {
  ASSERT_TRUE(Open(&a_, "127.0.0.1", FreePort()).has_value());
  ASSERT_TRUE(Open(&b_, "127.0.0.1", FreePort()).has_value());
  a_.door->Send(b_.at, std::string(9'000, 'x'));
  ASSERT_TRUE(loop_.Until([&] { return !b_.heard.empty(); }));
  EXPECT_EQ(b_.heard[0].second.size(), gossip::kPacketBytesMax + 1);
}

TEST_F(GossipDoorTest, APortInUseIsNamedWithTheWayOut) {
  ASSERT_TRUE(Open(&a_, "127.0.0.1", FreePort()).has_value());
  const Status taken = Open(&b_, "127.0.0.1", a_.at.port);
  ASSERT_FALSE(taken.has_value());
  EXPECT_NE(taken.error().text.find(std::to_string(a_.at.port)), std::string::npos);
  EXPECT_NE(taken.error().text.find("--peer-port"), std::string::npos);
}

TEST_F(GossipDoorTest, AHostWithoutAnAddressIsRefused) {
  const Status unknown = Open(&a_, "no-such-host.invalid", 7401);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().text.find("no-such-host.invalid"), std::string::npos);
}

TEST_F(GossipDoorTest, FaultsDropAndDelayDatagrams) {
  ASSERT_TRUE(Open(&a_, "127.0.0.1", FreePort()).has_value());
  ASSERT_TRUE(Open(&b_, "127.0.0.1", FreePort()).has_value());
  ASSERT_TRUE(faults_.Set({{.host = b_.at.host, .port = b_.at.port, .in = false, .drop = true}})
                  .has_value());
  a_.door->Send(b_.at, "dropped");
  ASSERT_TRUE(
      faults_
          .Set({{.host = b_.at.host, .port = b_.at.port, .delay = std::chrono::milliseconds(20)}})
          .has_value());
  a_.door->Send(b_.at, "late");
  b_.door->Send(a_.at, "late too");
  const MonotonicTime begin = RealTime();
  ASSERT_TRUE(loop_.Until([&] {
    a_.door->Tick(RealTime());
    return !b_.heard.empty() && !a_.heard.empty();
  }));
  EXPECT_GE(RealTime() - begin, std::chrono::milliseconds(19));
  EXPECT_EQ(b_.heard[0].second, "late");
  EXPECT_EQ(a_.heard[0].second, "late too");
}

}  // namespace
}  // namespace eddy::server
