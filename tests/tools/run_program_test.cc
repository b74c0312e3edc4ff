#include "tools/run_program.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using ::testing::HasSubstr;

TEST(RunProgram, GivesBothStreamsAndTheExitCode) {
  const auto ended = RunToEnd({"sh", "-c", "echo out; echo err >&2; exit 7"});
  ASSERT_TRUE(ended) << ended.error().text;
  EXPECT_EQ(ended->exit_code, 7);
  EXPECT_EQ(ended->out, "out\nerr\n");
}

TEST(RunProgram, OurSettingsAreNotThoseOfOthersAndGivenVariablesReplace) {
  ASSERT_EQ(setenv("EDDY_NODE", "n1", 1), 0);
  ASSERT_EQ(setenv("TOLD_BEFORE", "old", 1), 0);
  const auto ended = RunToEnd({"sh", "-c", "echo [$EDDY_NODE] $TOLD_BEFORE $TOLD"},
                              {.environment = {{"TOLD_BEFORE", "new"}, {"TOLD", "yes"}}});
  unsetenv("EDDY_NODE");
  unsetenv("TOLD_BEFORE");
  ASSERT_TRUE(ended) << ended.error().text;
  EXPECT_EQ(ended->out, "[] new yes\n");
}

TEST(RunProgram, WhatIsNotThereIsNamed) {
  for (const char* name : {"no-such-program-of-eddy", "/no/such/program"}) {
    const auto ended = RunToEnd({name});
    ASSERT_FALSE(ended) << name;
    EXPECT_EQ(ended.error().code, Code::kIo);
    EXPECT_THAT(ended.error().text, HasSubstr(name));
  }
  EXPECT_FALSE(FindProgram("no-such-program-of-eddy"));
  EXPECT_TRUE(FindProgram("sh"));
}

TEST(RunProgram, WhatDoesNotEndIsEndedWithAllThatItStarted) {
  // The one in the background holds the output open as well.
  const auto ended = RunToEnd({"sh", "-c", "sleep 3600 & sleep 3600"},
                              {.environment = {}, .max = std::chrono::milliseconds(20)});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kTimeout);
  EXPECT_THAT(ended.error().text, HasSubstr("sleep 3600"));
}

}  // namespace
}  // namespace eddy::tools
