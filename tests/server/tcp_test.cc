// Listener and connections over real loopback sockets: that bytes arrive, and that every limit ends
// what it must and nothing else.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "server/tcp_connection.h"
#include "server/tcp_listener.h"
#include "tests/server/loop.h"

namespace eddy::server {
namespace {

// Lines: answers each with itself, but keeps the answers to lines that begin with '?' until the
// test releases them, and leaves after "bye".
class LineSession final : public Session {
 public:
  struct Control {
    LineSession* last = nullptr;
    std::string closed_because;
    int closed = 0;
    int lines = 0;
  };

  LineSession(Control* control, Outlet* outlet) : control_(control), outlet_(outlet) {
    control->last = this;
  }

  size_t Consume(std::string_view input) override {
    size_t used = 0;
    for (size_t end; !paused() && (end = input.find('\n', used)) != std::string_view::npos;) {
      const std::string_view line = input.substr(used, end - used);
      used = end + 1;
      ++control_->lines;
      if (line.starts_with('?')) {
        ++waiting_;
      } else if (line.starts_with("large ")) {
        outlet_->out()->append(std::stoul(std::string(line.substr(6))), 'x');
      } else {
        outlet_->out()->append(line).append("\n");
      }
      if (line == "bye") {
        outlet_->CloseAfterFlush();
        return used;
      }
    }
    return used;
  }
  bool paused() const override { return waiting_ >= 2; }
  bool awaiting() const override { return waiting_ > 0; }
  void OnClosed(std::string_view reason) override {
    control_->closed_because = reason;
    ++control_->closed;
    control_->last = nullptr;
  }

  void Release() {
    --waiting_;
    outlet_->out()->append("released\n");
    outlet_->Wake();
  }

 private:
  Control* const control_;
  Outlet* const outlet_;
  int waiting_ = 0;
};

class TcpTest : public testing::Test {
 protected:
  // Before the first connection.
  void Open(TcpLimits limits = {}, size_t connections_max = 100, Duration hello_max = {}) {
    shared_.loop = loop_.get();
    shared_.memory = &memory_;
    shared_.limits = limits;
    listener_ = std::make_unique<TcpListener>(
        &shared_,
        ListenerOptions{.door = "test",
                        .flag = "--test-port",
                        .host = "127.0.0.1",
                        .connections_max = connections_max,
                        .hello_max = hello_max,
                        .full_reply = "full\n"},
        [this](TcpConnection* connection) {
          connection_ = connection;
          return std::make_unique<LineSession>(&control_, connection);
        },
        [this] { return time_; });
    ASSERT_TRUE(listener_->Listen().has_value());
    loop_.turn = [this] {
      shared_.RunWoken();
      shared_.Flush();
    };
  }
  void TearDown() override {
    listener_->Close();
    ASSERT_TRUE(loop_.Until([this] { return listener_->empty(); }));
    EXPECT_EQ(memory_.taken.bytes() + memory_.under_way.bytes(), 0u) << "given back";
  }
  bool Receives(TestSocket* socket, std::string_view bytes) {
    return loop_.Until([&] {
      socket->Receive();
      return socket->received.size() >= bytes.size();
    }) && socket->received == bytes;
  }
  // The client sees an orderly end, not a reset that would cost it the last reply.
  bool Ends(TestSocket* socket) {
    return loop_.Until([&] {
      socket->Receive();
      return socket->ended() || socket->broken();
    }) && socket->ended();
  }
  void Pass(Duration time) {
    // Twice, since a check notes when something began to wait.
    listener_->CheckTimes(time_);
    time_ += time;
    listener_->CheckTimes(time_);
  }

