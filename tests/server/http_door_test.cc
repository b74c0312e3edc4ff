// The HTTP door without a socket: every path, every split, and what is no HTTP.
#include "server/http_door.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/http_admin.h"
#include "tests/server/fake_front.h"
#include "wire/context_token.h"

namespace eddy::server {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

class Client final : public Outlet {
 public:
  explicit Client(Front* front, HttpOptions options = {})
      : door_(front, options), session_(door_.MakeSession(this)) {}
  std::string* out() override { return &sent; }
  void CloseAfterFlush() override { closed = true; }
  void Wake() override { Feed(""); }

  void Feed(std::string_view bytes) {
    input_.append(bytes);
    if (!closed && !session_->paused()) input_.erase(0, session_->Consume(input_));
  }
  // What was sent since the last call.
  std::string Sent() { return std::exchange(sent, {}); }
  bool waits() const { return session_->awaiting(); }
  void Leave() { session_.reset(); }

  std::string sent;
  bool closed = false;

 private:
  HttpDoor door_;
  std::string input_;
  std::unique_ptr<Session> session_;
};

std::string Get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: n1\r\n\r\n";
}

wire::NodeStatus ExampleStatus() {
  wire::NodeStatus status{.cluster = "te\"st", .software = "eddyd 1", .name = "n1", .ready = true};
  status.members.push_back({.id = {1, 2}, .name = "n2", .zone = "z2", .reachable = true});
  status.counters.push_back({.name = "gets", .value = 7});
  status.owners = {0, 0};
  return status;
}

TEST(HttpDoor, AnswersEveryPathAndKeepsTheConnection) {
  FakeFront front;
  Client client(&front);
  for (const char* path : {"/livez", "/readyz", "/metrics", "/admin/v1/status", "/livez?now"}) {
    client.sent.clear();
    client.Feed(Get(path));
    EXPECT_THAT(client.sent, StartsWith("HTTP/1.1 200 OK\r\n")) << path;
    EXPECT_FALSE(client.closed);
  }
}

