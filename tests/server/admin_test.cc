// Admin calls as a node runs them: what they answer, and what they refuse.
#include "server/admin.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/admin_looks.h"
#include "server/admin_process.h"
#include "tests/server/members.h"

namespace eddy::server {
namespace {

using ::testing::HasSubstr;

class AdminTest : public ::testing::Test {
 protected:
  static ring::Layout LayoutOfThree() {
    return LayoutOf({Seed{"n1", "127.0.0.1", 7401, ""}, Seed{"n2", "127.0.0.2", 7401, ""},
                     Seed{"n3", "127.0.0.3", 7401, ""}});
  }
  // The one with the smallest id, which begins all comparisons with the others; and one of those.
  static std::string Self() {
    return std::ranges::min({"n1", "n2", "n3"}, {}, [](const char* name) { return IdOf(name); });
  }
  static std::string Other() { return Self() == "n1" ? "n2" : "n1"; }
  static std::unique_ptr<node::Node> MakeNode(Duration period) {
    node::NodeOptions options;
    options.anti_entropy_period = period;
    storage::Identity identity;
    identity.node = IdOf(Self());
    const ring::Layout layout = LayoutOfThree();
    identity.layouts = ring::LayoutHistory(layout).Encode();
    return std::make_unique<node::Node>(options, node::BucketTable(), *layout.Find(identity.node),
                                        identity, Random(1));
  }
  nlohmann::json Ask(const std::string& call, const std::string& arguments = {}) {
    const auto reply = RunAdmin({node_.get(), {}, &hints_}, {{1, 2}, call, arguments});
    EXPECT_EQ(reply.id, (RequestId{1, 2}));
    EXPECT_FALSE(reply.error.has_value()) << reply.error->text;
    return nlohmann::json::parse(reply.result, nullptr, false);
  }
  Error Refusal(const std::string& call, const std::string& arguments = {}) {
    const auto reply = RunAdmin({node_.get(), {}, &hints_}, {{1, 2}, call, arguments});
    EXPECT_TRUE(reply.error.has_value()) << reply.result;
    EXPECT_EQ(reply.result, "");
    return reply.error.value_or(Error{});
  }

