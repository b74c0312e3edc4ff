#include "client/client.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "client/connection.h"
#include "client/routing.h"
#include "ring/token.h"
#include "tests/client/fake_node.h"

namespace eddy::client {
namespace {

using std::chrono::milliseconds;

// Deadlines that nothing reaches where all is well; tests of deadlines set their own.
ClientOptions For(std::vector<Address> nodes) {
  return {.nodes = std::move(nodes),
          .timeout = std::chrono::seconds(30),
          .attempt_timeout = std::chrono::seconds(20),
          .connect_timeout = std::chrono::seconds(20),
          .backoff_min = milliseconds(1),
          .backoff_max = milliseconds(4)};
}

FakeNodeOptions Answering(std::function<wire::ClientReply(const wire::ClientRequest&)> answer) {
  return {.handler = [answer](const wire::ClientRequest& request, Exchange* exchange) {
    exchange->Reply(answer(request));
  }};
}

FakeNodeOptions Closing() {
  return {.handler = [](const wire::ClientRequest&, Exchange* exchange) { exchange->Close(); }};
}

FakeNodeOptions Silent() {
  return {.handler = [](const wire::ClientRequest&, Exchange*) {}};
}

Error ErrorOf(const Result<wire::ClientReply>& reply) {
  EXPECT_FALSE(reply.has_value());
  return reply ? Error{} : reply.error();
}

// ---- One operation

TEST(Client, GetsPutsAndDeletes) {
  FakeNode node;
  Client client(For({node.address()}));
  const auto got = client.Get("bucket", "alice");
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->siblings.at(0).value, "alice");
  ASSERT_TRUE(client.Put("bucket", "alice", "value", got->context).has_value());
  ASSERT_TRUE(client.Delete("bucket", "alice", "seen").has_value());

