#include "server/watchdog.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Optional;

MonotonicTime At(int64_t second) { return MonotonicTime(seconds(second)); }

HangJudge LoopJudge() { return {"the loop has stood still", "look at it", seconds(5)}; }

TEST(HangJudge, SaysNothingOfWhatIsQuickOrHasNothingToDo) {
  HangJudge judge = LoopJudge();
  EXPECT_EQ(judge.Look(At(100), At(96)), std::nullopt);
  EXPECT_EQ(judge.Look(At(200), std::nullopt), std::nullopt);
  EXPECT_EQ(judge.Look(At(200), At(199)), std::nullopt);
  EXPECT_EQ(judge.hangs(), 0u);
}

TEST(HangJudge, SaysOnceThatItHangsAndOnceThatItGoesOn) {
  HangJudge judge = LoopJudge();
  EXPECT_THAT(judge.Look(At(105), At(100)),
              Optional(HasSubstr("the loop has stood still for 5 s: look at it")));
  EXPECT_EQ(judge.Look(At(106), At(100)), std::nullopt);
  EXPECT_EQ(judge.Look(At(164), At(100)), std::nullopt);
  EXPECT_THAT(judge.Look(At(165), At(100)), Optional(HasSubstr("for 65 s")));
  EXPECT_EQ(judge.Look(At(166), At(100)), std::nullopt);
  EXPECT_EQ(judge.hangs(), 1u);
  EXPECT_THAT(judge.Look(At(170), At(170)), Optional(HasSubstr("for some 70 s, and goes on")));
  EXPECT_EQ(judge.Look(At(171), At(171)), std::nullopt);
  EXPECT_THAT(judge.Look(At(180), At(172)), Optional(HasSubstr("for 8 s")));
  EXPECT_THAT(judge.Look(At(181), std::nullopt), Optional(HasSubstr("goes on")));
  EXPECT_EQ(judge.hangs(), 2u);
}

class Lines final : public LogSink {
 public:
  void Log(LogLevel level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(level, LogLevel::kWarning);
    lines_.emplace_back(text);
    came_.notify_all();
  }
  std::string Take() {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, seconds(30), [&] { return !lines_.empty(); })) return "";
    std::string line = lines_.front();
    lines_.erase(lines_.begin());
    return line;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::string> lines_;
};

TEST(Watchdog, SpeaksFromItsOwnThread) {
  // Its time is what the test says, a step each look.
  std::atomic<int64_t> looks{0};
  std::atomic<int64_t> alive_at{0};
  Lines lines;
  Watchdog watchdog(
      {{LoopJudge(), [&] { return std::optional(At(alive_at)); }}}, &lines,
      {.period = milliseconds(1), .now = [&] { return MonotonicTime(milliseconds(++looks)); }});
  EXPECT_THAT(lines.Take(), HasSubstr("the loop has stood still for 5 s"));
  alive_at = 1'000'000;
  EXPECT_THAT(lines.Take(), HasSubstr("goes on"));
  EXPECT_EQ(watchdog.Hangs(0), 1u);
}

}  // namespace
}  // namespace eddy::server
