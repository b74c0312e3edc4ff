#include "tools/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/limits.h"

namespace eddy::tools {
namespace {

using ::testing::HasSubstr;

Entry EntryOf(std::string bucket, std::string key, std::string value) {
  return {.bucket = std::move(bucket), .key = std::move(key), .values = {{std::move(value)}}};
}

std::string ErrorOf(std::string_view line) {
  const Result<Entry> entry = ParseJsonLine(line, "default");
  return entry ? "no error" : entry.error().text;
}

TEST(JsonLines, TextIsWrittenAsText) {
  EXPECT_EQ(FormatJsonLine(EntryOf("b", "k\n\"", "grüß")),
            R"({"bucket":"b","key":"k\n\"","value":"grüß"})");
}

TEST(JsonLines, BytesThatAreNotUtf8AreWrittenInBase64) {
  EXPECT_EQ(FormatJsonLine(EntryOf("b", "\xff", std::string("\0\xc0", 2))),
            R"({"bucket":"b","key_base64":"/w==","value_base64":"AMA="})");
}

RC_GTEST_PROP(JsonLines, WhatIsWrittenIsReadBackByteForByte, ()) {
  const auto bytes = rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  Entry entry{.bucket = *rc::gen::nonEmpty(bytes), .key = *rc::gen::nonEmpty(bytes), .values = {}};
  entry.bucket.resize(std::min(entry.bucket.size(), kBucketBytesMax));
  entry.key.resize(std::min(entry.key.size(), kKeyBytesMax));
  for (int i = *rc::gen::inRange(1, 4); i > 0; i--) {
    Entry::Value value{.bytes = *bytes};
    if (*rc::gen::arbitrary<bool>()) {
      value.expires_at =
          WallTime(std::chrono::milliseconds(*rc::gen::inRange<int64_t>(0, 1 << 30)));
    }
    entry.values.push_back(std::move(value));
  }
  const std::string line = FormatJsonLine(entry);
  RC_ASSERT(line.find('\n') == std::string::npos);
  const Result<Entry> back = ParseJsonLine(line, "other");
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == entry);
}

TEST(JsonLines, ALineWithoutABucketGetsTheReadersDefault) {
  EXPECT_EQ(*ParseJsonLine(R"({"key":"k","value":"v"})", "mine"), EntryOf("mine", "k", "v"));
}

TEST(JsonLines, Base64IsTakenAlsoForText) {
  EXPECT_EQ(*ParseJsonLine(R"({"bucket":"b","key_base64":"aw==","value_base64":""})", ""),
            EntryOf("b", "k", ""));
}

TEST(JsonLines, EveryMistakeIsNamed) {
  EXPECT_THAT(ErrorOf("{\"key\":"), HasSubstr("not JSON: column 8"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("{\"key\":\"\xff\",\"value\":\"v\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf("[1]"), HasSubstr("array where an object is expected"));
  EXPECT_THAT(ErrorOf(R"({"value":"v"})"), HasSubstr("no \"key\""));
  EXPECT_THAT(ErrorOf(R"({"key":"k"})"), HasSubstr("no \"value\""));
  EXPECT_THAT(ErrorOf(R"({"key":"","value":"v"})"), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf(R"({"key":7,"value":"v"})"), HasSubstr("\"key\" is number, not a string"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","vlaue":"v"})"), HasSubstr("did you mean \"value\"?"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","value":"v","value_base64":""})"), HasSubstr("keep one"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","value_base64":"a"})"), HasSubstr("not Base64"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","value":"v","expires_at_ms":-1})"), HasSubstr("expires_at_ms"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","siblings":[]})"), HasSubstr("siblings"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","siblings":[{"value":"a"}],"value":"b"})"),
              HasSubstr("keep one"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","siblings":[{"key":"a"}]})"), HasSubstr("unknown member"));
}

TEST(JsonLines, LimitsAreHeld) {
  EXPECT_THAT(ErrorOf(R"({"key":")" + std::string(kKeyBytesMax + 1, 'k') + R"(","value":""})"),
              HasSubstr("65536"));
  EXPECT_THAT(ErrorOf(R"({"key":"k","value":")" + std::string(kValueBytesMax + 1, 'v') + "\"}"),
              HasSubstr("16777216"));
}

TEST(JsonLines, DeepNestingIsRefusedWithoutHarm) {
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '[')), HasSubstr("not JSON"));
}

}  // namespace
}  // namespace eddy::tools
