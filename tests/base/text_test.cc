// What base makes of and into text: base64, ids, the nearest word; and its limits and codes.
#include "base/text.h"

#include <rapidcheck.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "base/status.h"

namespace eddy {
namespace {

using std::chrono::milliseconds;

TEST(Base64, IsThatOfTheStandard) {
  const std::vector<std::pair<std::string, std::string>> rfc4648 = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : rfc4648) {
    EXPECT_EQ(EncodeBase64(bytes, Base64::kStandard), text);
    EXPECT_EQ(EncodeBase64(bytes, Base64::kUrl), text.substr(0, text.find('=')));
  }
  EXPECT_EQ(EncodeBase64("\xfb\xff", Base64::kStandard), "+/8=");
  EXPECT_EQ(EncodeBase64("\xfb\xff", Base64::kUrl), "-_8");
}

RC_GTEST_PROP(Base64, BytesComeBackFromTheirText, (const std::string& bytes)) {
  for (const Base64 alphabet : {Base64::kStandard, Base64::kUrl}) {
    RC_ASSERT(DecodeBase64(EncodeBase64(bytes, alphabet), alphabet) == bytes);
  }
}

RC_GTEST_PROP(Base64, AcceptsNoTextThatItWouldNotHaveWritten, (const std::string& bytes)) {
  for (const Base64 alphabet : {Base64::kStandard, Base64::kUrl}) {
    std::string text = EncodeBase64(bytes, alphabet);
    if (text.empty()) continue;
    text[*rc::gen::inRange<size_t>(0, text.size())] = *rc::gen::element('A', '=', '+', '-', '\n');
    const std::optional<std::string> accepted = DecodeBase64(text, alphabet);
    if (accepted.has_value()) RC_ASSERT(EncodeBase64(*accepted, alphabet) == text);
  }
}

TEST(Base64, RefusesWrongPaddingAndLeftOverBits) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zg==Zg==", "=", "====", "Z===", "Zh==", "Zm9="}) {
    EXPECT_EQ(DecodeBase64(text, Base64::kStandard), std::nullopt) << text;
  }
  for (const char* text : {"Zg==", "Z", "Zh", "Zm9vY"}) {
    EXPECT_EQ(DecodeBase64(text, Base64::kUrl), std::nullopt) << text;
  }
}

RC_GTEST_PROP(Ids, ComeBackFromTheirHex, (uint64_t high, uint64_t low)) {
  const NodeId id{.high = high, .low = low};
  RC_ASSERT(id.ToHex().size() == 32u);
  RC_ASSERT(NodeId::FromHex(id.ToHex()) == id);
}

TEST(Ids, AreReadFromExactly32HexDigits) {
  const std::string hex = "000000000000000100000000000000ff";
  EXPECT_EQ(NodeId::FromHex(hex), (NodeId{.high = 1, .low = 255}));
  for (const std::string& wrong :
       {std::string(), hex.substr(1), hex + "0", "x" + hex.substr(1), " " + hex.substr(1),
        "-" + hex.substr(1), hex.substr(0, 31) + "g"}) {
    EXPECT_EQ(NodeId::FromHex(wrong), std::nullopt) << wrong;
  }
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> words = {"listen", "cluster", "data_dir", "memory_limit"};
  EXPECT_EQ(Nearest("clutser", words), "cluster");
  EXPECT_EQ(Nearest("lisen", words), "listen");
  EXPECT_EQ(Nearest("datadir", words), "data_dir");
  EXPECT_EQ(Nearest("memory_limits", words), "memory_limit");
  EXPECT_EQ(Nearest("zone", words), std::nullopt);
  EXPECT_EQ(Nearest("", words), std::nullopt);
  EXPECT_EQ(Nearest("listen", {}), std::nullopt);
}

TEST(Limits, AllowTheLargestAndNameWhatIsBroken) {
  const std::string bucket(kBucketBytesMax, 'b'), key(kKeyBytesMax, 'k');
  EXPECT_TRUE(CheckKey(bucket, key).has_value());
  EXPECT_TRUE(CheckKey("b", "k").has_value());
  EXPECT_EQ(CheckKey("", "k").error().code, Code::kInvalidArgument);
  EXPECT_EQ(CheckKey("b", "").error().code, Code::kInvalidArgument);
  EXPECT_EQ(CheckKey(bucket + "b", "k").error().code, Code::kTooLarge);
  EXPECT_NE(CheckKey(bucket + "b", "k").error().text.find("255"), std::string::npos);
  EXPECT_EQ(CheckKey("b", key + "k").error().code, Code::kTooLarge);
  EXPECT_NE(CheckKey("b", key + "k").error().text.find("65536"), std::string::npos);
  EXPECT_TRUE(CheckValue("").has_value());
  EXPECT_TRUE(CheckValue(std::string(kValueBytesMax, 'v')).has_value());
  EXPECT_EQ(CheckValue(std::string(kValueBytesMax + 1, 'v')).error().code, Code::kTooLarge);
}

TEST(Codes, HaveNamesOfTheirOwnAndNothingElseIsOne) {
  std::set<std::string_view> names;
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<uint8_t>(value);
    if (!IsCode(byte)) continue;
    const std::string_view name = CodeName(static_cast<Code>(byte));
    EXPECT_NE(name, "unknown-code");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_FALSE(IsCode(0));
  EXPECT_GE(names.size(), 11u);
}

// What is hashed is on disks and between nodes: it must never change.
TEST(Hash, IsXxh3) {
  EXPECT_EQ(Hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(Hash128(""), (Digest{.high = 0x99aa06d3014798d8, .low = 0x6001c324468d497f}));
  EXPECT_NE(Hash64("a"), Hash64("a", 1));
}

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
}  // namespace eddy
