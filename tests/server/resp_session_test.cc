// What a Redis client is told, command by command, and what the node is asked in its name.
#include "server/resp_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/resp_command.h"
#include "tests/server/resp_fakes.h"
#include "wire/context_token.h"

namespace eddy::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

using Words = std::vector<std::string>;

class RespSessionTest : public testing::Test {
 protected:
  // Sends and lets everything complete.
  std::string Send(const std::string& bytes) {
    connection_.Receive(bytes);
    Settle();
    return connection_.TakeSent();
  }
  std::string Ask(const Words& words) { return Send(RespArray(words)); }
  void Settle() {
    do {
      connection_.Turn();
    } while (front_.Step());
  }

  static wire::ClientReply Failure(Code code, const std::string& text, uint8_t answered = 1) {
    return {.error = Error{code, text}, .needed = 2, .answered = answered};
  }

  FakeFront front_{1};
  RespClients clients_;
  FakeConnection connection_{
      &front_,
      {.peer_address = "10.0.0.1:5555", .local_address = "127.0.0.1:7379", .clients = &clients_}};
};

TEST_F(RespSessionTest, SpeaksInlineToo) {
  EXPECT_EQ(Send("PING\r\n"), "+PONG\r\n");
  EXPECT_EQ(Send("set a \"b c\"\r\nget a\n\r\n"), "+OK\r\n$3\r\nb c\r\n");
}

// --- Arity and unknown commands

TEST_F(RespSessionTest, RefusesEveryCommandWithTheWrongNumberOfArguments) {
  for (const RespCommand& command : RespCommands()) {
    const size_t least = static_cast<size_t>(std::abs(command.arity));
    Words words{std::string(command.name)};
    if (const size_t bar = words[0].find('|'); bar != std::string::npos) {
      words = {words[0].substr(0, bar), words[0].substr(bar + 1)};
    }
    const std::string expected =
        "-ERR wrong number of arguments for '" + command.LowerName() + "' command\r\n";
    if (least > words.size()) {
      Words few = words;
      few.resize(least - 1, "0");
      EXPECT_EQ(Ask(few), expected);
    }
    if (command.arity > 0) {
      Words many = words;
      many.resize(least + 1, "0");
      EXPECT_EQ(Ask(many), expected);
    }
  }
  EXPECT_TRUE(front_.requests().empty());
}

TEST_F(RespSessionTest, NamesTheCommandThatIsUnknown) {
  EXPECT_EQ(Ask({"FOO", "bar", "a b"}),
            "-ERR unknown command 'FOO', with args beginning with: 'bar' 'a b' \r\n");
  EXPECT_EQ(Ask({"CLIENT", "FOO"}), "-ERR unknown subcommand 'FOO' of CLIENT\r\n");
  EXPECT_EQ(Ask({"CLIENT|ID"}), "-ERR unknown command 'CLIENT|ID', with args beginning with: \r\n");
  EXPECT_EQ(Ask({""}), "-ERR unknown command '', with args beginning with: \r\n");
  // Neither line breaks nor great lengths come back.
  EXPECT_EQ(Ask({"a\r\n+OK"}), "-ERR unknown command 'a  +OK', with args beginning with: \r\n");
  EXPECT_LT(Ask(Words(1000, std::string(1000, 'x'))).size(), 1000u);
}

TEST_F(RespSessionTest, SaysWhyACommandOfRedisIsAbsentAndWhatToDo) {
  EXPECT_THAT(Ask({"AUTH", "secret"}),
              StartsWith("-ERR AUTH is not supported: there are no users"));
  EXPECT_THAT(Ask({"multi"}), HasSubstr("pipeline(transaction=False)"));
  EXPECT_EQ(Ask({"discard"}), "+OK\r\n");
  EXPECT_THAT(Ask({"SUBSCRIBE", "x"}), StartsWith("-ERR SUBSCRIBE is not supported: "));
  EXPECT_THAT(Ask({"KEYS", "*"}), HasSubstr("eddyctl export"));
  EXPECT_THAT(Ask({"SCAN", "0"}), HasSubstr("eddyctl export"));
  EXPECT_THAT(Ask({"INCR", "a"}), HasSubstr("EDDY.PUT"));
  EXPECT_THAT(Ask({"HSET", "a", "b", "c"}), HasSubstr("strings only"));
  EXPECT_THAT(Ask({"CONFIG", "SET", "a", "b"}), StartsWith("-ERR CONFIG SET is not supported: "));
  EXPECT_THAT(Ask({"CLUSTER", "MEET", "a", "b"}), HasSubstr("eddyctl"));
  EXPECT_TRUE(front_.requests().empty());
}