TEST(HttpDoor, SaysWhyItIsNotReady) {
  FakeFront front;
  front.ready = false;
  Client client(&front);
  client.Feed(Get("/readyz"));
  EXPECT_THAT(client.sent, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(client.sent, HasSubstr("waiting for the test"));
  client.sent.clear();
  client.Feed(Get("/livez"));
  EXPECT_THAT(client.sent, StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(HttpDoor, SaysTheSameWhereverTheBytesAreSplit) {
  FakeFront front;
  const std::string bytes = Get("/livez") + Get("/readyz") + Get("/nowhere");
  std::string expected;
  for (size_t split = 0; split <= bytes.size(); ++split) {
    Client client(&front);
    client.Feed(std::string_view(bytes).substr(0, split));
    client.Feed(std::string_view(bytes).substr(split));
    if (split == 0) expected = client.sent;
    ASSERT_EQ(client.sent, expected) << split;
  }
  EXPECT_THAT(expected, HasSubstr("404 Not Found"));
}

TEST(HttpDoor, GivesHeadTheSameWithoutTheBody) {
  FakeFront front;
  Client get(&front);
  get.Feed(Get("/livez"));
  Client head(&front);
  head.Feed("HEAD /livez HTTP/1.1\r\nHost: n1\r\n\r\n");
  EXPECT_EQ(head.sent + "live\n", get.sent);
}

TEST(HttpDoor, ChangesNothingAndSaysSo) {
  FakeFront front;
  Client client(&front);
  client.Feed("POST /livez HTTP/1.1\r\nHost: n1\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(client.sent, StartsWith("HTTP/1.1 405 "));
}

TEST(HttpDoor, ClosesWhenTheClientAsksForIt) {
  FakeFront front;
  Client client(&front);
  client.Feed("GET /livez HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.sent, HasSubstr("Connection: close"));
  EXPECT_TRUE(client.closed);
}

TEST(HttpDoor, EndsWhatIsNoHttp) {
  FakeFront front;
  for (const std::string& bytes :
       {std::string("*1\r\n$4\r\nPING\r\n"), std::string(64, '\0'), std::string("GET\r\n\r\n")}) {
    Client client(&front);
    client.Feed(bytes);
    EXPECT_THAT(client.sent, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_TRUE(client.closed);
  }
}

TEST(HttpDoor, EndsHeadersAndBodiesWithoutEnd) {
  FakeFront front;
  for (const std::string& begin :
       {std::string("GET /livez HTTP/1.1\r\n"),
        std::string("GET /livez HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")}) {
    Client client(&front);
    client.Feed(begin);
    size_t fed = 0;
    while (!client.closed && fed < 10 * kHttpHeadBytesMax) {
      const std::string line = "X-Header: " + std::string(4000, 'v') + "\r\n";
      client.Feed(line);
      fed += line.size();
    }
    EXPECT_TRUE(client.closed);
    EXPECT_LE(fed, kHttpHeadBytesMax + 5000);
    EXPECT_THAT(client.sent, AnyOf(StartsWith("HTTP/1.1 431 "), StartsWith("HTTP/1.1 413 ")));
  }
}

TEST(HttpDoor, StatusIsJsonWhateverTheNames) {
  wire::NodeStatus status = ExampleStatus();
  status.members[0].zone = "\xff\xfe";
  const auto json = nlohmann::json::parse(StatusJson(status), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["cluster"], "te\"st");
  EXPECT_EQ(json["members"][0]["name"], "n2");
  EXPECT_EQ(json["counters"]["gets"], 7);
}

// --- admin calls

std::string BodyOf(std::string_view reply) {
  return std::string(reply.substr(reply.find("\r\n\r\n") + 4));
}

std::string Post(std::string_view target, std::string_view body,
                 std::string_view type = "application/json") {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: n1\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", target,
      type, body.size(), body);
}

TEST(HttpAdmin, ACallIsItsNameWithItsArgumentsBehindTheQuestionMarkOrInTheBody) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/admin/v1/cluster.ring?partition=3&replicas=2"));
  std::string reply = client.Sent();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
  EXPECT_EQ(BodyOf(reply), "cluster.ring({\"partition\":3,\"replicas\":2})\n");
  client.Feed(Post("/admin/v1/repair.start", "{\"partition\": 7}"));
  EXPECT_EQ(BodyOf(client.Sent()), "repair.start({\"partition\":7})\n");
  client.Feed(Post("/admin/v1/repair.start", ""));
  EXPECT_EQ(BodyOf(client.Sent()), "repair.start({})\n");
  client.Feed(Post("/admin/v1/cluster.show", "{}", "application/json; charset=utf-8"));
  EXPECT_EQ(BodyOf(client.Sent()), "cluster.show({})\n");
  EXPECT_FALSE(client.closed);
}

TEST(HttpAdmin, BytesMayStandAsTheyAreAndTextsAreNeverNumbers) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/admin/v1/key.show?bucket=shop&key=%FF%00"));
  EXPECT_EQ(BodyOf(client.Sent()),
            "key.show({\"bucket_base64\":\"c2hvcA==\",\"key_base64\":\"/wA=\"})\n");
  client.Feed(Get("/admin/v1/key.show?bucket_base64=1234&key_base64=5678"));
  EXPECT_EQ(BodyOf(client.Sent()),
            "key.show({\"bucket_base64\":\"1234\",\"key_base64\":\"5678\"})\n");
}

TEST(HttpAdmin, OneConnectionsCallsAreAnsweredInTheirOrder) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/admin/v1/hints.show") + Get("/livez") + Get("/admin/v1/process.show"));
  const std::string sent = client.Sent();
  const size_t first = sent.find("hints.show({})");
  const size_t second = sent.find("\r\n\r\nlive\n");
  const size_t third = sent.find("process.show({})");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
}

TEST(HttpAdmin, WhatMayChangeSomethingTakesAPostThatSaysItIsJson) {
  FakeFront front;
  Client client(&front);
  for (const char* call :
       {"repair.start", "cluster.order", "cluster.force", "fault.set", "log.level"}) {
    client.Feed(Get(fmt::format("/admin/v1/{}", call)));
    const std::string reply = client.Sent();
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 405 ")) << call;
    EXPECT_THAT(reply, HasSubstr("Allow: POST\r\n"));
  }
  // What a page in a browser can send to another site without asking.
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "application/jsonx"}) {
    client.Feed(Post("/admin/v1/repair.start", "{}", type));
    EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 415 ")) << type;
  }
  client.Feed("OPTIONS /admin/v1/repair.start HTTP/1.1\r\nHost: n1\r\n\r\n");
  EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 405 "));
  client.Feed("PUT /admin/v1/cluster.show HTTP/1.1\r\nHost: n1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 405 "));
}