  const auto requests = node.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(
      requests[1].action,
      (decltype(requests[1].action)(wire::PutAction{.value = "value", .context = "context"})));
  EXPECT_EQ(requests[2].action,
            (decltype(requests[2].action)(wire::DeleteAction{.context = "seen"})));
  EXPECT_NE(requests[0].id, requests[1].id);
  EXPECT_NE(requests[1].id, requests[2].id);
  // The node hears how long it has, and that is less than the client waits.
  EXPECT_GT(requests[0].deadline, Duration::zero());
  EXPECT_LT(requests[0].deadline, std::chrono::seconds(20));
}

TEST(Client, FillsInWhatARequestLeavesOut) {
  FakeNode node;
  ClientOptions options = For({node.address()});
  options.quorum = {.n = 5, .r = 2, .w = 3};
  Client client(std::move(options));
  client.Execute({.bucket = "bucket", .key = "key", .quorum = {.r = 1}});
  EXPECT_EQ(node.requests().at(0).quorum, (wire::QuorumOptions{.n = 5, .r = 1, .w = 3}));
}

TEST(Client, RefusesARequestOutOfLimitsWithoutSendingIt) {
  FakeNode node;
  Client client(For({node.address()}));
  EXPECT_EQ(ErrorOf(client.Get("", "key")).code, Code::kInvalidArgument);
  EXPECT_EQ(ErrorOf(client.Get("bucket", std::string(100'000, 'k'))).code, Code::kTooLarge);
  EXPECT_TRUE(node.requests().empty());
}

TEST(Client, DoesNotRepeatWhatCanNeverSucceed) {
  FakeNode node(Answering([](const wire::ClientRequest& request) {
    return ErrorReply(request, Code::kInvalidArgument, "r = 4 of n = 3");
  }));
  Client client(For({node.address()}));
  const wire::ClientReply reply = client.Execute({.bucket = "bucket", .key = "key"});
  EXPECT_EQ(reply.error, (Error{Code::kInvalidArgument, "r = 4 of n = 3"}));
  EXPECT_EQ(reply.needed, 2);
  EXPECT_EQ(reply.answered, 1);
  EXPECT_EQ(node.requests().size(), 1u);
}

// ---- Other nodes, and again

TEST(ClientRetry, CarriesTheSameIdToAnotherNode) {
  FakeNode broken(Closing());
  FakeNode sound;
  Client client(For({broken.address(), sound.address()}));
  ASSERT_TRUE(client.Put("bucket", "key", "value").has_value());
  ASSERT_EQ(broken.requests().size(), 1u);
  ASSERT_EQ(sound.requests().size(), 1u);
  EXPECT_FALSE(broken.requests()[0].id.IsNone());
  EXPECT_EQ(broken.requests()[0].id, sound.requests()[0].id);
  EXPECT_EQ(broken.requests()[0].action, sound.requests()[0].action);
}

TEST(ClientRetry, PassesOverNodesThatAreNotThere) {
  const ClosedPort closed;
  FakeNode sound;
  Client client(For({closed.address(), sound.address()}));
  EXPECT_TRUE(client.Put("bucket", "key", "value").has_value());
}

TEST(ClientRetry, LeavesABusyNodeForAnother) {
  for (const Code code : {Code::kBusy, Code::kUnavailable, Code::kIo, Code::kTimeout}) {
    FakeNode busy(Answering(
        [&](const wire::ClientRequest& request) { return ErrorReply(request, code, "not now"); }));
    FakeNode idle;
    Client client(For({busy.address(), idle.address()}));
    EXPECT_TRUE(client.Get("bucket", "key").has_value());
    ASSERT_EQ(busy.requests().size(), 1u);
    ASSERT_EQ(idle.requests().size(), 1u);
    EXPECT_EQ(busy.requests()[0].id, idle.requests()[0].id);
  }
}

TEST(ClientRetry, ComesBackToANodeThatWasBusy) {
  std::atomic<int> refusals = 3;
  FakeNode node(Answering([&](const wire::ClientRequest& request) {
    return refusals-- > 0 ? ErrorReply(request, Code::kBusy, "not now") : DoneReply(request);
  }));
  Client client(For({node.address()}));
  EXPECT_TRUE(client.Get("bucket", "key").has_value());
  EXPECT_EQ(node.requests().size(), 4u);
}

TEST(ClientRetry, EndsAfterItsAttempts) {
  FakeNode node(Answering([](const wire::ClientRequest& request) {
    return ErrorReply(request, Code::kUnavailable, "1 of 2 replicas");
  }));
  ClientOptions options = For({node.address()});
  options.attempts_max = 3;
  Client client(std::move(options));
  EXPECT_EQ(ErrorOf(client.Put("bucket", "key", "value")),
            (Error{Code::kUnavailable, "1 of 2 replicas"}));
  EXPECT_EQ(node.requests().size(), 3u);
}

// The coordinator knows the request again and completes the one write; another would make a second.
TEST(ClientRetry, TakesAnUnknownOutcomeBackToItsCoordinator) {
  std::atomic<int> failures = 2;
  FakeNode coordinator(Answering([&](const wire::ClientRequest& request) {
    return failures-- > 0 ? ErrorReply(request, Code::kUnknownOutcome, "1 of 2 replicas durable")
                          : DoneReply(request);
  }));
  FakeNode other;
  Client client(For({coordinator.address(), other.address()}));
  EXPECT_TRUE(client.Put("bucket", "key", "value").has_value());
  ASSERT_EQ(coordinator.requests().size(), 3u);
  EXPECT_EQ(coordinator.requests()[0].id, coordinator.requests()[2].id);
  EXPECT_TRUE(other.requests().empty());
}

TEST(ClientRetry, FindsANodeThatWasStartedAgain) {
  auto node = std::make_unique<FakeNode>();
  const Address address = node->address();
  ClientOptions options = For({address});
  options.attempts_max = 1'000'000;
  Client client(std::move(options));
  ASSERT_TRUE(client.Get("bucket", "key").has_value());
  node.reset();
  FakeNode again({}, address.port);
  EXPECT_TRUE(client.Get("bucket", "key").has_value());
}

// ---- The three classes

TEST(ClientOutcome, AWriteThatNobodyGotIsNotDone) {
  const ClosedPort closed;
  Client client(For({closed.address()}));
  const Error error = ErrorOf(client.Put("bucket", "key", "value"));
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_NE(error.text.find(ToString(closed.address())), std::string::npos) << error.text;
}

TEST(ClientOutcome, AWriteThatSomebodyGotIsUnknown) {
  FakeNode node(Closing());
  Client client(For({node.address()}));
  EXPECT_EQ(ErrorOf(client.Put("bucket", "key", "value")).code, Code::kUnknownOutcome);
}

// Also when the last node that was asked did nothing for sure.
TEST(ClientOutcome, AWriteStaysUnknownOnceSomebodyGotIt) {
  FakeNode broken(Closing());
  FakeNode busy(Answering([](const wire::ClientRequest& request) {
    return ErrorReply(request, Code::kInvalidArgument, "nothing done");
  }));
  Client client(For({broken.address(), busy.address()}));
  EXPECT_EQ(ErrorOf(client.Put("bucket", "key", "value")).code, Code::kUnknownOutcome);
}

TEST(ClientOutcome, AReadIsNeverUnknown) {
  FakeNode node(Closing());
  Client client(For({node.address()}));
  EXPECT_EQ(ErrorOf(client.Get("bucket", "key")).code, Code::kUnavailable);
}

TEST(ClientOutcome, ANodeOfAnotherClusterIsNotUsed) {
  FakeNode node;
  ClientOptions options = For({node.address()});
  options.cluster = "red";
  Client client(std::move(options));
  EXPECT_EQ(ErrorOf(client.Put("bucket", "key", "value")).code, Code::kWrongCluster);
  EXPECT_TRUE(node.requests().empty());
}

TEST(ClientOutcome, WithoutNodesItSaysSo) {
  Client client(For({}));
  EXPECT_EQ(ErrorOf(client.Get("bucket", "key")).code, Code::kInvalidArgument);
  EXPECT_EQ(client.Status().error().code, Code::kInvalidArgument);
}

// ---- Time

TEST(ClientDeadline, EndsAnOperationThatNobodyAnswers) {
  FakeNode node(Silent());
  ClientOptions options = For({node.address()});
  options.timeout = milliseconds(30);
  Client client(std::move(options));
  EXPECT_EQ(ErrorOf(client.Get("bucket", "key")).code, Code::kTimeout);
  EXPECT_EQ(ErrorOf(client.Put("bucket", "key", "value")).code, Code::kUnknownOutcome);
}

TEST(ClientDeadline, OfTheRequestGoesBeforeThatOfTheClient) {
  FakeNode node(Silent());
  Client client(For({node.address()}));
  const auto reply =
      client.Execute({.bucket = "bucket", .key = "key", .deadline = milliseconds(30)});
  ASSERT_TRUE(reply.error.has_value());
  EXPECT_EQ(reply.error->code, Code::kTimeout);
  EXPECT_LE(node.requests().at(0).deadline, milliseconds(30));
}

TEST(ClientDeadline, ANodeThatFellSilentIsLeftForAnother) {
  FakeNode silent(Silent());
  FakeNode sound;
  ClientOptions options = For({silent.address(), sound.address()});
  options.attempt_timeout = milliseconds(30);
  // On a busy machine the sound node, too, may take longer than that.
  options.attempts_max = 1000;
  Client client(std::move(options));
  ASSERT_TRUE(client.Put("bucket", "key", "value").has_value());
  ASSERT_FALSE(silent.requests().empty());
  EXPECT_EQ(silent.requests()[0].id, sound.requests().at(0).id);
}

TEST(ClientDeadline, ANodeThatAcceptsAndSaysNothingIsLeftForAnother) {
  FakeNode mute({.greets = false});
  FakeNode sound;
  ClientOptions options = For({mute.address(), sound.address()});
  options.connect_timeout = milliseconds(30);
  Client client(std::move(options));
  EXPECT_TRUE(client.Put("bucket", "key", "value").has_value());
}

// A stopped process still accepts connections: whoever waits for its hello waits long.
TEST(ClientDeadline, ANodeThatIsProbedHoldsNothingUp) {
  auto closed = std::make_unique<ClosedPort>();
  const Address address = closed->address();
  FakeNode sound;
  ClientOptions options = For({address, sound.address()});
  const TimePoint deadline = TimeIn(options.connect_timeout);
  Client client(std::move(options));
  ASSERT_TRUE(client.Get("bucket", "key").has_value());
  closed.reset();
  FakeNode mute({.greets = false}, address.port);
  while (mute.hellos().empty() && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(client.Get("bucket", "key").has_value());
  }
  ASSERT_FALSE(mute.hellos().empty());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client.Get("bucket", "key").has_value());
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
}

// ---- The ring

// Three nodes that all show the same layout, in which they own the partitions in turn.
class Ring {
 public:
  Ring() {
    for (uint64_t i = 0; i < 3; ++i) {
      nodes_.push_back(std::make_unique<FakeNode>(FakeNodeOptions{
          .hello = {.cluster = "test", .node = {1, i + 1}}, .status = [this] { return status_; }}));
    }
    status_.layout_version = 1;
    for (uint64_t i = 0; i < 3; ++i) {
      status_.members.push_back(
          {.id = {1, i + 1},
           .name = "n" + std::to_string(i + 1),
           .weight = 100,
           .doors = {.host = nodes_[i]->address().host, .native = nodes_[i]->address().port}});
    }
    for (uint32_t partition = 0; partition < 64; ++partition) {
      status_.owners.push_back(partition % 3);
    }
  }

  // A client that knows one node, and has learnt of the others.
  std::unique_ptr<Client> ClientOfFirst(ClientOptions options) {
    auto client = std::make_unique<Client>(std::move(options));
    EXPECT_TRUE(client->Get("bucket", "first").has_value());
    const TimePoint deadline = TimeIn(std::chrono::seconds(30));
    while (client->layout() == nullptr && std::chrono::steady_clock::now() < deadline) {
      client->Poll(milliseconds(10));
    }
    EXPECT_NE(client->layout(), nullptr);
    return client;
  }

  FakeNode& node(size_t index) { return *nodes_[index]; }
  size_t FirstReplica(const std::string& key) const {
    const ring::Layout layout = LayoutOf(status_).value();
    return layout.Walk(layout.PartitionOf(ring::TokenOf("bucket", key)))[0].value;
  }

 private:
  wire::NodeStatus status_;  // constant once a client comes
  std::vector<std::unique_ptr<FakeNode>> nodes_;
};

bool Got(const FakeNode& node, const std::string& key) {
  const auto requests = node.requests();
  return std::ranges::any_of(requests, [&](const auto& request) { return request.key == key; });
}

TEST(ClientRouting, SendsEachRequestToTheFirstReplicaOfItsKey) {
  Ring ring;
  const auto client = ring.ClientOfFirst(For({ring.node(0).address()}));
  std::set<size_t> used;
  for (int i = 0; i < 50; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_TRUE(client->Get("bucket", key).has_value());
    for (size_t node = 0; node < 3; ++node) {
      EXPECT_EQ(Got(ring.node(node), key), node == ring.FirstReplica(key)) << key;
    }
    used.insert(ring.FirstReplica(key));
  }
  EXPECT_EQ(used.size(), 3u);
}

TEST(ClientRouting, GoesRoundAReplicaThatIsDown) {
  Ring ring;
  const auto client = ring.ClientOfFirst(For({ring.node(0).address()}));
  ring.node(1).Stop();
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(client->Put("bucket", "key" + std::to_string(i), "value").has_value());
  }
}

TEST(ClientRouting, StaysWithTheGivenNodeWhereThatIsAsked) {
  Ring ring;
  ClientOptions options = For({ring.node(2).address()});
  options.ring_aware = false;
  Client client(std::move(options));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client.Get("bucket", "key" + std::to_string(i)).has_value());
  }
  EXPECT_EQ(client.layout(), nullptr);
  EXPECT_EQ(ring.node(2).requests().size(), 20u);
}

TEST(ClientRouting, AStatusWithoutALayoutIsNoHarm) {
  FakeNode node;  // says nothing of members
  Client client(For({node.address()}));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.Get("bucket", "key").has_value());
  EXPECT_EQ(client.layout(), nullptr);
}

