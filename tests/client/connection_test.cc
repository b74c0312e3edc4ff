#include "client/connection.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "tests/client/fake_node.h"
#include "wire/frame.h"

namespace eddy::client {
namespace {

// Far more than anything takes here, and never waited for where all is well.
TimePoint Soon() { return TimeIn(std::chrono::seconds(30)); }
// For what must not come.
TimePoint AtOnce() { return TimeIn(std::chrono::milliseconds(20)); }

wire::ClientRequest GetOf(uint64_t sequence, std::string key = "key") {
  return {.id = {7, sequence}, .bucket = "bucket", .key = std::move(key)};
}

std::unique_ptr<Connection> ConnectTo(const FakeNode& node, ConnectionOptions options = {}) {
  auto connection = Connection::Connect(node.address(), std::move(options), Soon());
  EXPECT_TRUE(connection.has_value()) << connection.error().text;
  return connection ? *std::move(connection) : nullptr;
}

Error ConnectError(const Address& address, ConnectionOptions options = {},
                   TimePoint deadline = Soon()) {
  auto connection = Connection::Connect(address, std::move(options), deadline);
  EXPECT_FALSE(connection.has_value());
  return connection ? Error{} : connection.error();
}

Error ReceiveError(Connection* connection, TimePoint deadline = Soon()) {
  auto reply = connection->Receive(deadline);
  EXPECT_FALSE(reply.has_value());
  return reply ? Error{} : reply.error();
}

bool Mentions(const Error& error, std::string_view text) {
  return error.text.find(text) != std::string::npos;
}

// ---- The hello

TEST(Connection, ExchangesHellosAndReplies) {
  FakeNode node;
  const auto connection = ConnectTo(node, {.cluster = "test", .software = "tester"});
  EXPECT_EQ(connection->hello().node_name, "fake");
  ASSERT_EQ(node.hellos().size(), 1u);
  EXPECT_EQ(node.hellos()[0].cluster, "test");
  EXPECT_EQ(node.hellos()[0].software, "tester");

  ASSERT_TRUE(connection->Send(GetOf(1, "alice")).has_value());
  const auto reply = connection->Receive(Soon());
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(std::get<wire::ClientReply>(*reply), DoneReply(GetOf(1, "alice")));
}

TEST(Connection, ReportsARefusalInTheNodesWords) {
  FakeNode node({.refusal = Error{Code::kWrongCluster, "this is cluster blue"}});
  const Error error = ConnectError(node.address(), {.cluster = "red"});
  EXPECT_EQ(error.code, Code::kWrongCluster);
  EXPECT_TRUE(Mentions(error, "this is cluster blue")) << error.text;
  EXPECT_TRUE(Mentions(error, ToString(node.address()))) << error.text;
}

TEST(Connection, RefusesANodeOfAnotherCluster) {
  FakeNode node;
  const Error error = ConnectError(node.address(), {.cluster = "red"});
  EXPECT_EQ(error.code, Code::kWrongCluster);
  EXPECT_TRUE(Mentions(error, "'test'") && Mentions(error, "'red'")) << error.text;
}

TEST(Connection, RefusesANodeWithoutACommonVersion) {
  FakeNode node({.hello = {.version = 9, .version_oldest = 8, .cluster = "test"}});
  EXPECT_EQ(ConnectError(node.address()).code, Code::kUnsupported);
}

TEST(Connection, TakesANewerNodeThatSpeaksOurVersionToo) {
  FakeNode node({.hello = {.version = 9, .version_oldest = 1, .cluster = "test"}});
  EXPECT_EQ(ConnectTo(node)->hello().version, 9u);
}

TEST(Connection, SaysThatNobodyIsThere) {
  const ClosedPort port;
  const Error error = ConnectError(port.address());
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_TRUE(Mentions(error, ToString(port.address()))) << error.text;
}

TEST(Connection, SaysThatThereIsNoSuchHost) {
  const auto opened = Connection::Open({"no such host", 7400}, {});
  ASSERT_FALSE(opened.has_value());
  EXPECT_TRUE(Mentions(opened.error(), "no such host")) << opened.error().text;
}

TEST(Connection, ConnectEndsAtItsDeadline) {
  FakeNode node({.greets = false});
  EXPECT_EQ(ConnectError(node.address(), {}, AtOnce()).code, Code::kUnavailable);
}

// ---- Requests and replies

TEST(Connection, ReceiveEndsAtItsDeadlineAndTheConnectionIsSound) {
  FakeNode node({.handler = [](const wire::ClientRequest& request, Exchange* exchange) {
    if (request.id.sequence == 2) exchange->Reply(DoneReply(request));
  }});
  const auto connection = ConnectTo(node);
  ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
  EXPECT_EQ(ReceiveError(connection.get(), AtOnce()).code, Code::kTimeout);
  ASSERT_TRUE(connection->Send(GetOf(2)).has_value());
  const auto reply = connection->Receive(Soon());
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(std::get<wire::ClientReply>(*reply).id, GetOf(2).id);
}

TEST(Connection, PipelinesAndGivesRepliesInTheOrderTheyCome) {
  std::vector<wire::ClientRequest> waiting;
  FakeNode node({.handler = [&](const wire::ClientRequest& request, Exchange* exchange) {
    waiting.push_back(request);
    if (waiting.size() < 100) return;
    for (; !waiting.empty(); waiting.pop_back()) exchange->Reply(DoneReply(waiting.back()));
  }});
  const auto connection = ConnectTo(node);
  for (uint64_t i = 1; i <= 100; ++i) ASSERT_TRUE(connection->Send(GetOf(i)).has_value());
  for (uint64_t i = 100; i >= 1; --i) {
    const auto reply = connection->Receive(Soon());
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(std::get<wire::ClientReply>(*reply).id.sequence, i);
  }
}

TEST(Connection, BoundsWhatIsUnderWay) {
  FakeNode node;
  const auto connection = ConnectTo(node, {.in_flight_max = 2});
  ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
  ASSERT_TRUE(connection->Send(GetOf(2)).has_value());
  EXPECT_EQ(connection->Send(GetOf(3)).error().code, Code::kBusy);
  ASSERT_TRUE(connection->Receive(Soon()).has_value());
  EXPECT_TRUE(connection->Send(GetOf(3)).has_value());
  EXPECT_EQ(node.requests().size(), 2u);  // the third has not left yet
}

TEST(Connection, WhatWasAbandonedIsResetAndNotDeliveredLater) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size), 0);
  for (const bool abandoned : {false, true}) {
    auto connection = Connection::Open({"127.0.0.1", ntohs(at.sin_port)}, {});
    ASSERT_TRUE(connection.has_value());
    const int node = ::accept(listener, nullptr, nullptr);
    ASSERT_GE(node, 0);
    if (abandoned) (*connection)->Abandon();
    connection->reset();
    char byte = 0;
    const ssize_t got = ::recv(node, &byte, 1, 0);
    EXPECT_EQ(got, abandoned ? -1 : 0);
    if (abandoned) {
      EXPECT_EQ(errno, ECONNRESET);
    }
    ::close(node);
  }
  ::close(listener);
}

