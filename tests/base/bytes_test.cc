#include "base/bytes.h"

#include <rapidcheck.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eddy {
namespace {

using std::string_literals::operator""s;

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

std::string Varint(uint64_t value) {
  std::string bytes;
  AppendVarint(&bytes, value);
  return bytes;
}

TEST(Bytes, AreInTheOrderThatIsWrittenDown) {
  std::string bytes;
  AppendU8(&bytes, 0x01);
  AppendU32(&bytes, 0x02030405);
  AppendU64(&bytes, 0x060708090a0b0c0d);
  AppendBigEndian32(&bytes, 0x02030405);
  AppendBigEndian64(&bytes, 0x060708090a0b0c0d);
  AppendBytes(&bytes, "ab");
  EXPECT_EQ(bytes,
            "\x01\x05\x04\x03\x02\x0d\x0c\x0b\x0a\x09\x08\x07\x06"
            "\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x02"
            "ab");
}

TEST(Bytes, VarintsAreAsShortAsTheyCanBe) {
  EXPECT_EQ(Varint(0), "\0"s);
  EXPECT_EQ(Varint(0x7f), "\x7f");
  EXPECT_EQ(Varint(0x80), "\x80\x01");
  EXPECT_EQ(Varint(300), "\xac\x02");
  EXPECT_EQ(Varint(kMax), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

RC_GTEST_PROP(ByteReader, ReadsBackWhatWasAppended,
              (uint8_t a, uint32_t b, uint64_t c, const std::string& d)) {
  const unsigned shift = *rc::gen::inRange(0u, 64u);
  std::string bytes;
  AppendU8(&bytes, a);
  AppendU32(&bytes, b);
  AppendU64(&bytes, c);
  AppendBigEndian32(&bytes, b);
  AppendBigEndian64(&bytes, c);
  AppendVarint(&bytes, c >> shift);
  AppendBytes(&bytes, d);
  ByteReader reader(bytes);
  RC_ASSERT(reader.U8() == a);
  RC_ASSERT(reader.U32() == b);
  RC_ASSERT(reader.U64() == c);
  RC_ASSERT(reader.BigEndian32() == b);
  RC_ASSERT(reader.BigEndian64() == c);
  RC_ASSERT(reader.Varint() == c >> shift);
  RC_ASSERT(!reader.AtEnd());
  RC_ASSERT(reader.Bytes() == d);
  RC_ASSERT(reader.AtEnd());
}

TEST(ByteReader, RefusesVarintsLongerThanNeededOrThan64Bits) {
  const std::vector<std::string> malformed = {
      "",
      "\x80",
      "\x80\x00"s,
      "\xff\x00"s,
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x01",
      std::string(100, '\xff'),
  };
  for (const std::string& bytes : malformed) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
  const std::string longest = Varint(kMax);
  ByteReader most(longest);
  EXPECT_EQ(most.Varint(), kMax);
  EXPECT_TRUE(most.AtEnd());
}

TEST(ByteReader, NeverReadsPastItsInput) {
  const std::vector<std::string> lengths = {Varint(3) + "ab", Varint(kMax) + "ab", Varint(kMax)};
  for (const std::string& bytes : lengths) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Bytes(), "");
    EXPECT_FALSE(reader.ok());
  }
  ByteReader reader("1234567");
  EXPECT_EQ(reader.U64(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, FailsForGoodAfterTheFirstFailure) {
  ByteReader reader("\x05");
  reader.U32();
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0);
  EXPECT_EQ(reader.Varint(), 0u);
  EXPECT_EQ(reader.Raw(0), "");
  EXPECT_FALSE(reader.AtEnd());
}

TEST(ByteReader, GivesTheRestAsItIs) {
  const std::string bytes = "\x01rest";
  ByteReader reader(bytes);
  reader.U8();
  EXPECT_EQ(reader.rest(), "rest");
  EXPECT_EQ(reader.Raw(4), "rest");
  EXPECT_TRUE(reader.AtEnd());
}

}  // namespace
}  // namespace eddy
