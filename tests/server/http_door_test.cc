// The HTTP door without a socket: every path, every split, and what is no HTTP.
#include "server/http_door.h"

#include <memory>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/server/fake_front.h"

namespace eddy::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Client final : public Outlet {
 public:
  explicit Client(Front* front) : session_(MakeHttpSession(front, this)) {}
  std::string* out() override { return &sent; }
  void CloseAfterFlush() override { closed = true; }
  void Wake() override {}

  void Feed(std::string_view bytes) {
    input_.append(bytes);
    if (!closed) input_.erase(0, session_->Consume(input_));
  }

  std::string sent;
  bool closed = false;

 private:
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
      const std::string line = "X-Header: value\r\n";
      client.Feed(line);
      fed += line.size();
    }
    EXPECT_TRUE(client.closed);
    EXPECT_LE(fed, kHttpHeadBytesMax + 100);
  }
}

TEST(HttpDoor, MetricsAreEachDescribedOnceBeforeTheyAreGiven) {
  std::istringstream lines(MetricsText(ExampleStatus()));
  std::set<std::string> described;
  std::set<std::string> typed;
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, what, name;
    words >> first;
    if (first == "#") {
      words >> what >> name;
      EXPECT_TRUE((what == "HELP" ? described : typed).insert(name).second) << line;
      continue;
    }
    ++samples;
    name = first.substr(0, first.find('{'));
    EXPECT_TRUE(described.contains(name) && typed.contains(name)) << line;
    EXPECT_THAT(name, StartsWith("eddy_"));
  }
  EXPECT_GE(samples, 10);
}

TEST(HttpDoor, MetricsEscapeLabelsAndCarryValues) {
  wire::NodeStatus status = ExampleStatus();
  status.layout_version = 3;
  status.layout_newest = 4;
  const std::string text = MetricsText(status);
  EXPECT_THAT(text, HasSubstr("eddy_layout_version 3\n"));
  EXPECT_THAT(text, HasSubstr("eddy_layout_newest 4\n"));
  EXPECT_THAT(text, HasSubstr("eddy_node_info{cluster=\"te\\\"st\",node=\"n1\""));
  EXPECT_THAT(text, HasSubstr("eddy_peer_reachable{peer=\"n2\",zone=\"z2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("eddy_gets_total 7\n"));
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

}  // namespace
}  // namespace eddy::server