TEST(ClientRouting, RefusesStatusesThatMakeNoLayout) {
  wire::NodeStatus status;
  EXPECT_FALSE(LayoutOf(status).has_value());
  status.layout_version = 1;
  status.members = {{.id = {1, 1}, .name = "n1", .weight = 1}};
  status.owners = {0, 0, 0};
  EXPECT_FALSE(LayoutOf(status).has_value());
  status.owners = {0, 0};
  EXPECT_TRUE(LayoutOf(status).has_value());
  status.members.push_back(status.members[0]);
  EXPECT_FALSE(LayoutOf(status).has_value());
}

TEST(ClientStatus, ComesFromTheFirstNodeThatCanBeReached) {
  const ClosedPort closed;
  FakeNode node({.status = [] { return wire::NodeStatus{.name = "n7"}; }});
  Client client(For({closed.address(), node.address()}));
  EXPECT_EQ(client.Status().value().name, "n7");
  EXPECT_EQ(client.Status(closed.address()).error().code, Code::kUnavailable);
}

// ---- Many at once

TEST(ClientPipeline, AnswersEachOnceWithinTheWindow) {
  // Replies only when the window is full, so the client must have as many under way, and no more.
  constexpr size_t kWindow = 16;
  constexpr size_t kOperations = 160;
  std::vector<wire::ClientRequest> waiting;
  std::atomic<size_t> waiting_max = 0;
  FakeNode node({.handler = [&](const wire::ClientRequest& request, Exchange* exchange) {
    waiting.push_back(request);
    waiting_max = std::max(waiting_max.load(), waiting.size());
    if (waiting.size() < kWindow) return;
    for (; !waiting.empty(); waiting.pop_back()) exchange->Reply(DoneReply(waiting.back()));
  }});
  ClientOptions options = For({node.address()});
  options.window = kWindow;
  Client client(std::move(options));
  std::vector<int> answers(kOperations, 0);
  for (size_t i = 0; i < kOperations; ++i) {
    client.Submit({.bucket = "bucket", .key = std::to_string(i)},
                  [&answers, i](wire::ClientReply reply) {
                    EXPECT_FALSE(reply.error.has_value());
                    EXPECT_EQ(reply.siblings.at(0).value, std::to_string(i));
                    ++answers[i];
                  });
    EXPECT_LE(client.in_flight(), kWindow);
  }
  client.Drain();
  EXPECT_EQ(client.in_flight(), 0u);
  EXPECT_EQ(answers, std::vector<int>(kOperations, 1));
  EXPECT_EQ(waiting_max, kWindow);
}