TEST_F(RespSessionTest, DoesNothingOfATransactionThatItRefuses) {
  const std::string replies = Send("MULTI\r\nSET a 1\r\nMULTI\r\nEXEC\r\nGET a\r\n");
  EXPECT_THAT(replies, StartsWith("-ERR MULTI is not supported: "));
  EXPECT_THAT(replies, HasSubstr("\r\n-ERR not done: it belongs to a transaction"));
  EXPECT_THAT(replies, HasSubstr("\r\n-EXECABORT nothing of the transaction was done"));
  EXPECT_THAT(replies, testing::EndsWith("\r\n$-1\r\n"));
  EXPECT_THAT(Send("multi\r\nset a 1\r\ndiscard\r\nGET a\r\n"),
              testing::EndsWith("\r\n+OK\r\n$-1\r\n"));
  EXPECT_THAT(Send("MULTI\r\nRESET\r\nGET a\r\n"), testing::EndsWith("+RESET\r\n$-1\r\n"));
  EXPECT_THAT(Ask({"EXEC"}), StartsWith("-ERR EXEC is not supported: "));
}

// --- The connection

TEST_F(RespSessionTest, ChangesTheProtocolForTheCommandsThatFollow) {
  EXPECT_EQ(Send("GET none\r\nHELLO 3\r\nGET none\r\nHELLO 2\r\nGET none\r\n"),
            "$-1\r\n"
            "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n"
            "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
            "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
            "_\r\n"
            "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n"
            "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
            "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
            "$-1\r\n");
}

