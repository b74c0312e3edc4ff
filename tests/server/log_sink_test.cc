// The daemon's log: lines that machines can read whatever is in them, and no floods.
#include "server/log_sink.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::server {
namespace {

using testing::ElementsAre;

constexpr WallTime kMoment{std::chrono::milliseconds(1'700'000'000'123)};

TEST(LineLog, WritesTextForPeople) {
  EXPECT_EQ(FormatLogLine(LineLog::Form::kText, kMoment, LogLevel::kWarning, "n1", "not ready"),
            "2023-11-14T22:13:20.123Z warning n1  not ready");
}

TEST(LineLog, WritesOneJsonObjectALine) {
  EXPECT_EQ(FormatLogLine(LineLog::Form::kJson, kMoment, LogLevel::kInfo, "n1", "ready"),
            R"({"time":"2023-11-14T22:13:20.123Z","level":"info","node":"n1","text":"ready"})");
}

TEST(LineLog, EscapesWhatWouldBreakTheLine) {
  const std::string text = "a \"quote\" \\ \n \x01 \xff";
  EXPECT_EQ(FormatLogLine(LineLog::Form::kJson, kMoment, LogLevel::kInfo, "", text),
            R"({"time":"2023-11-14T22:13:20.123Z","level":"info",)"
            R"("text":"a \"quote\" \\ \u000a \u0001 \u00ff"})");
  EXPECT_EQ(FormatLogLine(LineLog::Form::kText, kMoment, LogLevel::kInfo, "", "x\ny"),
            R"(2023-11-14T22:13:20.123Z info     x\x0ay)");
}

class KeptLog final : public LogSink {
 public:
  void Log(LogLevel, std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

TEST(LimitedLog, CountsWhatRecursAndSaysSoLater) {
  KeptLog kept;
  LimitedLog log(&kept);
  MonotonicTime now{};
  for (int i = 0; i < 100; ++i) log.Log(now, "n2", LogLevel::kWarning, "refused");
  log.Log(now, "n3", LogLevel::kWarning, "other");
  now += LimitedLog::kPeriod;
  log.Log(now, "n2", LogLevel::kWarning, "refused");
  log.Log(now, "n2", LogLevel::kWarning, "refused");
  now += LimitedLog::kPeriod;
  log.Log(now, "n3", LogLevel::kWarning, "other");
  EXPECT_THAT(kept.lines,
              ElementsAre("refused", "other",
                          "refused (and 99 more like it since the last such line)", "other"));
}

TEST(LimitedLog, RemembersABoundedNumberOfCauses) {
  KeptLog kept;
  LimitedLog log(&kept);
  for (int i = 0; i < 10'000; ++i) {
    log.Log(MonotonicTime{}, std::to_string(i), LogLevel::kInfo, "x");
  }
  EXPECT_LE(kept.lines.size(), LimitedLog::kCausesMax + 1);
}

}  // namespace
}  // namespace eddy::server