TEST(ClientPipeline, SendsWhatWasNotAnsweredToAnotherNodeWithTheSameIds) {
  // Takes twenty requests, answers every other one, and dies.
  std::atomic<int> taken = 0;
  FakeNode dying({.handler = [&](const wire::ClientRequest& request, Exchange* exchange) {
    if (++taken % 2 == 0) exchange->Reply(DoneReply(request));
    if (taken % 20 == 0) exchange->Close();
  }});
  FakeNode sound;
  ClientOptions options = For({dying.address(), sound.address()});
  options.window = 50;
  options.attempts_max = 1000;
  Client client(std::move(options));
  std::vector<int> answers(500, 0);
  for (size_t i = 0; i < answers.size(); ++i) {
    client.Submit(
        {.bucket = "bucket", .key = std::to_string(i), .action = wire::PutAction{.value = "value"}},
        [&answers, i](wire::ClientReply reply) {
          EXPECT_FALSE(reply.error.has_value());
          ++answers[i];
        });
  }
  client.Drain();
  EXPECT_EQ(answers, std::vector<int>(500, 1));

  // One id for one operation, whoever got it.
  std::set<std::pair<std::string, RequestId>> ids;
  std::set<std::string> keys;
  for (const FakeNode* node : {&dying, &sound}) {
    for (const auto& request : node->requests()) {
      ids.emplace(request.key, request.id);
      keys.insert(request.key);
    }
  }
  EXPECT_EQ(ids.size(), 500u);
  EXPECT_EQ(keys.size(), 500u);
  EXPECT_GE(dying.requests().size(), 20u);
  EXPECT_GE(sound.requests().size(), 10u);
}

