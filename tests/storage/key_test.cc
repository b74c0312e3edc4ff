#include "storage/key.h"

#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eddy::storage {
namespace {

struct Parts {
  uint64_t token;
  std::string bucket, key;
};

Parts ArbitraryParts() {
  const auto bytes = [](int size_max) {
    return *rc::gen::resize(size_max, rc::gen::nonEmpty(rc::gen::string<std::string>()));
  };
  return Parts{*rc::gen::arbitrary<uint64_t>(), bytes(20), bytes(40)};
}

std::string Encode(const Parts& parts) {
  return EncodeKey({.token = parts.token, .bucket = parts.bucket, .key = parts.key});
}

TEST(RecordKey, HasTheLayoutThatIsWrittenDown) {
  EXPECT_EQ(EncodeKey({.token = 0x0102030405060708, .bucket = "bu", .key = "key"}),
            std::string("\x01\x02\x03\x04\x05\x06\x07\x08\x02"
                        "bu\0\0\0\x03key\0",
                        19));
}

RC_GTEST_PROP(RecordKey, ComesBackFromItsBytes, ()) {
  const Parts parts = ArbitraryParts();
  const std::string encoded = Encode(parts);
  const Result<RecordKey> key = DecodeKey(encoded);
  RC_ASSERT(key.has_value());
  RC_ASSERT(key->token == parts.token);
  RC_ASSERT(key->bucket == parts.bucket);
  RC_ASSERT(key->key == parts.key);
  RC_ASSERT(TokenOfKey(encoded) == parts.token);
}

// So a partition, which is a range of tokens, is a range of rows.
RC_GTEST_PROP(RecordKey, SortsByTokenFirst, ()) {
  const Parts a = ArbitraryParts(), b = ArbitraryParts();
  if (a.token < b.token) RC_ASSERT(Encode(a) < Encode(b));
  if (a.token > b.token) RC_ASSERT(Encode(a) > Encode(b));
}

RC_GTEST_PROP(RecordKey, AcceptsNoBytesThatItWouldNotHaveWritten, ()) {
  const std::string encoded = Encode(ArbitraryParts());
  for (size_t size = 0; size < encoded.size(); ++size) {
    RC_ASSERT(!DecodeKey(std::string_view(encoded).substr(0, size)).has_value());
  }
  RC_ASSERT(!DecodeKey(encoded + "x").has_value());
  for (size_t i = 0; i < encoded.size(); ++i) {
    std::string changed = encoded;
    changed[i] = static_cast<char>(changed[i] ^ (1 << *rc::gen::inRange(0, 8)));
    if (const Result<RecordKey> key = DecodeKey(changed); key.has_value()) {
      RC_ASSERT(EncodeKey(*key) == changed);
    }
  }
}

TEST(RecordKey, TakesTheLongestBucketAndKeyAndNoLonger) {
  const std::string bucket(kBucketBytesMax, 'b'), key(kKeyBytesMax, 'k');
  const std::string encoded = EncodeKey({.token = 1, .bucket = bucket, .key = key});
  const Result<RecordKey> back = DecodeKey(encoded);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->bucket, bucket);
  EXPECT_EQ(back->key, key);

  std::string longer = EncodeKey({.token = 1, .bucket = "b", .key = key});
  longer.insert(longer.size() - 1, "k");
  const size_t key_length = 8 + 1 + 1;
  longer.replace(key_length, 4, std::string("\0\1\0\1", 4));
  ASSERT_FALSE(DecodeKey(longer).has_value());
  EXPECT_EQ(DecodeKey(longer).error().code, Code::kCorruption);
}

TEST(RecordKeyDeathTest, HasATokenOnlyIfItIsOne) { EXPECT_DEATH(TokenOfKey("short"), "CHECK"); }

}  // namespace
}  // namespace eddy::storage