TEST(HttpAdmin, RefusesWhatMakesNoSenseAndSaysWhatWould) {
  FakeFront front;
  Client client(&front);
  const std::pair<std::string, const char*> cases[] = {
      {Get("/admin/v1/cluster.shwo"), "404"},
      {Get("/admin/v1/cluster.ring?partition=x"), "400"},
      {Get("/admin/v1/cluster.ring?partition=1&partition=2"), "400"},
      {Get("/admin/v1/cluster.ring?partition=%zz"), "400"},
      {Post("/admin/v1/repair.start?partition=1", "{}"), "400"},
      {Post("/admin/v1/repair.start", "[1]"), "400"},
      {Post("/admin/v1/repair.start", "{\"partition\":"), "400"},
      {Get("/admin/v1/keys.page?cursor=$"), "400"},
      {Get("/admin/v1/keys.page?what=1"), "400"},
  };
  for (const auto& [request, status] : cases) {
    client.Feed(request);
    const std::string reply = client.Sent();
    EXPECT_THAT(reply, StartsWith(fmt::format("HTTP/1.1 {} ", status))) << request;
    const auto json = nlohmann::json::parse(BodyOf(reply), nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << reply;
    EXPECT_GT(json["error"]["text"].get<std::string>().size(), 10u) << reply;
  }
  client.Feed(Get("/admin/v1/cluster.shwo"));
  EXPECT_THAT(client.Sent(), HasSubstr("did you mean cluster.show?"));
  EXPECT_FALSE(client.closed);
  client.Feed(Post("/admin/v1/cluster.order", std::string(200'000, ' ')));
  EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 413 "));
}

TEST(HttpAdmin, ListsItsCallsWithTheirMethods) {
  FakeFront front;
  Client client(&front);
  for (const char* path : {"/admin/v1/", "/admin/v1"}) {
    client.Feed(Get(path));
    const auto json = nlohmann::json::parse(BodyOf(client.Sent()));
    std::map<std::string, std::string> methods;
    for (const auto& call : json["calls"]) methods[call["call"]] = call["method"];
    EXPECT_EQ(methods["status"], "GET");
    EXPECT_EQ(methods["keys.page"], "GET");
    EXPECT_EQ(methods["cluster.plan"], "GET");
    EXPECT_EQ(methods["cluster.order"], "POST");
    EXPECT_EQ(methods["process.show"], "GET");
    EXPECT_EQ(methods["fault.set"], "POST");
  }
}

TEST(HttpAdmin, KeysComeByPagesAndTheirBytesInBase64) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/admin/v1/keys.page?bucket=shop&cursor=Yw=="));
  EXPECT_TRUE(client.waits());
  auto& [request, listed] = front.listing.front();
  EXPECT_EQ(request.bucket, "shop");
  EXPECT_EQ(request.cursor, "c");
  listed({.keys = {{.bucket = "shop", .key = "\xff"}}, .cursor = "d"});
  EXPECT_EQ(BodyOf(client.Sent()),
            "{\"keys\":[{\"bucket_base64\":\"c2hvcA==\",\"key_base64\":\"/w==\"}],"
            "\"cursor\":\"ZA==\"}\n");
  // One that has left is not answered.
  client.Feed(Get("/admin/v1/keys.page"));
  client.Leave();
  front.listing.back().second({});
}

TEST(HttpAdmin, AnErrorsStatusSaysWhetherToTryAgain) {
  const std::pair<Code, int> cases[] = {
      {Code::kInvalidArgument, 400}, {Code::kConflict, 409}, {Code::kUnsupported, 501},
      {Code::kUnavailable, 503},     {Code::kBusy, 503},     {Code::kIo, 500}};
  for (const auto& [code, status] : cases) {
    const HttpReply reply = AdminHttpReply({.error = Error{code, "why"}});
    EXPECT_EQ(reply.status, status);
    const auto json = nlohmann::json::parse(reply.body);
    EXPECT_EQ(json["error"]["code"], CodeName(code));
    EXPECT_EQ(json["error"]["text"], "why");
  }
}

// --- keys

std::string Put(std::string_view target, std::string_view body, std::string_view headers = "") {
  return fmt::format("PUT {} HTTP/1.1\r\nHost: n1\r\n{}Content-Length: {}\r\n\r\n{}", target,
                     headers, body.size(), body);
}

wire::ShownSibling Shown(std::string value, uint64_t counter) {
  return {.dot = {.actor = {1, 1}, .counter = counter}, .value = std::move(value)};
}

TEST(HttpKeys, AGetBecomesARequestAndItsOneValueTheBody) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/kv/shop/cart%2F7/%C3%A4%00?r=2&pr=1&sloppy=false&timeout=250ms"));
  ASSERT_EQ(front.waiting.size(), 1u);
  const wire::ClientRequest& request = front.waiting.front().first;
  EXPECT_EQ(request.bucket, "shop");
  EXPECT_EQ(request.key, std::string("cart/7/\xc3\xa4\0", 10));
  EXPECT_EQ(request.quorum, (wire::QuorumOptions{.r = 2, .pr = 1, .sloppy = false}));
  EXPECT_EQ(request.deadline, std::chrono::milliseconds(250));
  EXPECT_FALSE(std::get<wire::GetAction>(request.action).all_siblings);
  EXPECT_TRUE(client.waits());
  const std::string value("two\0apples", 10);
  front.Reply({.needed = 2, .answered = 2, .context = "token", .siblings = {Shown(value, 1)}});
  const std::string reply = client.Sent();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("X-Eddy-Context: " + wire::ContextTokenToText("token")));
  EXPECT_EQ(BodyOf(reply), value);
}

TEST(HttpKeys, SiblingsAreAConflictForWhoWantsOneValueAndAListForWhoWantsAll) {
  FakeFront front;
  Client client(&front);
  for (const bool all : {false, true}) {
    client.Feed(Get(all ? "/kv/b/k?all=true" : "/kv/b/k"));
    EXPECT_EQ(std::get<wire::GetAction>(front.waiting.front().first.action).all_siblings, all);
    front.Reply({.needed = 2,
                 .answered = 2,
                 .context = "token",
                 .siblings = {Shown("apples", 1), Shown("\xff\x01", 2), Shown("\x01", 3)}});
    const std::string reply = client.Sent();
    EXPECT_THAT(reply, StartsWith(all ? "HTTP/1.1 200 " : "HTTP/1.1 409 "));
    EXPECT_THAT(reply, HasSubstr("X-Eddy-Context: "));
    const auto json = nlohmann::json::parse(BodyOf(reply));
    EXPECT_EQ(json.contains("error"), !all);
    EXPECT_EQ(json["context"], wire::ContextTokenToText("token"));
    ASSERT_EQ(json["siblings"].size(), 3u);
    EXPECT_EQ(json["siblings"][0]["value"], "apples");
    EXPECT_EQ(json["siblings"][0]["dot"], NodeId({1, 1}).ToHex() + ":1");
    EXPECT_EQ(json["siblings"][1]["value_base64"], "/wE=");
    // Text that JSON would blow up goes the other way, too.
    EXPECT_EQ(json["siblings"][2]["value_base64"], "AQ==");
  }
}

TEST(HttpKeys, NothingIsNotFoundAndStillHasAContext) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/kv/b/k"));
  front.Reply({.needed = 2, .answered = 2, .context = "deleted"});
  const std::string reply = client.Sent();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(reply, HasSubstr("X-Eddy-Context: " + wire::ContextTokenToText("deleted")));
  EXPECT_THAT(nlohmann::json::parse(BodyOf(reply))["siblings"], testing::SizeIs(0));
}