TEST(ClientPipeline, ACallbackMaySubmitTheNextAlsoInAFullWindow) {
  FakeNode node;
  ClientOptions options = For({node.address()});
  options.window = 4;
  Client client(std::move(options));
  int done = 0;
  std::function<void(int)> chain = [&](int left) {
    client.Submit({.bucket = "bucket", .key = "key"}, [&, left](wire::ClientReply reply) {
      EXPECT_FALSE(reply.error.has_value()) << reply.error->text;
      ++done;
      if (left > 1) chain(left - 1);
    });
  };
  for (int i = 0; i < 10; ++i) chain(20);
  client.Drain();
  EXPECT_EQ(done, 200);
}

TEST(ClientPipeline, ACallbackThatSubmitsTooManyHearsThatTheWindowIsFull) {
  FakeNode node;
  ClientOptions options = For({node.address()});
  options.window = 2;
  Client client(std::move(options));
  std::vector<std::optional<Error>> errors;
  client.Submit({.bucket = "bucket", .key = "key"}, [&](wire::ClientReply) {
    for (int i = 0; i < 3; ++i) {
      client.Submit({.bucket = "bucket", .key = "key"},
                    [&](wire::ClientReply reply) { errors.push_back(reply.error); });
    }
  });
  client.Drain();
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(std::ranges::count_if(errors, [](const auto& error) { return !error; }), 2);
  EXPECT_EQ(std::ranges::count_if(
                errors, [](const auto& error) { return error && error->code == Code::kBusy; }),
            1);
}