  std::unique_ptr<node::Node> node_ = MakeNode(std::chrono::seconds(60));
  storage::HintLedger hints_{1000};
};

TEST_F(AdminTest, TellsOfEachPartition) {
  const auto status = Ask("repair.status");
  EXPECT_EQ(status["compares"], true);
  EXPECT_EQ(status["trees_known"], 0);
  ASSERT_EQ(status["partitions"].size(), 256u);
  EXPECT_EQ(status["partitions"][7]["partition"], 7);
  EXPECT_TRUE(status["partitions"][7]["equal_ms_ago"].is_null());
}

TEST_F(AdminTest, BeginsComparisons) {
  const auto all = Ask("repair.start")["begun"].get<uint64_t>();
  EXPECT_EQ(all, 256u * 2) << "with each of the two others";
  EXPECT_EQ(all, 256 * Ask("repair.start", R"({"partition": 3})")["begun"].get<uint64_t>());
}

TEST_F(AdminTest, NamesWhatIsWrong) {
  EXPECT_EQ(Refusal("repair.stop").code, Code::kUnsupported);
  EXPECT_THAT(Refusal("repair.stop").text, HasSubstr("repair.start, repair.status"));
  for (const std::string wrong : {"[]", "{", "7", "\"x\""}) {
    EXPECT_EQ(Refusal("repair.status", wrong).code, Code::kInvalidArgument) << wrong;
  }
  EXPECT_THAT(Refusal("repair.status", R"({"x": 1})").text, HasSubstr("'x'"));
  EXPECT_THAT(Refusal("repair.start", R"({"partitions": 1})").text,
              HasSubstr("known are partition"));
  for (const std::string wrong : {"-1", "256", "1.5", "\"3\"", "null", "18446744073709551616"}) {
    const Error error = Refusal("repair.start", R"({"partition": )" + wrong + "}");
    EXPECT_EQ(error.code, Code::kInvalidArgument) << wrong;
    EXPECT_THAT(error.text, HasSubstr("0 to 255"));
  }
}

TEST_F(AdminTest, ShowsTheHintsByOwner) {
  hints_.Changed(IdOf("n2"), 0, 120);
  const auto shown = Ask("hints.show");
  EXPECT_EQ(shown["bytes_max"], 1000);
  EXPECT_EQ(shown["refused"], 0);
  ASSERT_EQ(shown["owners"].size(), 1u);
  EXPECT_EQ(shown["owners"][0]["owner"], IdOf("n2").ToHex());
  EXPECT_EQ(shown["owners"][0]["keys"], 1);
  EXPECT_EQ(shown["owners"][0]["bytes"], 120);
  EXPECT_THAT(Refusal("hints.show", R"({"x": 1})").text, HasSubstr("'x'"));
}

TEST_F(AdminTest, ShowsWhatTakesLongAndCancelsWhatCanBe) {
  const auto kinds = [&] {
    std::map<std::string, nlohmann::json> tasks;
    const auto shown = Ask("tasks.show");
    for (const auto& task : shown["tasks"]) tasks[task["kind"]] = task;
    return tasks;
  };
  EXPECT_FALSE(kinds().contains("repair"));
  EXPECT_FALSE(kinds().contains("hints"));
  const auto begun = Ask("repair.start")["begun"].get<uint64_t>();
  hints_.Changed(IdOf(Other()), 0, 120);
  const auto tasks = kinds();
  ASSERT_TRUE(tasks.contains("repair") && tasks.contains("hints"));
  EXPECT_EQ(tasks.at("repair")["done"], 0);
  EXPECT_EQ(tasks.at("repair")["total"], begun);
  EXPECT_EQ(tasks.at("repair")["can_be_cancelled"], true);
  EXPECT_EQ(tasks.at("hints")["for"], Other());
  EXPECT_EQ(tasks.at("hints")["waits"], true);
  EXPECT_EQ(tasks.at("hints")["left"], 1);
  EXPECT_EQ(tasks.at("hints")["can_be_cancelled"], false);
  // The store has told nothing yet.
  ASSERT_TRUE(tasks.contains("trees"));
  EXPECT_EQ(tasks.at("trees")["done"], 0);
  EXPECT_EQ(tasks.at("trees")["total"], 256);
  EXPECT_FALSE(tasks.contains("scrub"));
  for (const char* kind : {"hints", "trees", "scrub", "mend", "transfer", "handover"}) {
    const Error error = Refusal("tasks.cancel", fmt::format(R"({{"kind": "{}"}})", kind));
    EXPECT_EQ(error.code, Code::kConflict) << kind;
    EXPECT_THAT(error.text, HasSubstr("cannot be cancelled: ")) << kind;
  }
  for (const char* wrong : {"{}", R"({"kind": "x"})", R"({"kind": 1})", R"({"what": "repair"})"}) {
    EXPECT_EQ(Refusal("tasks.cancel", wrong).code, Code::kInvalidArgument) << wrong;
  }
  EXPECT_TRUE(kinds().contains("repair"));
  EXPECT_EQ(Ask("tasks.cancel", R"({"kind": "repair"})")["cancelled"], begun);
  EXPECT_FALSE(kinds().contains("repair"));
  EXPECT_EQ(Ask("tasks.cancel", R"({"kind": "repair"})")["cancelled"], 0);
}

TEST_F(AdminTest, EveryNameThatIsToldIsACall) {
  for (const std::string_view name : AdminCalls()) {
    if (IsLook(name) || IsProcessCall(name) || name.starts_with("fault.")) continue;
    const auto reply = RunAdmin({node_.get(), {}, &hints_}, {{1, 2}, std::string(name), "{}"});
    EXPECT_TRUE(!reply.error || reply.error->code != Code::kUnsupported) << name;
  }
}

TEST_F(AdminTest, ChangesAreStagedPlannedAndDropped) {
  const auto staged =
      Ask("cluster.stage", R"({"changes":[{"kind":"weight","node":"n2","weight":200}]})");
  EXPECT_EQ(staged["changes"], nlohmann::json::array({"n2 gets weight 200"}));
  EXPECT_EQ(staged["version"], 2);
  EXPECT_EQ(Ask("cluster.plan")["digest"], staged["digest"]);
  const std::string leave = R"({"changes":[{"kind":"leave","node":"n3"}])";
  EXPECT_EQ(Ask("cluster.plan", leave + "}")["changes"].size(), 1u);
  EXPECT_EQ(Ask("cluster.plan", leave + R"(,"staged":true})")["changes"].size(), 2u);
  EXPECT_EQ(Ask("cluster.show")["staged"].size(), 1u);
  EXPECT_EQ(Refusal("cluster.commit", R"({"digest":"12"})").code, Code::kInvalidArgument);
  EXPECT_EQ(Refusal("cluster.commit", R"({"digest":"00000000000000000000000000000000"})").code,
            Code::kConflict);
  EXPECT_EQ(Ask("cluster.clear")["cleared"], 1);
  EXPECT_EQ(Ask("cluster.clear")["cleared"], 0);
  EXPECT_EQ(Ask("cluster.plan")["changes"].size(), 0u);
}

TEST_F(AdminTest, TellsThatNothingMoves) {
  const auto transfers = Ask("cluster.transfers");
  EXPECT_TRUE(transfers["elapsed_ms"].is_null());
  EXPECT_EQ(transfers["partitions"], 0);
  EXPECT_EQ(transfers["bytes_per_second"], 64 << 20);
}

TEST_F(AdminTest, SaysHowToTurnComparingOn) {
  node_ = MakeNode({});
  EXPECT_EQ(Ask("repair.status")["compares"], false);
  const Error error = Refusal("repair.start");
  EXPECT_EQ(error.code, Code::kConflict);
  EXPECT_THAT(error.text, HasSubstr("anti_entropy_seconds"));
}

TEST_F(AdminTest, BreaksNothingUnlessItMay) {
  for (const char* call : {"fault.set", "fault.show", "fault.x"}) {
    EXPECT_EQ(Refusal(call).code, Code::kUnsupported);
    EXPECT_THAT(Refusal(call).text, HasSubstr("--enable-fault-injection"));
  }
}

TEST_F(AdminTest, FaultsAreSetShownAndRefused) {
  FaultTable faults{Random(1)};
  const auto run = [&](const std::string& call, const std::string& arguments) {
    return RunAdmin({node_.get(), {}, &hints_, &faults}, {{1, 2}, call, arguments});
  };
  const auto set = run("fault.set", R"({"rules": [{"peer": "n2", "drop": true, "way": "out"},
      {"peer": "127.0.0.9:77", "delay_ms": 20, "lose_per_mille": 5}]})");
  ASSERT_FALSE(set.error.has_value()) << set.error->text;
  EXPECT_TRUE(faults.Judge("127.0.0.2", 7401, FaultTable::Direction::kOut).drop);
  EXPECT_FALSE(faults.Judge("127.0.0.2", 7401, FaultTable::Direction::kIn).drop);
  EXPECT_EQ(faults.Judge("127.0.0.9", 77, FaultTable::Direction::kIn).delay,
            std::chrono::milliseconds(20));
  const auto shown = nlohmann::json::parse(run("fault.show", "").result);
  EXPECT_EQ(shown["rules"][0]["peer"], "127.0.0.2:7401");
  EXPECT_EQ(shown["rules"][1]["way"], "both");
  EXPECT_EQ(shown["dropped"], 1);