TEST(HttpKeys, APutCarriesItsBodyContextAndExpiry) {
  FakeFront front;
  Client client(&front);
  const std::string value("\r\n\r\n\0", 5);
  client.Feed(Put("/kv/b/k?w=3&pw=2&ttl=90s", value,
                  "X-EDDY-CONTEXT: " + wire::ContextTokenToText("seen") + "\r\n"));
  const wire::ClientRequest& request = front.waiting.front().first;
  EXPECT_EQ(request.quorum, (wire::QuorumOptions{.w = 3, .pw = 2}));
  const auto& put = std::get<wire::PutAction>(request.action);
  EXPECT_EQ(put.value, value);
  EXPECT_EQ(put.context, "seen");
  EXPECT_EQ(put.expires_at, WallTime(std::chrono::seconds(90)));
  front.Reply({.needed = 3, .answered = 3, .context = "mine"});
  EXPECT_EQ(client.Sent(),
            "HTTP/1.1 204 No Content\r\nX-Eddy-Context: " + wire::ContextTokenToText("mine") +
                "\r\nConnection: keep-alive\r\n\r\n");
  client.Feed("DELETE /kv/b/k HTTP/1.1\r\n\r\n");
  EXPECT_EQ(std::get<wire::DeleteAction>(front.waiting.front().first.action).context, "");
  front.Reply({.needed = 2, .answered = 2});
  EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 204 "));
}

