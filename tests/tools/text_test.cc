#include "tools/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;

TEST(Text, Utf8IsTakenInShortestFormOnly) {
  for (const std::string_view good : {"", "abc", "grüß", "€", "😀", "\x7f"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const std::string_view bad : {"\x80", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80",
                                     "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3("}) {
    EXPECT_FALSE(IsUtf8(bad)) << Quoted(bad);
  }
}

TEST(Text, DurationsHaveAUnit) {
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("5s"), milliseconds(5'000));
  EXPECT_EQ(*ParseDuration("2m"), milliseconds(120'000));
  EXPECT_EQ(*ParseDuration("7d"), milliseconds(604'800'000));
  for (const std::string_view bad : {"", "5", "s", "-5s", "5 s", "1.5s", "5sec",
                                     "99999999999999999s", "40000d", "18446744073709551616ms"}) {
    EXPECT_FALSE(ParseDuration(bad)) << bad;
  }
}

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

TEST(Text, QuotingShowsUnprintableBytesAndEndsSomewhere) {
  EXPECT_EQ(Quoted("grüß"), "'grüß'");
  EXPECT_EQ(Quoted("a\n\x1b"), "'a\\x0a\\x1b'");
  EXPECT_EQ(Quoted("\xff"), "'\\xff'");
  EXPECT_EQ(Quoted(std::string(100, 'a')), "'" + std::string(60, 'a') + "...'");
  std::string euros;
  for (int i = 0; i < 61; i++) euros += "€";
  for (const std::string_view before : {"", "a", "ab"}) {
    EXPECT_TRUE(IsUtf8(Quoted(std::string(before) + euros))) << before;
  }
}

}  // namespace
}  // namespace eddy::tools
