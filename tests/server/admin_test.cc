// Admin calls as a node runs them: what they answer, and what they refuse.
#include "server/admin.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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
  static std::unique_ptr<node::Node> MakeNode(Duration period) {
    node::NodeOptions options;
    options.anti_entropy_period = period;
    storage::Identity identity;
    identity.node = IdOf("n1");
    const ring::Layout layout = LayoutOfThree();
    identity.layouts = ring::LayoutHistory(layout).Encode();
    return std::make_unique<node::Node>(options, node::BucketTable(), *layout.Find(identity.node),
                                        identity, Random(1));
  }
  nlohmann::json Ask(const std::string& call, const std::string& arguments = {}) {
    const auto reply = RunAdmin(node_.get(), {}, {{1, 2}, call, arguments});
    EXPECT_EQ(reply.id, (RequestId{1, 2}));
    EXPECT_FALSE(reply.error.has_value()) << reply.error->text;
    return nlohmann::json::parse(reply.result, nullptr, false);
  }
  Error Refusal(const std::string& call, const std::string& arguments = {}) {
    const auto reply = RunAdmin(node_.get(), {}, {{1, 2}, call, arguments});
    EXPECT_TRUE(reply.error.has_value()) << reply.result;
    EXPECT_EQ(reply.result, "");
    return reply.error.value_or(Error{});
  }

  std::unique_ptr<node::Node> node_ = MakeNode(std::chrono::seconds(60));
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

TEST_F(AdminTest, SaysHowToTurnComparingOn) {
  node_ = MakeNode({});
  EXPECT_EQ(Ask("repair.status")["compares"], false);
  const Error error = Refusal("repair.start");
  EXPECT_EQ(error.code, Code::kConflict);
  EXPECT_THAT(error.text, HasSubstr("anti_entropy_seconds"));
}

}  // namespace
}  // namespace eddy::server