  MonotonicTime time_{std::chrono::hours(1)};
  TestLoop loop_;
  RequestMemory memory_{200'000'000};
  TcpShared shared_;
  LineSession::Control control_;
  TcpConnection* connection_ = nullptr;  // the last one
  std::unique_ptr<TcpListener> listener_;
};

TEST_F(TcpTest, CarriesBytesBothWaysHoweverTheyArrive) {
  Open();
  TestSocket client(listener_->port());
  const std::string text = "one\ntwo\nthree\n";
  for (const char c : text) {
    ASSERT_TRUE(SendAll(&loop_, &client, {&c, 1}));
    loop_.Step();
  }
  EXPECT_TRUE(Receives(&client, text));
}

TEST_F(TcpTest, CarriesMessagesLargerThanAnyBuffer) {
  Open();
  TestSocket client(listener_->port());
  const std::string text = std::string(5'000'000, 'a') + "\n" + std::string(300'000, 'b') + "\n";
  ASSERT_TRUE(SendAll(&loop_, &client, text));
  EXPECT_TRUE(Receives(&client, text));
}

TEST_F(TcpTest, SendsTheLastWordsBeforeItCloses) {
  Open();
  TestSocket client(listener_->port());
  // Input that nobody will read: a careless close would reset the connection, reply and all.
  ASSERT_TRUE(SendAll(&loop_, &client, "bye\n" + std::string(100'000, 'z')));
  ASSERT_TRUE(Ends(&client));
  EXPECT_EQ(client.received, "bye\n");
}

TEST_F(TcpTest, ResetsWhatIsAbandoned) {
  Open();
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, "one\n"));
  ASSERT_TRUE(Receives(&client, "one\n"));
  connection_->Abandon("given up on");
  EXPECT_FALSE(Ends(&client)) << "an orderly end would have delivered what was unsent first";
  EXPECT_TRUE(client.broken());
  ASSERT_TRUE(loop_.Until([this] { return control_.closed == 1; }));
  EXPECT_EQ(control_.closed_because, "given up on");
}

TEST_F(TcpTest, SendsAReplyInTheTurnInWhichItIsMade) {
  Open();
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, "?wait\n"));
  ASSERT_TRUE(loop_.Until([&] { return control_.last != nullptr && control_.last->awaiting(); }));
  control_.last->Release();
  EXPECT_TRUE(shared_.woken.empty()) << "nothing is held back, so no turn more is needed";
  shared_.Flush();
  client.Receive();
  EXPECT_EQ(client.received, "released\n");
}

TEST_F(TcpTest, LingersNoLongerThanAllowed) {
  Open({.linger_max = std::chrono::seconds(1)});
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, "bye\n"));
  ASSERT_TRUE(Receives(&client, "bye\n"));
  ASSERT_TRUE(loop_.Until([&] {
    client.Receive();
    return client.ended();
  }));
  ASSERT_EQ(listener_->connections(), 1u);
  Pass(std::chrono::milliseconds(1'100));
  EXPECT_TRUE(loop_.Until([&] { return listener_->connections() == 0; }));
}

TEST_F(TcpTest, AnswersAClientThatHasClosedItsHalf) {
  Open();
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, "?wait\n"));
  client.EndInput();
  ASSERT_TRUE(loop_.Until([&] { return control_.last != nullptr && control_.last->awaiting(); }));
  for (int i = 0; i < 5; ++i) loop_.Step();
  ASSERT_EQ(listener_->connections(), 1u);
  control_.last->Release();
  ASSERT_TRUE(Ends(&client));
  EXPECT_EQ(client.received, "released\n");
  EXPECT_TRUE(loop_.Until([&] { return listener_->connections() == 0; }));
}

TEST_F(TcpTest, ForgetsAClientThatLeft) {
  Open();
  {
    TestSocket client(listener_->port());
    ASSERT_TRUE(SendAll(&loop_, &client, "x\n"));
    ASSERT_TRUE(Receives(&client, "x\n"));
  }
  EXPECT_TRUE(loop_.Until([&] { return listener_->connections() == 0; }));
  EXPECT_EQ(control_.closed_because, "");
}