  for (const auto& [arguments, text] : std::vector<std::pair<std::string, std::string>>{
           {"", "rules must be a list"},
           {R"({"rules": 3})", "rules must be a list"},
           {R"({"rules": [3]})", "must be an object"},
           {R"({"rules": [{}]})", "needs a peer"},
           {R"({"rules": [{"peer": "n9"}]})", "'n9'"},
           {R"({"rules": [{"peer": "h:99999"}]})", "h:99999"},
           {R"({"rules": [{"peer": "n2", "way": "up"}]})", "in, out or both"},
           {R"({"rules": [{"peer": "n2", "drop": 1}]})", "true or false"},
           {R"({"rules": [{"peer": "n2", "lose_per_mille": 1001}]})", "0 to 1000"},
           {R"({"rules": [{"peer": "n2", "delay_ms": -1}]})", "0 to 10000"},
           {R"({"rules": [{"peer": "n2", "slow": 1}]})", "'slow'"},
           {R"({"rules": [], "clock_offset_ms": 1.5})", "integer within -86400000 to 86400000"},
           {R"({"rules": [], "clock_offset_ms": 86400001})", "integer within"},
           {R"({"rules": [], "disk_full": 1})", "true or false"}}) {
    const auto refused = run("fault.set", arguments);
    ASSERT_TRUE(refused.error.has_value()) << arguments;
    EXPECT_EQ(refused.error->code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error->text, HasSubstr(text));
  }
  EXPECT_EQ(faults.rules().size(), 2);
  EXPECT_THAT(run("fault.x", "").error->text, HasSubstr("fault.set"));
  EXPECT_EQ(faults.machine(), FaultTable::Machine());
  EXPECT_FALSE(
      run("fault.set", R"({"rules": [], "clock_offset_ms": -1500, "disk_full": true})").error);
  EXPECT_EQ(faults.machine().clock_offset, std::chrono::milliseconds(-1500));
  EXPECT_TRUE(faults.machine().disk_full);
  const auto machine = nlohmann::json::parse(run("fault.show", "").result);
  EXPECT_EQ(machine["clock_offset_ms"], -1500);
  EXPECT_EQ(machine["disk_full"], true);
  EXPECT_FALSE(run("fault.set", R"({"rules": []})").error.has_value());
  EXPECT_EQ(faults.machine(), FaultTable::Machine());
  EXPECT_TRUE(faults.rules().empty());
}

}  // namespace
}  // namespace eddy::server