TEST(ClientPipeline, BoundsTheBytesUnderWay) {
  FakeNode node;
  ClientOptions options = For({node.address()});
  options.window_bytes = 1000;
  Client client(std::move(options));
  for (int i = 0; i < 20; ++i) {
    client.Submit({.bucket = "bucket",
                   .key = "key",
                   .action = wire::PutAction{.value = std::string(600, 'v')}},
                  [](wire::ClientReply) {});
    EXPECT_LE(client.in_flight(), 2u);
  }
  client.Drain();
  EXPECT_EQ(node.requests().size(), 20u);
}

TEST(ClientPipeline, RefusesAnIdThatIsUnderWay) {
  FakeNode node;
  Client client(For({node.address()}));
  int done = 0;
  int refused = 0;
  for (int i = 0; i < 2; ++i) {
    client.Submit({.id = {5, 5}, .bucket = "bucket", .key = "key"},
                  [&](wire::ClientReply reply) { ++(reply.error ? refused : done); });
  }
  client.Drain();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(refused, 1);
}

TEST(ClientPipeline, AClientThatGoesCallsNobodyBack) {
  FakeNode node(Silent());
  bool called = false;
  {
    Client client(For({node.address()}));
    client.Submit({.bucket = "bucket", .key = "key"}, [&](wire::ClientReply) { called = true; });
    client.Poll(milliseconds(1));
  }
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace eddy::client