TEST_F(TcpTest, StopsReadingAClientWhoseSessionIsPaused) {
  Open({.input_bytes_max = 200'000});
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, "?a\n?b\n"));
  ASSERT_TRUE(loop_.Until([&] { return control_.last != nullptr && control_.last->paused(); }));
  // Far more than the limit on held input: it stays in the kernels until the session goes on.
  const std::string line = std::string(100'000, 'c') + "\n";
  std::string rest;
  for (int i = 0; i < 100; ++i) rest += line;
  std::string_view to_send = rest;
  for (int i = 0; i < 200; ++i) {
    to_send.remove_prefix(client.SendSome(to_send));
    loop_.Step();
  }
  ASSERT_FALSE(to_send.empty());
  ASSERT_EQ(listener_->connections(), 1u);

  control_.last->Release();
  control_.last->Release();
  ASSERT_TRUE(SendAll(&loop_, &client, to_send));
  EXPECT_TRUE(Receives(&client, "released\nreleased\n" + rest));
}

TEST_F(TcpTest, EndsAMessageOverTheLimit) {
  Open({.input_bytes_max = 200'000});
  TestSocket client(listener_->port());
  SendAll(&loop_, &client, std::string(2'000'000, 'd'));
  EXPECT_TRUE(loop_.Until([&] { return control_.closed == 1; }));
  EXPECT_NE(control_.closed_because, "");
}

TEST_F(TcpTest, TakesNoMoreFromAClientThatDoesNotReadUntilItReads) {
  Open({.unsent_bytes_pause = 100'000});
  TestSocket client(listener_->port(), 65536);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(client.SendSome("large 1000000\n"), 14u);
    for (int step = 0; step < 3; ++step) loop_.Step();
  }
  // The kernels' buffers hold the first few.
  EXPECT_LT(control_.lines, 20);
  ASSERT_EQ(control_.closed, 0);
  EXPECT_TRUE(Receives(&client, std::string(50'000'000, 'x')));
}

TEST_F(TcpTest, EndsAClientWhoseRepliesPileUpOverTheLimit) {
  Open({.unsent_bytes_max = 10'000'000});
  TestSocket client(listener_->port(), 4096);
  std::string asks;
  for (int i = 0; i < 50; ++i) asks += "large 1000000\n";
  ASSERT_EQ(client.SendSome(asks), asks.size());
  EXPECT_TRUE(loop_.Until([&] { return control_.closed == 1; }));
  EXPECT_EQ(control_.closed_because, "does not read its replies");
}

TEST_F(TcpTest, EndsAClientThatTakesNothingForTooLong) {
  Open({.stall_max = std::chrono::seconds(30)});
  TestSocket client(listener_->port(), 4096);
  ASSERT_TRUE(loop_.Until([&] { return control_.last != nullptr; }));
  client.SendSome("large 20000000\n");
  for (int i = 0; i < 100; ++i) loop_.Step();
  Pass(std::chrono::seconds(29));
  for (int i = 0; i < 5; ++i) loop_.Step();
  ASSERT_EQ(control_.closed, 0);
  Pass(std::chrono::seconds(31));
  EXPECT_TRUE(loop_.Until([&] { return control_.closed == 1; }));
  EXPECT_EQ(control_.closed_because, "does not read its replies");
}

TEST_F(TcpTest, EndsAClientThatSaysNothingWhereAHelloIsDue) {
  Open({}, 100, /*hello_max=*/std::chrono::seconds(5));
  TestSocket silent(listener_->port());
  ASSERT_TRUE(loop_.Until([&] { return listener_->connections() == 1; }));
  Pass(std::chrono::seconds(4));
  ASSERT_EQ(control_.closed, 0);
  Pass(std::chrono::seconds(2));
  EXPECT_TRUE(loop_.Until([&] { return control_.closed == 1; }));
  EXPECT_EQ(control_.closed_because, "has not said hello");
}

TEST_F(TcpTest, EndsAMessageThatNeverEnds) {
  Open({.message_max = std::chrono::seconds(60)});
  TestSocket slow(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &slow, "whole\nand the beginning of"));
  ASSERT_TRUE(Receives(&slow, "whole\n"));
  Pass(std::chrono::seconds(1));
  // A byte now and then is not progress.
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(SendAll(&loop_, &slow, "."));
    for (int step = 0; step < 3; ++step) loop_.Step();
    ASSERT_EQ(control_.closed, 0);
    Pass(std::chrono::seconds(13));
  }
  EXPECT_TRUE(loop_.Until([&] { return control_.closed == 1; }));
  EXPECT_EQ(control_.closed_because, "has begun a message and not ended it");
}

TEST_F(TcpTest, CountsWhatItHolds) {
  Open();
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, std::string(300'000, 'a')));
  ASSERT_TRUE(loop_.Until([this] { return memory_.taken.bytes() >= 300'000; }));
  ASSERT_TRUE(SendAll(&loop_, &client, "\n"));
  EXPECT_TRUE(Receives(&client, std::string(300'000, 'a') + "\n"));
  EXPECT_LT(memory_.taken.bytes(), 100'000u);

  TestSocket deaf(listener_->port(), 4096);
  ASSERT_TRUE(SendAll(&loop_, &deaf, "large 20000000\n"));
  EXPECT_TRUE(loop_.Until([this] { return memory_.under_way.bytes() > 10'000'000; }));
}

TEST_F(TcpTest, WhileMemoryIsShortReadsOneLargeMessageAfterTheOther) {
  Open();
  MemoryShare others(&memory_.taken);
  others.Set(memory_.taken.bytes_max());
  const std::string line = std::string(1'000'000, 'a') + "\n";
  TestSocket first(listener_->port());
  first.SendSome(line.substr(0, 200'000));
  ASSERT_TRUE(loop_.Until([&] { return shared_.large.size() == 1; }));
  TestSocket second(listener_->port());
  const size_t sent = second.SendSome(line);
  for (int i = 0; i < 100; ++i) loop_.Step();
  ASSERT_EQ(shared_.large.size(), 2u) << "one read tells that it is large";
  EXPECT_LT(memory_.taken.bytes() - others.bytes(),
            200'000u + 4 * TcpShared::kScratchBytes + 200'000u)
      << "and no more of it is read";
  ASSERT_EQ(control_.lines, 0);

  ASSERT_TRUE(SendAll(&loop_, &first, std::string_view(line).substr(200'000)));
  EXPECT_TRUE(Receives(&first, line));
  ASSERT_TRUE(SendAll(&loop_, &second, std::string_view(line).substr(sent)));
  EXPECT_TRUE(Receives(&second, line)) << "its turn has come, though memory is short still";
}

TEST_F(TcpTest, WhileRequestsWaitForMemoryReadsNoLargeMessage) {
  Open();
  MemoryShare others(&memory_.taken);
  others.Set(memory_.taken.bytes_max());
  memory_.parked = 1;
  TestSocket client(listener_->port());
  const std::string line = std::string(1'000'000, 'a') + "\n";
  const size_t sent = client.SendSome(line);
  for (int i = 0; i < 100; ++i) loop_.Step();
  ASSERT_EQ(control_.lines, 0);
  EXPECT_LT(memory_.taken.bytes() - others.bytes(), 500'000u);
  TestSocket small(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &small, "x\n"));
  EXPECT_TRUE(Receives(&small, "x\n")) << "small ones go on";

  memory_.parked = 0;
  others.Set(0);
  ASSERT_TRUE(SendAll(&loop_, &client, std::string_view(line).substr(sent)));
  EXPECT_TRUE(Receives(&client, line));
}

TEST_F(TcpTest, WhileMemoryIsShortIsLessPatient) {
  Open({.message_max = std::chrono::seconds(60),
        .stall_max = std::chrono::seconds(30),
        .crowded_max = std::chrono::seconds(5)});
  TestSocket deaf(listener_->port(), 4096);
  ASSERT_TRUE(loop_.Until([&] { return control_.last != nullptr; }));
  deaf.SendSome("large 20000000\n");
  for (int i = 0; i < 100; ++i) loop_.Step();
  Pass(std::chrono::seconds(6));
  for (int i = 0; i < 5; ++i) loop_.Step();
  ASSERT_EQ(control_.closed, 0);
  MemoryShare others(&memory_.under_way);
  others.Set(memory_.under_way.bytes_max());
  Pass(std::chrono::seconds(6));
  EXPECT_TRUE(loop_.Until([&] { return control_.closed == 1; }));
  EXPECT_EQ(control_.closed_because, "does not read its replies");
}

TEST_F(TcpTest, LetsAClientBeIdleBetweenMessages) {
  Open({.message_max = std::chrono::seconds(60)}, 100, /*hello_max=*/std::chrono::seconds(5));
  TestSocket client(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &client, "x\n"));
  ASSERT_TRUE(Receives(&client, "x\n"));
  for (int i = 0; i < 10; ++i) Pass(std::chrono::hours(1));
  ASSERT_TRUE(SendAll(&loop_, &client, "y\n"));
  EXPECT_TRUE(Receives(&client, "x\ny\n"));
}

TEST_F(TcpTest, TellsAClientTooManyAndServesTheOthers) {
  Open({}, /*connections_max=*/2);
  TestSocket first(listener_->port());
  TestSocket second(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &first, "1\n"));
  ASSERT_TRUE(SendAll(&loop_, &second, "2\n"));
  ASSERT_TRUE(Receives(&first, "1\n"));
  ASSERT_TRUE(Receives(&second, "2\n"));
  TestSocket third(listener_->port());
  ASSERT_TRUE(SendAll(&loop_, &third, "3\n"));
  ASSERT_TRUE(Ends(&third));
  EXPECT_EQ(third.received, "full\n");
  EXPECT_EQ(listener_->refused(), 1u);
  ASSERT_TRUE(SendAll(&loop_, &first, "4\n"));
  EXPECT_TRUE(Receives(&first, "1\n4\n"));
}

TEST_F(TcpTest, SaysWhichDoorAndFlagWhenThePortIsTaken) {
  Open();
  TcpListener second(
      &shared_,
      {.door = "native", .flag = "--native-port", .host = "127.0.0.1", .port = listener_->port()},
      [](TcpConnection*) { return nullptr; }, [this] { return time_; });
  const auto listening = second.Listen();
  ASSERT_FALSE(listening.has_value());
  for (const std::string& part :
       {std::string("native door"), "127.0.0.1:" + std::to_string(listener_->port()),
        std::string("in use"), std::string("--native-port")}) {
    EXPECT_NE(listening.error().text.find(part), std::string::npos) << listening.error().text;
  }
}

TEST_F(TcpTest, SaysThatAnAddressIsNotOfThisMachine) {
  Open();
  TcpListener other(
      &shared_, {.door = "native", .flag = "--native-port", .host = "192.0.2.1"},
      [](TcpConnection*) { return nullptr; }, [this] { return time_; });
  const auto listening = other.Listen();
  ASSERT_FALSE(listening.has_value());
  EXPECT_NE(listening.error().text.find("--host"), std::string::npos) << listening.error().text;
}

}  // namespace
}  // namespace eddy::server
