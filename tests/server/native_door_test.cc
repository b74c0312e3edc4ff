// The native door's protocol without a socket: every split of the bytes, every damage to them.
#include "server/native_door.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/server/fake_front.h"
#include "tests/server/native_frames.h"

namespace eddy::server {
namespace {

using wire::FrameKind;

// An outlet that keeps everything, and a session behind it, fed as a TCP connection would.
class Client final : public Outlet {
 public:
  explicit Client(NativeDoor* door) : session_(door->MakeSession(this)) {}

  std::string* out() override { return &sent; }
  void CloseAfterFlush() override { closed = true; }
  void Wake() override { woken = true; }
  bool crowded() const override { return memory_is_short; }

  void Feed(std::string_view bytes) {
    input_.append(bytes);
    Consume();
  }
  void Consume() {
    if (!closed) input_.erase(0, session_->Consume(input_));
  }
  void Leave() { session_.reset(); }
  Session& session() { return *session_; }
  size_t held() const { return input_.size(); }

  std::string sent;
  bool closed = false;
  bool woken = false;
  bool memory_is_short = false;

 private:
  std::string input_;
  std::unique_ptr<Session> session_;
};

class NativeDoorTest : public testing::Test {
 protected:
  static NativeOptions Options() {
    NativeOptions options{.hello = {.cluster = "test", .software = "eddyd", .node_name = "n1"}};
    options.pipeline_max = 4;
    return options;
  }
  // What the door says when it has closed.
  static Error RefusalIn(const Client& client) {
    EXPECT_TRUE(client.closed);
    const auto frames = Frames(client.sent);
    CHECK(!frames.empty());
    EXPECT_EQ(frames.back().first, FrameKind::kRefusal);
    return *wire::DecodeRefusal(frames.back().second);
  }