TEST(HttpKeys, ABodyMayComeInChunks) {
  FakeFront front;
  Client client(&front);
  client.Feed("PUT /kv/b/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n");
  EXPECT_TRUE(front.waiting.empty());
  // A trailer is no header.
  client.Feed("7\r\n apples\r\n0\r\nX-Eddy-Context: !!\r\n\r\n");
  ASSERT_EQ(front.waiting.size(), 1u);
  EXPECT_EQ(std::get<wire::PutAction>(front.waiting.front().first.action).value, "two apples");
}

TEST(HttpKeys, OneConnectionsRequestsAreAnsweredInTheirOrder) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/kv/b/k") + Get("/livez") + Put("/kv/b/k", "v"));
  EXPECT_EQ(client.sent, "");
  ASSERT_EQ(front.waiting.size(), 1u);
  front.Answer("first");
  const std::string reply = client.Sent();
  EXPECT_THAT(reply, HasSubstr("first"));
  EXPECT_THAT(BodyOf(reply), HasSubstr("live\n"));
  ASSERT_EQ(front.waiting.size(), 1u);
  EXPECT_EQ(std::get<wire::PutAction>(front.waiting.front().first.action).value, "v");
}

TEST(HttpKeys, SayTheSameWhereverTheBytesAreSplit) {
  const std::string bytes = Put("/kv/b/k?w=1", "value", "X-Eddy-Context: \r\n") + Get("/kv/b/k");
  for (size_t split = 0; split <= bytes.size(); ++split) {
    FakeFront front;
    Client client(&front);
    client.Feed(std::string_view(bytes).substr(0, split));
    client.Feed(std::string_view(bytes).substr(split));
    ASSERT_EQ(front.waiting.size(), 1u) << split;
    ASSERT_EQ(std::get<wire::PutAction>(front.waiting.front().first.action).value, "value");
    front.Reply({.needed = 1, .answered = 1});
    ASSERT_EQ(front.waiting.size(), 1u) << split;
    front.Answer("value");
    ASSERT_THAT(client.sent, testing::EndsWith("\r\n\r\nvalue")) << split;
  }
}

