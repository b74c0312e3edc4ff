#include "wire/context_token.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "tests/wire/messages.h"

namespace eddy::wire {
namespace {

lattice::CausalContext SomeContext() {
  lattice::CausalContext context;
  context.Add({ActorId{1, 2}, 0, 7});
  context.Add({ActorId{1, 2}, 9, 10});
  context.Add({ActorId{3, 4}, 5, 1'000'000});
  return context;
}

// A context of as many intervals, each of an actor of its own and as long as it can be encoded.
lattice::CausalContext WideContext(size_t intervals) {
  lattice::CausalContext context;
  for (size_t i = 0; i < intervals; ++i) {
    context.Add({ActorId{~uint64_t{0}, i}, uint64_t{1} << 63, ~uint64_t{0}});
  }
  return context;
}

Code CodeOf(const Result<lattice::CausalContext>& decoded) {
  return decoded ? Code{} : decoded.error().code;
}

RC_GTEST_PROP(ContextToken, GivesTheContextBack, (uint64_t seed)) {
  Random random(seed);
  const lattice::CausalContext context = MakeContext(&random);
  const std::string bucket = MakeBytes(&random, 1, 255);
  const std::string key = MakeBytes(&random, 1, 500);
  const std::string token = EncodeContextToken(context, bucket, key);
  RC_ASSERT((DecodeContextToken(token, bucket, key) == context));
  RC_ASSERT((ContextTokenFromText(ContextTokenToText(token)) == token));
}

TEST(ContextToken, IsEmptyForTheEmptyContext) {
  EXPECT_EQ(EncodeContextToken({}, "bucket", "key"), "");
  EXPECT_EQ(DecodeContextToken("", "bucket", "key"), lattice::CausalContext{});
}

// Counters are node-wide, so the context of one key would claim to have seen writes of another.
TEST(ContextToken, IsBoundToItsBucketAndKey) {
  const std::string token = EncodeContextToken(SomeContext(), "ab", "c");
  EXPECT_TRUE(DecodeContextToken(token, "ab", "c").has_value());
  EXPECT_EQ(CodeOf(DecodeContextToken(token, "ab", "d")), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(DecodeContextToken(token, "ac", "c")), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(DecodeContextToken(token, "a", "bc")), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(DecodeContextToken(token, "c", "ab")), Code::kInvalidArgument);
}

TEST(ContextToken, RefusesEveryFlippedBitAndEveryTruncation) {
  const std::string token = EncodeContextToken(SomeContext(), "bucket", "key");
  for (size_t bit = 0; bit < token.size() * 8; ++bit) {
    ExactCopy damaged(token);
    damaged.data()[bit / 8] = static_cast<char>(damaged.data()[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(CodeOf(DecodeContextToken(damaged.view(), "bucket", "key")), Code::kInvalidArgument);
  }
  for (size_t size = 1; size < token.size(); ++size) {
    const ExactCopy part(token.substr(0, size));
    EXPECT_EQ(CodeOf(DecodeContextToken(part.view(), "bucket", "key")), Code::kInvalidArgument);
  }
}

// Also where the checksum is right: somebody may compute it.
TEST(ContextToken, RefusesWhatNoEncoderWrites) {
  const auto sealed = [](std::string checked) {
    AppendU64(&checked, Hash64(checked, Hash64("key", Hash64("bucket"))));
    return checked;
  };
  std::string body;
  SomeContext().AppendTo(&body);
  ASSERT_TRUE(DecodeContextToken(sealed("\x01" + body), "bucket", "key").has_value());
  EXPECT_FALSE(DecodeContextToken(sealed("\x02" + body), "bucket", "key").has_value());
  EXPECT_FALSE(DecodeContextToken(sealed("\x01" + body + "x"), "bucket", "key").has_value());
  EXPECT_FALSE(DecodeContextToken(sealed(std::string("\x01\0", 2)), "bucket", "key").has_value());
  EXPECT_FALSE(DecodeContextToken(sealed(""), "bucket", "key").has_value());
}

TEST(ContextToken, HasRoomForTheLargestContextAndRefusesALargerOne) {
  const auto widest = WideContext(lattice::CausalContext::kIntervalsMax);
  const std::string token = EncodeContextToken(widest, "bucket", "key");
  EXPECT_LE(token.size(), kContextTokenBytesMax);
  EXPECT_EQ(DecodeContextToken(token, "bucket", "key"), widest);

  const auto wider = WideContext(lattice::CausalContext::kIntervalsMax + 1);
  EXPECT_EQ(CodeOf(DecodeContextToken(EncodeContextToken(wider, "bucket", "key"), "bucket", "key")),
            Code::kInvalidArgument);
  const std::string endless(kContextTokenBytesMax + 1, '\x01');
  EXPECT_EQ(CodeOf(DecodeContextToken(endless, "bucket", "key")), Code::kInvalidArgument);
}

TEST(ContextToken, TextIsSafeInUrlsAndShells) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const std::string text = ContextTokenToText(MakeBytes(&random, 0, 100));
    EXPECT_EQ(
        text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        std::string::npos);
  }
}

TEST(ContextToken, RefusesTextThatIsNotItsOwn) {
  for (const std::string_view text : {"A", "A!", "AA==", "+/AA", "AB", "AA A", "\n"}) {
    const auto refused = ContextTokenFromText(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace eddy::wire