  FakeFront front_;
  NativeDoor door_{&front_, Options()};
  Client client_{&door_};
};

TEST_F(NativeDoorTest, AnswersAHelloWithItsOwnAndThenRequests) {
  client_.Feed(HelloFrame("test") + GetFrame(1, "k"));
  ASSERT_EQ(front_.waiting.size(), 1u);
  EXPECT_EQ(front_.waiting.front().first.key, "k");
  EXPECT_TRUE(client_.session().awaiting());
  front_.Answer("v");
  EXPECT_TRUE(client_.woken);
  EXPECT_FALSE(client_.session().awaiting());

  const auto frames = Frames(client_.sent);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(wire::DecodeHello(frames[0].second)->node_name, "n1");
  const auto reply = wire::DecodeClientReply(frames[1].second);
  EXPECT_EQ(reply->id.sequence, 1u);
  EXPECT_EQ(reply->siblings.at(0).value, "v");
}

TEST_F(NativeDoorTest, SaysTheSameWhereverTheBytesAreSplit) {
  const std::string bytes =
      HelloFrame("test") + GetFrame(1, "k") + StatusFrame(2) + PutFrame(3, "k", "value");
  std::string expected;
  for (size_t split = 0; split <= bytes.size(); ++split) {
    Client client(&door_);
    client.Feed(std::string_view(bytes).substr(0, split));
    client.Feed(std::string_view(bytes).substr(split));
    while (!front_.waiting.empty()) front_.Answer("v");
    ASSERT_FALSE(client.closed) << split;
    ASSERT_EQ(client.held(), 0u) << split;
    if (split == 0) expected = client.sent;
    ASSERT_EQ(client.sent, expected) << split;
  }
  EXPECT_EQ(Frames(expected).size(), 4u);
}

TEST_F(NativeDoorTest, RefusesAClientOfAnotherClusterNamingBoth) {
  client_.Feed(HelloFrame("orders"));
  const Error refusal = RefusalIn(client_);
  EXPECT_EQ(refusal.code, Code::kWrongCluster);
  EXPECT_NE(refusal.text.find("'test'"), std::string::npos) << refusal.text;
  EXPECT_NE(refusal.text.find("'orders'"), std::string::npos) << refusal.text;
  EXPECT_TRUE(front_.waiting.empty());
}

TEST_F(NativeDoorTest, TakesAClientThatNamesNoCluster) {
  client_.Feed(HelloFrame(""));
  EXPECT_FALSE(client_.closed);
}

TEST_F(NativeDoorTest, RefusesAProtocolThatItDoesNotSpeak) {
  client_.Feed(HelloFrame("test", wire::kProtocolVersion + 2, wire::kProtocolVersion + 1));
  EXPECT_EQ(RefusalIn(client_).code, Code::kUnsupported);
}

TEST_F(NativeDoorTest, TakesANewerClientThatStillSpeaksOurVersion) {
  client_.Feed(HelloFrame("test", wire::kProtocolVersion + 2, wire::kProtocolVersion));
  EXPECT_FALSE(client_.closed);
}

TEST_F(NativeDoorTest, RefusesARequestBeforeTheHello) {
  client_.Feed(GetFrame(1, "k"));
  EXPECT_EQ(RefusalIn(client_).code, Code::kInvalidArgument);
  EXPECT_TRUE(front_.waiting.empty());
}

TEST_F(NativeDoorTest, RefusesASecondHello) {
  client_.Feed(HelloFrame("test") + HelloFrame("test"));
  EXPECT_EQ(RefusalIn(client_).code, Code::kInvalidArgument);
}

TEST_F(NativeDoorTest, RefusesFramesOfThePeerDoor) {
  std::string message;
  ASSERT_TRUE(wire::Encoder().AppendPeerMessage(wire::WriteReply{.op = 1}, &message).has_value());
  client_.Feed(HelloFrame("test") + message);
  EXPECT_EQ(RefusalIn(client_).code, Code::kUnsupported);
}

TEST_F(NativeDoorTest, RefusesEveryFrameWithAFlippedBitAndActsOnNone) {
  const std::string frame = PutFrame(1, "k", "value");
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    Client client(&door_);
    client.Feed(HelloFrame("test") + damaged);
    // A length that has grown may wait for bytes that never come: that is for the clock to end.
    ASSERT_TRUE(client.closed || client.held() > 0) << bit;
    ASSERT_TRUE(front_.waiting.empty()) << bit;
  }
}

TEST_F(NativeDoorTest, TellsAStrangerAtOnceThatThisIsNoHttp) {
  client_.Feed("GET / HTTP/1.1\r\nHost: eddy\r\n\r\n");
  RefusalIn(client_);
}

TEST_F(NativeDoorTest, RefusesALengthOverTheLimitBeforeTheBytesCome) {
  const uint32_t length = wire::kRequestPayloadBytesMax + 1;
  std::string header(reinterpret_cast<const char*>(&length), sizeof(length));
  const auto kind = static_cast<uint32_t>(FrameKind::kClientRequest);
  header.append(reinterpret_cast<const char*>(&kind), sizeof(kind));
  client_.Feed(HelloFrame("test") + header);
  EXPECT_EQ(RefusalIn(client_).code, Code::kTooLarge);
}

TEST_F(NativeDoorTest, GivesAStrangerLessRoomThanAClient) {
  const uint32_t length = wire::kHelloPayloadBytesMax + 1;
  std::string header(reinterpret_cast<const char*>(&length), sizeof(length));
  const auto kind = static_cast<uint32_t>(FrameKind::kHello);
  header.append(reinterpret_cast<const char*>(&kind), sizeof(kind));
  client_.Feed(header);
  EXPECT_EQ(RefusalIn(client_).code, Code::kTooLarge);
}

TEST_F(NativeDoorTest, TakesNoMoreThanThePipelineAndGoesOnAsRepliesLeave) {
  std::string bytes = HelloFrame("test");
  for (uint64_t i = 0; i < 10; ++i) bytes += GetFrame(i, "k");
  client_.Feed(bytes);
  EXPECT_EQ(front_.waiting.size(), 4u);
  EXPECT_TRUE(client_.session().paused());
  EXPECT_GT(client_.held(), 0u);

  for (int answered = 0; answered < 10; ++answered) {
    front_.Answer("v");
    client_.Consume();
    EXPECT_LE(front_.waiting.size(), 4u);
  }
  EXPECT_EQ(client_.held(), 0u);
  EXPECT_EQ(Frames(client_.sent).size(), 11u);
}

TEST_F(NativeDoorTest, TakesOneAfterTheOtherWhileMemoryIsShort) {
  client_.memory_is_short = true;
  client_.Feed(HelloFrame("test") + GetFrame(1, "k") + GetFrame(2, "k") + GetFrame(3, "k"));
  for (int answered = 0; answered < 3; ++answered) {
    EXPECT_EQ(front_.waiting.size(), 1u);
    EXPECT_TRUE(client_.session().paused());
    front_.Answer("v");
    client_.Consume();
  }
  EXPECT_FALSE(client_.session().paused()) << "nothing is in flight";
  EXPECT_EQ(Frames(client_.sent).size(), 4u);
}

TEST_F(NativeDoorTest, DropsRepliesOfAClientThatLeft) {
  client_.Feed(HelloFrame("test") + GetFrame(1, "k"));
  client_.Leave();
  client_.sent.clear();
  front_.Answer("v");
  EXPECT_TRUE(client_.sent.empty());
}

TEST_F(NativeDoorTest, SaysNothingAfterARefusal) {
  client_.Feed(HelloFrame("test") + GetFrame(1, "k") + HelloFrame("test"));
  const std::string before = client_.sent;
  RefusalIn(client_);
  front_.Answer("v");
  EXPECT_EQ(client_.sent, before);
}

TEST_F(NativeDoorTest, AnswersAKeyListRequest) {
  std::string bytes = HelloFrame("test");
  wire::Encoder().AppendKeyListRequest({.id = {7, 5}, .bucket = "b", .cursor = "from"}, &bytes);
  client_.Feed(bytes);
  ASSERT_EQ(front_.listing.size(), 1u);
  EXPECT_EQ(front_.listing.front().first.cursor, "from");
  EXPECT_TRUE(client_.session().awaiting());
  front_.listing.front().second({.id = {7, 5}, .error = {}, .keys = {{"b", "k"}}, .cursor = {}});
  EXPECT_TRUE(client_.woken);
  EXPECT_FALSE(client_.session().awaiting());
  const auto reply = wire::DecodeKeyListReply(Frames(client_.sent).at(1).second);
  EXPECT_EQ(reply->keys.at(0).key, "k");
}

TEST_F(NativeDoorTest, ListsKeysForNobodyOnceTheClientHasLeft) {
  {
    Client client(&door_);
    std::string bytes = HelloFrame("test");
    wire::Encoder().AppendKeyListRequest({.id = {7, 5}, .bucket = {}, .cursor = {}}, &bytes);
    client.Feed(bytes);
  }
  ASSERT_EQ(front_.listing.size(), 1u);
  front_.listing.front().second({});
}

TEST_F(NativeDoorTest, AnswersAnAdminCall) {
  std::string bytes = HelloFrame("test");
  wire::Encoder().AppendAdminRequest({.id = {7, 5}, .call = "do", .arguments = "{}"}, &bytes);
  client_.Feed(bytes);
  const auto reply = wire::DecodeAdminReply(Frames(client_.sent).at(1).second);
  EXPECT_EQ(reply->id, (RequestId{7, 5}));
  EXPECT_EQ(reply->result, "do({})");
}

TEST_F(NativeDoorTest, AnswersAStatusRequest) {
  client_.Feed(HelloFrame("test") + StatusFrame(5));
  const auto frames = Frames(client_.sent);
  ASSERT_EQ(frames.size(), 2u);
  const auto reply = wire::DecodeStatusReply(frames[1].second);
  EXPECT_EQ(reply->first.sequence, 5u);
  EXPECT_EQ(reply->second.name, "n1");
}

}  // namespace
}  // namespace eddy::server