TEST(HttpKeys, AClientThatWaitsForAWordBeforeTheBodyGetsIt) {
  FakeFront front;
  Client client(&front, {.value_bytes_max = 10});
  client.Feed("PUT /kv/b/k HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Sent(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Wake();
  EXPECT_EQ(client.Sent(), "");
  client.Feed("value");
  front.Reply({.needed = 2, .answered = 2});
  EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 204 "));
  client.Feed("PUT /kv/b/k HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.Sent(), StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(client.closed);
}

TEST(HttpKeys, AValueOverTheLimitIsRefusedHoweverItComes) {
  FakeFront front;
  for (const std::string& bytes :
       {Put("/kv/b/k", std::string(11, 'v')),
        std::string("PUT /kv/b/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "6\r\nvvvvvv\r\n6\r\nvvvvvv\r\n")}) {
    Client client(&front, {.value_bytes_max = 10});
    client.Feed(bytes);
    EXPECT_THAT(client.sent, StartsWith("HTTP/1.1 413 "));
    EXPECT_TRUE(client.closed);
    EXPECT_TRUE(front.waiting.empty());
  }
}

TEST(HttpKeys, EveryContextThatIsGivenOutIsTaken) {
  FakeFront front;
  Client client(&front);
  const std::string token(wire::kContextTokenBytesMax, '\xff');
  client.Feed(Put("/kv/b/k", "v", "X-Eddy-Context: " + wire::ContextTokenToText(token) + "\r\n"));
  ASSERT_EQ(front.waiting.size(), 1u);
  EXPECT_EQ(std::get<wire::PutAction>(front.waiting.front().first.action).context, token);
}

TEST(HttpKeys, WhatIsWrongIsSaidAndReachesNoNode) {
  FakeFront front;
  Client client(&front);
  const std::string context = "X-Eddy-Context: AAAA\r\n";
  const auto get = [](std::string_view target, std::string_view headers) {
    return fmt::format("GET {} HTTP/1.1\r\n{}\r\n", target, headers);
  };
  const struct {
    std::string bytes;
    int status;
    std::string text;
  } wrong[] = {
      {Get("/kv"), 400, "/kv/BUCKET/KEY"},
      {Get("/kv/b"), 400, "/kv/BUCKET/KEY"},
      {Get("/kv/b/"), 400, "key"},
      {Get("/kv//k"), 400, "bucket"},
      {Get("/kv/b/%zz"), 400, "hex"},
      {Get("/kv/b/k%2"), 400, "hex"},
      {Get("/kv/b/k?r=x"), 400, "r=x"},
      {Get("/kv/b/k?r=256"), 400, "0 to 255"},
      {Get("/kv/b/k?r="), 400, "number"},
      {Get("/kv/b/k?w=1"), 400, "it takes r, pr"},
      {Get("/kv/b/k?timout=1s"), 400, "did you mean timeout?"},
      {Get("/kv/b/k?timeout=1"), 400, "not a duration"},
      {Get("/kv/b/k?timeout=25h"), 400, "24 hours"},
      {Get("/kv/b/k?r=1&r=2"), 400, "twice"},
      {Get("/kv/b/k?all=yes"), 400, "true or false"},
      {Get("/kv/b/k?r=%4"), 400, "hex"},
      {Get("/kv/" + std::string(256, 'b') + "/k"), 413, "bucket"},
      {Get("/kv/b/" + std::string(64 * 1024 + 1, 'k')), 413, "key"},
      {get("/kv/b/k", context), 400, "for PUT and DELETE"},
      {get("/kv/b/k", "If-None-Match: *\r\n"), 501, "if-none-match"},
      {Put("/kv/b/k?r=1", "v"), 400, "it takes w, pw"},
      {Put("/kv/b/k?ttl=0s", "v"), 400, "ttl"},
      {Put("/kv/b/k", "v", "X-Eddy-Context: a context\r\n"), 400, "context"},
      {Put("/kv/b/k", "v", context + context), 400, "2 times"},
      {Put("/kv/b/k", "v", "If-Match: \"a\"\r\n"), 501, "if-match"},
      {Put("/kv/b/k", "v", "Content-Encoding: gzip\r\n"), 415, "Content-Encoding"},
      {"DELETE /kv/b/k?ttl=1s HTTP/1.1\r\n\r\n", 400, "ttl"},
      {"POST /kv/b/k HTTP/1.1\r\nContent-Length: 1\r\n\r\nv", 405, "PUT"},
  };
  for (const auto& [bytes, status, text] : wrong) {
    client.Feed(bytes);
    const std::string reply = client.Sent();
    EXPECT_THAT(reply, StartsWith(fmt::format("HTTP/1.1 {} ", status))) << bytes.substr(0, 200);
    const auto json = nlohmann::json::parse(BodyOf(reply), nullptr, false);
    ASSERT_TRUE(json.is_object()) << reply;
    EXPECT_THAT(std::string(json["error"]["text"]), HasSubstr(text));
    EXPECT_TRUE(front.waiting.empty()) << bytes.substr(0, 200);
    ASSERT_FALSE(client.closed) << bytes.substr(0, 200);
  }
}

TEST(HttpKeys, ErrorsHaveAStatusForProgramsAndAWordForPeople) {
  FakeFront front;
  Client client(&front);
  const struct {
    Code code;
    int status;
  } errors[] = {{Code::kInvalidArgument, 400}, {Code::kTooLarge, 413}, {Code::kUnsupported, 501},
                {Code::kUnavailable, 503},     {Code::kBusy, 503},     {Code::kTimeout, 504},
                {Code::kUnknownOutcome, 504},  {Code::kIo, 500}};
  for (const auto& [code, status] : errors) {
    client.Feed(Put("/kv/b/k", "v"));
    front.Reply({.error = Error{code, "such and such"}, .needed = 2, .answered = 1});
    const std::string reply = client.Sent();
    EXPECT_THAT(reply, StartsWith(fmt::format("HTTP/1.1 {} ", status)));
    EXPECT_EQ(reply.contains("Retry-After"), status == 503) << reply;
    const auto json = nlohmann::json::parse(BodyOf(reply));
    EXPECT_EQ(json["error"]["code"], CodeName(code));
    EXPECT_EQ(json["error"]["text"], "such and such");
    EXPECT_EQ(json["answered"], 1);
  }
}

TEST(HttpKeys, AReplyToAClientThatHasLeftIsDropped) {
  FakeFront front;
  Client client(&front);
  client.Feed(Get("/kv/b/k"));
  client.Leave();
  front.Answer("too late");
  EXPECT_EQ(client.sent, "");
}

TEST(HttpKeys, HeadHasTheSameHeadAndNoBody) {
  FakeFront front;
  Client get(&front);
  get.Feed(Get("/kv/b/k"));
  front.Answer("value");
  Client head(&front);
  head.Feed("HEAD /kv/b/k HTTP/1.1\r\nHost: n1\r\n\r\n");
  front.Answer("value");
  EXPECT_EQ(head.sent + "value", get.sent);
}

TEST(HttpKeys, OldClientsGetTheirReplyAndTheEnd) {
  FakeFront front;
  Client client(&front);
  client.Feed("GET /kv/b/k HTTP/1.0\r\n\r\n");
  EXPECT_FALSE(client.closed);
  front.Answer("value");
  EXPECT_TRUE(client.closed);
  EXPECT_THAT(client.sent, HasSubstr("Connection: close"));
}

}  // namespace
}  // namespace eddy::server