TEST(Connection, RefusesARequestOutOfLimitsAndStaysSound) {
  FakeNode node;
  const auto connection = ConnectTo(node);
  EXPECT_EQ(connection->Send(GetOf(1, "")).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(connection->Send(GetOf(2)).has_value());
  EXPECT_TRUE(connection->Receive(Soon()).has_value());
}

// Neither side may wait for the other to read first.
TEST(Connection, CarriesLargeValuesBothWaysAtOnce) {
  const std::string large(4 * 1024 * 1024, 'v');
  FakeNode node({.handler = [&](const wire::ClientRequest& request, Exchange* exchange) {
    wire::ClientReply reply = DoneReply(request);
    reply.siblings.push_back({.dot = {ActorId{1, 1}, 1}, .value = large});
    exchange->Reply(reply);
  }});
  const auto connection = ConnectTo(node);
  for (uint64_t i = 1; i <= 6; ++i) {
    wire::ClientRequest put = GetOf(i);
    put.action = wire::PutAction{.value = large};
    ASSERT_TRUE(connection->Send(put).has_value());
  }
  for (uint64_t i = 1; i <= 6; ++i) {
    const auto reply = connection->Receive(Soon());
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(std::get<wire::ClientReply>(*reply).siblings.back().value, large);
  }
}

// ---- Nodes that misbehave

FakeNodeOptions Saying(std::string bytes) {
  return {.handler = [bytes](const wire::ClientRequest&, Exchange* exchange) {
    exchange->Raw(bytes);
    exchange->Close();
  }};
}

std::string FrameOf(const wire::ClientReply& reply) {
  std::string frame;
  wire::Encoder().AppendClientReply(reply, &frame);
  return frame;
}

TEST(Connection, RefusesAnOversizedReplyByItsHeader) {
  std::string header;
  AppendU32(&header, wire::kPayloadBytesMax + 1);
  AppendU32(&header, static_cast<uint32_t>(wire::FrameKind::kClientReply));
  FakeNode node(Saying(header));
  const auto connection = ConnectTo(node);
  ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
  EXPECT_EQ(ReceiveError(connection.get()).code, Code::kTooLarge);
  EXPECT_EQ(connection->Send(GetOf(2)).error().code, Code::kTooLarge);
}

TEST(Connection, GivesUpOnAReplyThatNeverEnds) {
  std::string header;
  AppendU32(&header, wire::kPayloadBytesMax);
  AppendU32(&header, static_cast<uint32_t>(wire::FrameKind::kClientReply));
  FakeNode node(Saying(header + std::string(100'000, 'x')));
  const auto connection = ConnectTo(node);
  ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
  EXPECT_EQ(ReceiveError(connection.get()).code, Code::kUnavailable);
}

TEST(Connection, RefusesDamageAndWhatNoNodeSends) {
  std::string damaged = FrameOf(DoneReply(GetOf(1)));
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  std::string no_reply;
  wire::Encoder().AppendHello({}, &no_reply);
  std::string no_message;
  wire::AppendFrame(wire::FrameKind::kClientReply, "not a FlatBuffer", &no_message);
  for (const std::string& bytes : {damaged, no_reply, no_message}) {
    FakeNode node(Saying(bytes));
    const auto connection = ConnectTo(node);
    ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
    EXPECT_EQ(ReceiveError(connection.get()).code, Code::kCorruption);
  }
}

TEST(Connection, GivesTheRepliesThatCameBeforeItBroke) {
  FakeNode node(Saying(FrameOf(DoneReply(GetOf(1))) + FrameOf(DoneReply(GetOf(2))) + "tail"));
  const auto connection = ConnectTo(node);
  ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
  EXPECT_TRUE(connection->Receive(Soon()).has_value());
  EXPECT_TRUE(connection->Receive(Soon()).has_value());
  EXPECT_FALSE(connection->Receive(Soon()).has_value());
  EXPECT_FALSE(connection->Receive(Soon()).has_value());
}

TEST(Connection, ReportsARefusalThatComesLater) {
  FakeNode node({.handler = [](const wire::ClientRequest&, Exchange* exchange) {
    exchange->Refuse({Code::kBusy, "this node is stopping"});
  }});
  const auto connection = ConnectTo(node);
  ASSERT_TRUE(connection->Send(GetOf(1)).has_value());
  const Error error = ReceiveError(connection.get());
  EXPECT_EQ(error.code, Code::kBusy);
  EXPECT_TRUE(Mentions(error, "this node is stopping")) << error.text;
}

}  // namespace
}  // namespace eddy::client
