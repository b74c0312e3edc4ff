#include "tools/doctor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

Json Setting(const char* section, const char* key, Json value) {
  return {{"section", section}, {"key", key}, {"value", std::move(value)}, {"default", nullptr}};
}

// Three members that are as they should be.
std::vector<NodeFacts> GoodNodes() {
  wire::NodeStatus status{.software = "eddyd 1.2", .ready = true};
  status.layout_version = status.layout_newest = 4;
  status.equal_seconds_ago = 30;
  for (uint32_t i = 1; i <= 3; ++i) {
    wire::MemberStatus member{.id = NodeId{.high = 0, .low = i},
                              .name = fmt::format("n{}", i),
                              .zone = fmt::format("z{}", i),
                              .weight = 100,
                              .reachable = true};
    member.doors.host = fmt::format("10.0.0.{}", i);
    status.members.push_back(member);
  }
  std::vector<NodeFacts> nodes;
  for (const wire::MemberStatus& member : status.members) {
    nodes.push_back({.view = {member, status},
                     .process = Json{{"data_dir", "/var/lib/eddy"},
                                     {"disk", {{"bytes", 1000U}, {"bytes_free", 500U}}},
                                     {"open_files_max", 65536U},
                                     {"store_refuses", nullptr},
                                     {"store_stalled", false},
                                     {"hints_for", Json::array()}},
                     .config = Json{{"settings",
                                     {Setting("limits", "connections_max", 10000U),
                                      Setting("storage", "engine", "rocksdb"),
                                      Setting("storage", "durability", "sync"),
                                      Setting("background", "anti_entropy_seconds", 60U),
                                      Setting("bucket_defaults", "n", 3U)}},
                                    {"fault_injection", false}},
                     .cluster = Json{{"orders", Json::array()}, {"askers", Json::array()}},
                     .clock = ClockReading{milliseconds(3), milliseconds(2)}});
  }
  return nodes;
}

// Those of the subject that are not good, as one text; each says what to do.
std::string Complaints(const std::vector<NodeFacts>& nodes, std::string_view subject,
                       Weight* worst = nullptr) {
  std::string text;
  for (const Finding& finding : Diagnose(nodes, "1.2")) {
    if (finding.weight == Weight::kGood) {
      EXPECT_THAT(finding.advice, IsEmpty());
      continue;
    }
    EXPECT_FALSE(finding.advice.empty()) << finding.text;
    EXPECT_EQ(finding.subject, subject) << finding.text;
    if (worst != nullptr) *worst = std::max(*worst, finding.weight);
    text += finding.text + "; ";
  }
  return text;
}

TEST(Doctor, FindsNothingWhereAllIsGoodAndSaysWhatItLookedAt) {
  const auto findings = Diagnose(GoodNodes(), "1.2");
  EXPECT_GE(findings.size(), 9u);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.weight, Weight::kGood) << finding.subject << ": " << finding.text;
    EXPECT_FALSE(finding.text.empty()) << finding.subject;
  }
}

TEST(Doctor, SeesANodeThatIsNotThere) {
  auto nodes = GoodNodes();
  nodes[1] = {.view = {nodes[1].view.member, Fail(Code::kUnavailable, "refused")}};
  Weight worst = Weight::kGood;
  EXPECT_THAT(Complaints(nodes, "nodes", &worst), HasSubstr("n2: refused"));
  EXPECT_EQ(worst, Weight::kProblem);
}

TEST(Doctor, SeesClocksThatAreApartBeyondWhatTheReadingCannotTell) {
  auto nodes = GoodNodes();
  nodes[2].clock = ClockReading{milliseconds(700), milliseconds(20)};
  Weight worst = Weight::kGood;
  EXPECT_THAT(Complaints(nodes, "clocks", &worst), HasSubstr("n3 is 697 ms ahead of n1"));
  EXPECT_EQ(worst, Weight::kWarning);
  nodes[2].clock = ClockReading{milliseconds(700), milliseconds(300)};
  EXPECT_THAT(Complaints(nodes, "clocks"), IsEmpty());
  nodes[2].clock = ClockReading{milliseconds(-8000), milliseconds(300)};
  worst = Weight::kGood;
  EXPECT_THAT(Complaints(nodes, "clocks", &worst), HasSubstr("ahead of n3"));
  EXPECT_EQ(worst, Weight::kProblem);
}

TEST(Doctor, SeesADiskThatFillsAndOneThatFails) {
  auto nodes = GoodNodes();
  (*nodes[0].process)["disk"]["bytes_free"] = 150U;
  Weight worst = Weight::kGood;
  EXPECT_THAT(Complaints(nodes, "disk", &worst), HasSubstr("n1 has 150 B free of 1000 B (15%)"));
  EXPECT_EQ(worst, Weight::kWarning);
  (*nodes[0].process)["disk"]["bytes_free"] = 50U;
  (*nodes[1].process)["store_refuses"] = "an I/O error";
  (*nodes[2].process)["store_stalled"] = true;
  const std::string text = Complaints(nodes, "disk", &worst);
  EXPECT_EQ(worst, Weight::kProblem);
  EXPECT_THAT(text, HasSubstr("n2 refuses writes: an I/O error"));
  EXPECT_THAT(text, HasSubstr("n3 does not keep up"));
  (*nodes[0].process)["disk"] = nullptr;
}

