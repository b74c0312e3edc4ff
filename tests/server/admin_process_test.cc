// The calls about the process: what they answer, and what they refuse.
#include "server/admin_process.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "storage/memory_engine.h"
#include "tests/server/members.h"

namespace eddy::server {
namespace {

using ::testing::HasSubstr;

class KeptLog final : public LogSink {
 public:
  void Log(LogLevel, std::string_view text) override { texts += text; }
  std::string texts;
};

class AdminProcessTest : public ::testing::Test {
 protected:
  AdminProcessTest() {
    const ring::Layout layout = LayoutOf({Seed{"n1", "127.0.0.1", 7401, ""}});
    storage::Identity identity;
    identity.node = IdOf("n1");
    identity.layouts = ring::LayoutHistory(layout).Encode();
    node_ = std::make_unique<node::Node>(node::NodeOptions(), node::BucketTable(),
                                         *layout.Find(identity.node), identity, Random(1));
    config_.name = "n1";
  }
  wire::AdminReply Run(const std::string& call, const std::string& arguments) {
    return RunProcessCall({.node = *node_,
                           .engine = engine_,
                           .config = config_,
                           .levels = levels_,
                           .log = log_,
                           .now = {.monotonic = MonotonicTime(std::chrono::seconds(7)),
                                   .wall = WallTime(std::chrono::seconds(5))},
                           .started_at = MonotonicTime(std::chrono::seconds(4))},
                          {{1, 2}, call, arguments});
  }
  nlohmann::json Ask(const std::string& call, const std::string& arguments = {}) {
    const auto reply = Run(call, arguments);
    EXPECT_FALSE(reply.error.has_value()) << reply.error->text;
    return nlohmann::json::parse(reply.result, nullptr, false);
  }
  Error Refusal(const std::string& call, const std::string& arguments = {}) {
    const auto reply = Run(call, arguments);
    EXPECT_TRUE(reply.error.has_value()) << reply.result;
    return reply.error.value_or(Error{});
  }

  std::unique_ptr<node::Node> node_;
  storage::MemoryEngine engine_;
  Config config_;
  LineLog lines_{{.fd = -1}};
  LineLog* levels_ = &lines_;
  KeptLog log_;
};

TEST_F(AdminProcessTest, TellsWhatItRunsOn) {
  config_.data_dir = ".";
  const auto shown = Ask("process.show");
  EXPECT_EQ(shown["name"], "n1");
  EXPECT_EQ(shown["wall_ms"], 5000);
  EXPECT_EQ(shown["uptime_seconds"], 3);
  EXPECT_GT(shown["disk"]["bytes"], shown["disk"]["bytes_free"]);
  EXPECT_GT(shown["resident_bytes"], 1 << 20);
  EXPECT_GE(shown["open_files"], 3);
  EXPECT_GT(shown["open_files_max"], shown["open_files"]);
  EXPECT_EQ(shown["log_level"], "info");
  EXPECT_TRUE(shown["hints_for"].is_array());
  config_.data_dir = "/no/such/place";
  EXPECT_TRUE(Ask("process.show")["disk"].is_null());
}

TEST_F(AdminProcessTest, ShowsItsConfiguration) {
  EXPECT_EQ(Ask("config.show")["settings"][0]["key"], "cluster");
}

TEST_F(AdminProcessTest, ChangesTheLevelOfTheLogAndSaysSoThere) {
  EXPECT_EQ(Ask("log.level")["level"], "info");
  EXPECT_EQ(log_.texts, "");
  const auto changed = Ask("log.level", R"({"level":"debug"})");
  EXPECT_EQ(changed["level"], "debug");
  EXPECT_EQ(changed["before"], "info");
  EXPECT_EQ(lines_.least(), LogLevel::kDebug);
  EXPECT_THAT(log_.texts, HasSubstr("debug"));
}

TEST_F(AdminProcessTest, RefusesWhatItDoesNotTakeAndChangesNothing) {
  EXPECT_THAT(Refusal("log.level", R"({"level":"loud"})").text, HasSubstr("one of debug"));
  EXPECT_THAT(Refusal("log.level", R"({"level":3})").text, HasSubstr("one of debug"));
  EXPECT_THAT(Refusal("log.level", R"({"levl":"debug"})").text, HasSubstr("known are level"));
  EXPECT_THAT(Refusal("process.show", R"({"a":1})").text, HasSubstr("takes no arguments"));
  EXPECT_THAT(Refusal("config.show", "[]").text, HasSubstr("JSON object"));
  EXPECT_FALSE(IsProcessCall("config.set"));
  levels_ = nullptr;
  EXPECT_EQ(Refusal("log.level").code, Code::kUnsupported);
  EXPECT_EQ(lines_.least(), LogLevel::kInfo);
}

}  // namespace
}  // namespace eddy::server
