#include "tools/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;

TEST(Text, FiguresAreReadable) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(4'509'715'661), "4.2 GiB");
  EXPECT_EQ(FormatSeconds(59), "59 s");
  EXPECT_EQ(FormatSeconds(11'100), "3 h 5 min");
  EXPECT_EQ(FormatWallTime(WallTime(milliseconds(1'769'860'800'007))), "2026-01-31T12:00:00.007Z");
}

}  // namespace
}  // namespace eddy::tools