TEST(Doctor, SeesTwoVersions) {
  auto nodes = GoodNodes();
  nodes[2].view.status->software = "eddyd 1.3";
  EXPECT_THAT(Complaints(nodes, "versions"), HasSubstr("n3 runs eddyd 1.3"));
  for (NodeFacts& node : nodes) node.view.status->software = "eddyd 1.3";
  EXPECT_THAT(Complaints(nodes, "versions"), HasSubstr("this is eddyctl 1.2"));
}

TEST(Doctor, SeesALayoutThatMovesAndMembersThatFailTogether) {
  auto nodes = GoodNodes();
  for (NodeFacts& node : nodes) node.view.status->layout_newest = 5;
  EXPECT_THAT(Complaints(nodes, "layout"), HasSubstr("layout 5 is being filled"));
  nodes = GoodNodes();
  nodes[0].view.member.zone = "z2";
  EXPECT_THAT(Complaints(nodes, "layout"), HasSubstr("2 zones hold three copies"));
  for (NodeFacts& node : nodes) node.view.member.zone = "";
  EXPECT_THAT(Complaints(nodes, "layout"), HasSubstr("no member has a zone"));
  nodes = GoodNodes();
  (*nodes[0].cluster)["askers"].push_back("n4");
  (*nodes[0].cluster)["orders"].push_back("leave n2");
  const std::string text = Complaints(nodes, "layout");
  EXPECT_THAT(text, HasSubstr("n4 asks to join"));
  EXPECT_THAT(text, HasSubstr("n1 has an order that is not done: leave n2"));
  nodes.pop_back();
  EXPECT_THAT(Complaints({nodes[1]}, "layout"), HasSubstr("1 member cannot keep three copies"));
}

TEST(Doctor, SeesConfigurationsThatDifferAndWhatIsRisky) {
  auto nodes = GoodNodes();
  (*nodes[1].config)["settings"][4]["value"] = 5U;
  Weight worst = Weight::kGood;
  EXPECT_THAT(Complaints(nodes, "configuration", &worst),
              HasSubstr("bucket_defaults.n is 3 on n1, n3, 5 on n2"));
  EXPECT_EQ(worst, Weight::kProblem);

  nodes = GoodNodes();
  (*nodes[1].config)["settings"].push_back(Setting("bucket.carts", "w", 3U));
  EXPECT_THAT(Complaints(nodes, "configuration"), HasSubstr("not set on the others"));

  nodes = GoodNodes();
  for (NodeFacts& node : nodes) {
    (*node.config)["settings"][1]["value"] = "memory";
    (*node.config)["settings"][2]["value"] = "os";
    (*node.config)["settings"][3]["value"] = 0U;
  }
  (*nodes[0].config)["fault_injection"] = true;
  const std::string text = Complaints(nodes, "configuration");
  EXPECT_THAT(text, HasSubstr("in memory"));
  EXPECT_THAT(text, HasSubstr("before they are on its disk"));
  EXPECT_THAT(text, HasSubstr("never compares"));
  EXPECT_THAT(text, HasSubstr("break its network"));
}

TEST(Doctor, SeesTooFewFiles) {
  auto nodes = GoodNodes();
  (*nodes[1].process)["open_files_max"] = 1024U;
  EXPECT_THAT(Complaints(nodes, "files"), HasSubstr("n2 may open 1024 files"));
}

TEST(Doctor, SeesReplicasThatNobodyComparedAndHintsThatDoNotLeave) {
  auto nodes = GoodNodes();
  nodes[1].view.status->equal_seconds_ago.reset();
  EXPECT_THAT(Complaints(nodes, "replicas"), HasSubstr("n2 has not found everything equal"));
  nodes[1].view.status->equal_seconds_ago = 7 * 3600;
  EXPECT_THAT(Complaints(nodes, "replicas"), HasSubstr("for 7 h"));
  nodes = GoodNodes();
  (*nodes[0].process)["hints_for"].push_back("n3");
  EXPECT_THAT(Complaints(nodes, "replicas"), HasSubstr("n1 still keeps writes for n3"));
}

TEST(Doctor, SeesNodesThatDoNotReachEachOther) {
  auto nodes = GoodNodes();
  nodes[0].view.status->members[2].reachable = false;
  EXPECT_THAT(Complaints(nodes, "network"), HasSubstr("n1 cannot reach n3"));
  nodes = GoodNodes();
  nodes[0].view.status->counters.push_back({"gossip_answers_by_connection", 7});
  EXPECT_THAT(Complaints(nodes, "network"), HasSubstr("7 answers to its probes by TCP"));
}

}  // namespace
}  // namespace eddy::tools