TEST_F(RespSessionTest, RefusesAGreetingThatItCannotMeetAndChangesNothing) {
  EXPECT_EQ(Ask({"HELLO", "4"}), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(Ask({"HELLO", "x"}), "-ERR Protocol version is not an integer or out of range\r\n");
  EXPECT_THAT(Ask({"HELLO", "3", "AUTH", "user", "secret"}), StartsWith("-ERR AUTH is not supp"));
  EXPECT_EQ(Ask({"HELLO", "3", "SETNAME"}), "-ERR Syntax error in HELLO\r\n");
  EXPECT_THAT(Ask({"HELLO", "3", "SETNAME", "a b"}), StartsWith("-ERR Client names cannot"));
  EXPECT_EQ(Ask({"GET", "none"}), "$-1\r\n");
}

TEST_F(RespSessionTest, KnowsItsClientByName) {
  EXPECT_EQ(Ask({"CLIENT", "GETNAME"}), "$-1\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETNAME", "worker"}), "+OK\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETINFO", "lib-name", "redis-py"}), "+OK\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETINFO", "LIB-VER", "4.3.4"}), "+OK\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETINFO", "LIB-FOO", "4.3.4"}),
            "-ERR Unrecognized option 'LIB-FOO'\r\n");
  EXPECT_EQ(Ask({"CLIENT", "NO-EVICT", "on"}), "+OK\r\n");
  EXPECT_EQ(Ask({"CLIENT", "NO-TOUCH", "maybe"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Ask({"CLIENT", "GETNAME"}), "$6\r\nworker\r\n");
  front_.Advance(std::chrono::seconds(5));
  EXPECT_THAT(Ask({"CLIENT", "INFO"}),
              HasSubstr("id=1 addr=10.0.0.1:5555 laddr=127.0.0.1:7379 name=worker age=5 idle=0 "
                        "flags=e db=0 sub=0 psub=0 multi=-1 cmd=CLIENT|INFO user=default resp=2 "
                        "lib-name=redis-py lib-ver=4.3.4\n"));
  EXPECT_EQ(Ask({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(Ask({"CLIENT", "GETNAME"}), "$-1\r\n");
}

TEST_F(RespSessionTest, ListsAndKillsTheConnectionsOfItsDoor) {
  FakeConnection other(&front_, {.peer_address = "10.0.0.2:1", .clients = &clients_});
  EXPECT_EQ(Ask({"CLIENT", "ID"}), ":1\r\n");
  EXPECT_THAT(Ask({"CLIENT", "LIST"}), testing::AllOf(HasSubstr("id=1 "), HasSubstr("\nid=2 ")));
  EXPECT_THAT(Ask({"CLIENT", "LIST", "ID", "2"}), testing::Not(HasSubstr("id=1 ")));
  EXPECT_EQ(Ask({"CLIENT", "KILL", "10.0.0.9:1"}), "-ERR No such client\r\n");
  EXPECT_EQ(Ask({"CLIENT", "KILL", "ID", "2", "ADDR", "10.0.0.9:1"}), ":0\r\n");
  EXPECT_FALSE(other.closed());
  EXPECT_EQ(Ask({"CLIENT", "KILL", "ID", "2"}), ":1\r\n");
  EXPECT_TRUE(other.closed());
  other.Leave();
  EXPECT_THAT(Ask({"CLIENT", "LIST"}), testing::Not(HasSubstr("id=2 ")));
  EXPECT_EQ(Ask({"CLIENT", "KILL", "ID", "1"}), ":0\r\n");
  EXPECT_EQ(Ask({"CLIENT", "KILL", "ID", "1", "SKIPME", "no"}), ":1\r\n");
  EXPECT_TRUE(connection_.closed());
}

TEST_F(RespSessionTest, LeavesAfterTheRepliesBeforeQuit) {
  connection_.Receive("SET a 1\r\nGET a\r\nQUIT\r\nSET a 2\r\n");
  connection_.Turn();
  EXPECT_FALSE(connection_.closed());
  Settle();
  EXPECT_EQ(connection_.TakeSent(), "+OK\r\n$1\r\n1\r\n+OK\r\n");
  EXPECT_TRUE(connection_.closed());
  EXPECT_EQ(front_.requests().size(), 2u);
}

TEST_F(RespSessionTest, EndsAStreamThatItCannotUnderstandAfterTheRepliesBefore) {
  EXPECT_EQ(Send("SET a 1\r\n*1\r\n:5\r\n"),
            "+OK\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  EXPECT_TRUE(connection_.closed());
}

TEST_F(RespSessionTest, LetsNoLineBreakIntoAnErrorOfTheProtocol) {
  EXPECT_EQ(Send("*1\r\n\rx"), "-ERR Protocol error: expected '$', got ' '\r\n");
}

TEST_F(RespSessionTest, HangsUpOnHttpBeforeItsBodyIsTakenForCommands) {
  EXPECT_THAT(Send("POST / HTTP/1.1\r\n\r\nSET a 1\r\n"), StartsWith("-ERR this door speaks RESP"));
  EXPECT_TRUE(connection_.closed());
  EXPECT_TRUE(front_.requests().empty());
}

TEST_F(RespSessionTest, AClientThatLeavesIsNotAnswered) {
  connection_.Receive("SET a 1\r\nAPPEND a 2\r\n");
  connection_.Turn();
  connection_.Leave();
  front_.Drain();
  EXPECT_EQ(connection_.TakeSent(), "");
}

TEST_F(RespSessionTest, YieldsToTheSocketWhenRepliesAreLarge) {
  std::string input;
  for (int i = 0; i < 1000; ++i) input += "COMMAND\r\n";
  connection_.Receive(input);
  size_t most = 0;
  std::string sent;
  while (!connection_.input().empty()) {
    connection_.TurnOnce();
    most = std::max(most, connection_.TakeSent().size());
  }
  EXPECT_LT(most, 2u * 1024 * 1024);
}

// --- Requests

TEST_F(RespSessionTest, ASetHasSeenNothingAndAChangeHasSeenWhatItRead) {
  Ask({"SET", "a", "1"});
  Ask({"APPEND", "a", "2"});
  Ask({"DEL", "a"});
  ASSERT_EQ(front_.requests().size(), 5u);
  for (const wire::ClientRequest& request : front_.requests()) {
    EXPECT_EQ(request.bucket, "redis");
    EXPECT_EQ(request.key, "a");
  }
  const auto context_of = [&](size_t index) {
    const auto& action = front_.requests()[index].action;
    if (const auto* put = std::get_if<wire::PutAction>(&action)) return put->context;
    return std::get<wire::DeleteAction>(action).context;
  };
  EXPECT_EQ(context_of(0), "");
  EXPECT_EQ(context_of(2), "seen 1");
  EXPECT_EQ(context_of(4), "seen 2");
}

TEST_F(RespSessionTest, AsksManyKeysAtOnceAndNoMoreThanItsWindow) {
  FakeConnection connection(&front_, {.pipeline = {.operations_max = 10}});
  Words words{"MGET"};
  for (int i = 0; i < 100; ++i) words.push_back(std::to_string(i));
  connection.Receive(RespArray(words));
  connection.Turn();
  EXPECT_EQ(front_.pending(), 10u);
  front_.Drain();
  EXPECT_EQ(front_.pending_max(), 10u);
  EXPECT_EQ(front_.requests().size(), 100u);
}

TEST_F(RespSessionTest, TakesNoMoreInputThanItsPipelineHolds) {
  FakeConnection connection(&front_, {.pipeline = {.commands_max = 5}});
  std::string input;
  for (int i = 0; i < 20; ++i) input += "GET a\r\n";
  connection.Receive(input);
  connection.Turn();
  EXPECT_EQ(front_.pending(), 5u);
  EXPECT_EQ(connection.input().size(), 15u * 7);
  EXPECT_TRUE(connection.session().paused());
}

TEST_F(RespSessionTest, TakesOneAfterTheOtherWhileMemoryIsShort) {
  FakeConnection connection(&front_);
  connection.memory_is_short = true;
  connection.Receive(RespArray({"SET", "a", "1"}) + RespArray({"SET", "b", "2"}) +
                     RespArray({"GET", "a"}));
  do {
    connection.Turn();
    EXPECT_LE(front_.pending(), 1u);
  } while (front_.Step());
  connection.Turn();
  EXPECT_EQ(connection.TakeSent(), "+OK\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(connection.input(), "");
}

TEST_F(RespSessionTest, SaysWhatItHoldsAndKeepsNothingOnceItRests) {
  FakeConnection connection(&front_);
  const size_t at_first = 4 * 1024;
  std::string input;
  for (int i = 0; i < 200; ++i) input += RespArray({"SET", "a", std::string(300, 'x')});
  connection.Receive(input);
  connection.Turn();
  EXPECT_GT(connection.held, 200u * 300);
  do {
    connection.Turn();
  } while (front_.Step());
  EXPECT_GT(connection.held, at_first) << "room for the next pipeline";
  connection.Rest();
  EXPECT_LT(connection.held, at_first);
  connection.Receive(RespArray({"GET", "a"}));
  connection.Turn();
  connection.Rest();
  EXPECT_EQ(front_.pending(), 1u) << "what is awaited is kept";
  front_.Drain();
  connection.TakeSent();
  connection.Turn();
}

TEST_F(RespSessionTest, TakesNoMoreInputWhileItHoldsManyBytes) {
  FakeConnection connection(&front_, {.pipeline = {.held_bytes_max = 1000}});
  std::string input;
  for (int i = 0; i < 20; ++i) input += RespArray({"SET", "a", std::string(300, 'x')});
  connection.Receive(input);
  connection.Turn();
  EXPECT_EQ(front_.pending(), 4u);
  EXPECT_TRUE(connection.session().paused());
  do {
    connection.Turn();
  } while (front_.Step());
  EXPECT_FALSE(connection.session().paused());
  EXPECT_EQ(front_.requests().size(), 20u);
}

// --- Errors of the quorum

TEST_F(RespSessionTest, TellsTheClassesOfFailureApart) {
  const std::vector<std::pair<Code, std::string>> table = {
      {Code::kInvalidArgument, "-ERR why (needed 2, answered 1)\r\n"},
      {Code::kTooLarge, "-ERR why (needed 2, answered 1)\r\n"},
      {Code::kUnavailable, "-CLUSTERDOWN why (needed 2, answered 1)\r\n"},
      {Code::kUnknownOutcome, "-EDDYUNKNOWN write outcome unknown: why (needed 2, answered 1)\r\n"},
      {Code::kBusy, "-TRYAGAIN why (needed 2, answered 1)\r\n"},
      {Code::kTimeout, "-TIMEOUT why (needed 2, answered 1)\r\n"},
      {Code::kIo, "-IOERR why (needed 2, answered 1)\r\n"},
      {Code::kCorruption, "-IOERR why (needed 2, answered 1)\r\n"},
  };
  for (const auto& [code, expected] : table) {
    for (const Words& words : std::vector<Words>{
             {"GET", "a"}, {"SET", "a", "1"}, {"APPEND", "a", "1"}, {"DEL", "a"}, {"MGET", "a"}}) {
      front_.AnswerNext(Failure(code, "why"));
      EXPECT_EQ(Ask(words), expected) << words[0];
    }
  }
}

TEST_F(RespSessionTest, AStartingNodeSaysThatItIsLoading) {
  front_.set_ready(false);
  front_.AnswerNext(Failure(Code::kUnavailable, "nothing done: this node is starting"));
  EXPECT_THAT(Ask({"GET", "a"}), StartsWith("-LOADING nothing done: this node is starting"));
  EXPECT_THAT(Ask({"INFO", "persistence"}), HasSubstr("loading:1\r\n"));
  EXPECT_EQ(Ask({"PING"}), "+PONG\r\n");
}

TEST_F(RespSessionTest, AFailedSecondHalfOfAChangeIsItsAnswer) {
  Ask({"SET", "a", "1"});
  front_.AnswerNext({.needed = 2,
                     .answered = 2,
                     .context = "seen 1",
                     .siblings = {{.dot = {}, .timestamp = {}, .value = "1"}}});
  front_.AnswerNext(Failure(Code::kUnknownOutcome, "silence"));
  EXPECT_THAT(Ask({"GETSET", "a", "2"}), StartsWith("-EDDYUNKNOWN write outcome unknown: silence"));
}

TEST_F(RespSessionTest, SaysHowManyKeysOfACommandFailedAndTheGravestWhy) {
  front_.AnswerNext({.needed = 2, .answered = 2});
  front_.AnswerNext(Failure(Code::kUnavailable, "too few"));
  front_.AnswerNext(Failure(Code::kUnknownOutcome, "silence"));
  EXPECT_EQ(Ask({"MSET", "a", "1", "b", "2", "c", "3"}),
            "-EDDYUNKNOWN write outcome unknown: silence (needed 2, answered 1); so it went for 2 "
            "of 3 keys, the others are done\r\n");
}

// --- WAIT

TEST_F(RespSessionTest, WaitTellsHowManyReplicasHaveTheLastWriteBeforeIt) {
  EXPECT_EQ(Ask({"WAIT", "1", "100"}), ":0\r\n");
  connection_.Receive("SET a 1\r\nWAIT 2 100\r\nSET b 1\r\nGET a\r\nWAIT 0 0\r\n");
  front_.AnswerNext({.needed = 2, .answered = 3});
  front_.AnswerNext({.needed = 1, .answered = 1});
  Settle();
  EXPECT_THAT(connection_.TakeSent(), StartsWith("+OK\r\n:2\r\n+OK\r\n"));
  EXPECT_EQ(Ask({"WAIT", "1", "100"}), ":0\r\n");
  EXPECT_EQ(Ask({"WAIT", "1", "-1"}), "-ERR timeout is negative\r\n");
  EXPECT_EQ(Ask({"WAIT", "x", "0"}), "-ERR value is not an integer or out of range\r\n");
}

// --- EDDY.*

TEST_F(RespSessionTest, ShowsContextAndSiblingsOfAnyBucket) {
  const std::string context = "\x01\xff\x02";
  front_.AnswerNext({.needed = 2,
                     .answered = 2,
                     .context = context,
                     .siblings = {{.dot = {ActorId{1, 2}, 3},
                                   .timestamp = {uint64_t{1'700'000'000'123} << 16},
                                   .value = "x"},
                                  {.dot = {ActorId{1, 2}, 4},
                                   .timestamp = {},
                                   .expires_at = WallTime(std::chrono::milliseconds(99)),
                                   .value = ""}}});
  const wire::ClientReply reply{.needed = 2, .answered = 2};
  EXPECT_EQ(Ask({"EDDY.GET", "carts", "k", "R", "1", "timeout", "250"}),
            "*2\r\n$4\r\nAf8C\r\n*2\r\n$1\r\nx\r\n$0\r\n\r\n");
  const wire::ClientRequest& request = front_.requests().back();
  EXPECT_EQ(request.bucket, "carts");
  EXPECT_EQ(request.key, "k");
  EXPECT_EQ(request.quorum.r, 1);
  EXPECT_EQ(request.deadline, std::chrono::milliseconds(250));
  EXPECT_TRUE(std::get<wire::GetAction>(request.action).all_siblings);

  front_.AnswerNext({.needed = 2,
                     .answered = 2,
                     .context = context,
                     .siblings = {{.dot = {ActorId{1, 2}, 3},
                                   .timestamp = {uint64_t{1'700'000'000'123} << 16},
                                   .value = "x"}}});
  EXPECT_EQ(Ask({"EDDY.GET", "carts", "k", "METADATA"}),
            "*2\r\n$4\r\nAf8C\r\n*1\r\n*8\r\n$5\r\nvalue\r\n$1\r\nx\r\n$3\r\ndot\r\n"
            "$34\r\n00000000000000010000000000000002:3\r\n$10\r\nwritten_ms\r\n:1700000000123\r\n"
            "$10\r\nexpires_ms\r\n$-1\r\n");
  EXPECT_EQ(Ask({"EDDY.GET", "carts", "none"}), "*2\r\n$0\r\n\r\n*0\r\n");
}

TEST_F(RespSessionTest, WritesWithTheContextThatItIsGiven) {
  front_.AnswerNext({.needed = 3, .answered = 3, .context = "\x01\xff\x02"});
  EXPECT_EQ(
      Ask({"EDDY.PUT", "carts", "k", "v", "CONTEXT", "Af8C", "W", "3", "PW", "1", "PX", "10"}),
      "$4\r\nAf8C\r\n");
  const wire::ClientRequest put = front_.requests().back();
  EXPECT_EQ(put.quorum.w, 3);
  EXPECT_EQ(put.quorum.pw, 1);
  EXPECT_EQ(std::get<wire::PutAction>(put.action),
            (wire::PutAction{.value = "v",
                             .context = "\x01\xff\x02",
                             .expires_at = front_.now().wall + std::chrono::milliseconds(10)}));
  EXPECT_EQ(Ask({"EDDY.DEL", "carts", "k", "CONTEXT", "Af8C"}), "+OK\r\n");
  EXPECT_EQ(std::get<wire::DeleteAction>(front_.requests().back().action).context, "\x01\xff\x02");
}

TEST_F(RespSessionTest, RefusesEddyCommandsThatItDoesNotUnderstand) {
  EXPECT_THAT(Ask({"EDDY.GET", "", "k"}), StartsWith("-ERR "));
  EXPECT_THAT(Ask({"EDDY.GET", std::string(256, 'b'), "k"}), StartsWith("-ERR "));
  EXPECT_THAT(Ask({"EDDY.GET", "b", ""}), StartsWith("-ERR "));
  EXPECT_THAT(Ask({"EDDY.GET", "b", "k", "R"}), HasSubstr("lacks its argument"));
  EXPECT_THAT(Ask({"EDDY.GET", "b", "k", "R", "256"}), HasSubstr("0 to 255"));
  EXPECT_THAT(Ask({"EDDY.GET", "b", "k", "CONTEXT", "Af8C"}), HasSubstr("unknown option"));
  EXPECT_THAT(Ask({"EDDY.GET", "b", "k", "TIMEOUT", "0"}), HasSubstr("milliseconds"));
  EXPECT_THAT(Ask({"EDDY.PUT", "b", "k", "v", "CONTEXT", "!"}), StartsWith("-ERR "));
  EXPECT_THAT(Ask({"EDDY.PUT", "b", "k", "v", "EX", "0"}),
              HasSubstr("invalid expire time in 'eddy.put' command"));
  EXPECT_THAT(Ask({"EDDY.DEL", "b", "k", "EX", "1"}), HasSubstr("unknown option"));
  EXPECT_TRUE(front_.requests().empty());
}

// --- What clients ask before they begin

TEST_F(RespSessionTest, AnswersConfigGetAsBenchmarksWantIt) {
  EXPECT_EQ(Ask({"CONFIG", "GET", "save"}), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "appendonly"}), "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "nothing-like-it"}), "*0\r\n");
  EXPECT_THAT(Ask({"CONFIG", "GET", "MAXMEM*", "p?rt"}),
              testing::AllOf(StartsWith("*6\r\n"), HasSubstr("maxmemory-policy"),
                             HasSubstr("$4\r\nport\r\n$4\r\n7379\r\n")));
}

TEST_F(RespSessionTest, DescribesEveryCommandInTheFormOfRedis) {
  EXPECT_EQ(Ask({"COMMAND", "INFO", "get", "no-such"}),
            "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
            "*0\r\n*0\r\n*0\r\n$-1\r\n");
  const std::string count = Ask({"COMMAND", "COUNT"});
  EXPECT_EQ("*" + count.substr(1), Ask({"COMMAND"}).substr(0, count.size()));
  EXPECT_EQ("*" + count.substr(1), Ask({"COMMAND", "LIST"}).substr(0, count.size()));
  EXPECT_EQ(Ask({"COMMAND", "LIST", "FILTERBY", "PATTERN", "eddy.*"}),
            "*3\r\n$8\r\neddy.del\r\n$8\r\neddy.get\r\n$8\r\neddy.put\r\n");
  EXPECT_EQ(Ask({"COMMAND", "DOCS", "del"}),
            "*2\r\n$3\r\ndel\r\n*6\r\n$7\r\nsummary\r\n$13\r\nDeletes keys.\r\n$5\r\nsince\r\n"
            "$5\r\n1.0.0\r\n$5\r\ngroup\r\n$7\r\ngeneric\r\n");
  EXPECT_EQ(Ask({"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"}),
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(Ask({"COMMAND", "GETKEYS", "EDDY.PUT", "b", "k", "v"}), "*1\r\n$1\r\nk\r\n");
  EXPECT_THAT(Ask({"COMMAND", "GETKEYS", "PING", "x"}), StartsWith("-ERR "));
  EXPECT_THAT(Ask({"COMMAND", "GETKEYS", "GET"}), StartsWith("-ERR "));
}

TEST_F(RespSessionTest, InfoHasTheSectionsThatWereAskedFor) {
  const std::string all = Ask({"INFO"});
  for (const char* part : {"# Server\r\n", "redis_version:7.0.15\r\n", "loading:0\r\n",
                           "role:master\r\n", "cluster_enabled:1\r\n", "# Eddy\r\n"}) {
    EXPECT_THAT(all, HasSubstr(part));
  }
  const std::string one = Ask({"INFO", "REPLICATION"});
  EXPECT_THAT(one, HasSubstr("role:master\r\n"));
  EXPECT_THAT(one, testing::Not(HasSubstr("# Server")));
  EXPECT_EQ(Ask({"INFO", "no-such"}), "$0\r\n\r\n");
}

TEST_F(RespSessionTest, HasOneDatabase) {
  EXPECT_EQ(Ask({"SELECT", "0"}), "+OK\r\n");
  EXPECT_THAT(Ask({"SELECT", "1"}), StartsWith("-ERR DB index is out of range"));
  EXPECT_EQ(Ask({"DBSIZE"}), ":0\r\n");
  Ask({"MSET", "a", "1", "b", "2"});
  EXPECT_EQ(Ask({"DBSIZE"}), ":2\r\n");
}

TEST_F(RespSessionTest, ClusterClientsMaySayThatTheyReadFromReplicas) {
  EXPECT_EQ(Send("READONLY\r\nREADWRITE\r\nASKING\r\n"), "+OK\r\n+OK\r\n+OK\r\n");
}

}  // namespace
}  // namespace eddy::server
