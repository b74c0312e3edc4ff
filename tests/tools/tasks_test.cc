#include "tools/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace eddy::tools {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

TEST(Tasks, AreReadAsANodeTellsThem) {
  const auto tasks = ReadTasks("n1", Json::parse(R"({"tasks": [
      {"kind": "repair", "done": 12, "total": 1040, "unit": "comparisons",
       "can_be_cancelled": true},
      {"kind": "hints", "for": "n2", "waits": true, "left": 1500, "unit": "keys",
       "can_be_cancelled": false},
      {"kind": "handover", "can_be_cancelled": false},
      {"kind": "scrub", "done": 64, "total": 256, "unit": "partitions", "recurs": true,
       "can_be_cancelled": false}]})"));
  ASSERT_EQ(tasks.size(), 4u);
  EXPECT_EQ(NameOf(tasks[0]), "n1/repair");
  EXPECT_EQ(SayProgress(tasks[0]), "12 of 1,040 comparisons (1 %)");
  EXPECT_TRUE(tasks[0].can_be_cancelled);
  EXPECT_EQ(SayProgress(tasks[1]), "1,500 keys left");
  EXPECT_EQ(tasks[1].for_node, "n2");
  EXPECT_TRUE(tasks[1].waits);
  EXPECT_EQ(SayProgress(tasks[2]), "");
  EXPECT_FALSE(tasks[2].recurs);
  EXPECT_EQ(SayProgress(tasks[3]), "64 of 256 partitions (25 %)");
  EXPECT_TRUE(tasks[3].recurs);
  EXPECT_THROW(ReadTasks("n1", Json::object()), Json::exception);
  EXPECT_THROW(ReadTasks("n1", Json::parse(R"({"tasks": [{"kind": 7}]})")), Json::exception);
}

TEST(Tasks, AreNamedByKindAndByNode) {
  const std::vector<std::string> nodes = {"n1", "a/b"};
  const LongTask repair{.node = "n1", .kind = "repair"};
  const LongTask other{.node = "a/b", .kind = "repair"};
  EXPECT_TRUE(ParseTaskName("repair", nodes)->Means(repair));
  EXPECT_TRUE(ParseTaskName("repair", nodes)->Means(other));
  EXPECT_TRUE(ParseTaskName("n1/repair", nodes)->Means(repair));
  EXPECT_FALSE(ParseTaskName("n1/repair", nodes)->Means(other));
  EXPECT_TRUE(ParseTaskName("a/b/repair", nodes)->Means(other));
  EXPECT_FALSE(ParseTaskName("hints", nodes)->Means(repair));
}

TEST(Tasks, ANameThatIsNoneIsToldWhatThereIs) {
  const std::vector<std::string> nodes = {"n1", "n2"};
  for (const auto& [text, said] : std::initializer_list<std::pair<const char*, const char*>>{
           {"repiar", "did you mean repair?"},
           {"", "kinds are repair, transfer"},
           {"n1/", "kinds are repair, transfer"},
           {"n9/repair", "there are n1, n2"},
           {"/repair", "there are n1, n2"}}) {
    const auto name = ParseTaskName(text, nodes);
    ASSERT_FALSE(name) << text;
    EXPECT_EQ(name.error().code, Code::kInvalidArgument);
    EXPECT_THAT(name.error().text, HasSubstr(said)) << text;
  }
}

}  // namespace
}  // namespace eddy::tools
