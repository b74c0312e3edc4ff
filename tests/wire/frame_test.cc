#include "wire/frame.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/wire/messages.h"

namespace eddy::wire {
namespace {

RC_GTEST_PROP(Frame, GivesBackTheFramesOfAStreamOneByOne, (uint64_t seed)) {
  Random random(seed);
  std::vector<std::string> payloads(random.Between(1, 5));
  std::string stream;
  for (std::string& payload : payloads) {
    payload = MakeBytes(&random, 0, 600);
    AppendFrame(FrameKind::kPeerMessage, payload, &stream);
  }
  std::string_view rest = stream;
  for (const std::string& payload : payloads) {
    const auto frame = ParseFrame(rest, 600);
    RC_ASSERT(frame && *frame);
    RC_ASSERT((*frame)->kind == FrameKind::kPeerMessage);
    RC_ASSERT((*frame)->payload == payload);
    RC_ASSERT((*frame)->size % kFrameAlignment == 0u);
    RC_ASSERT(reinterpret_cast<uintptr_t>((*frame)->payload.data()) % kFrameAlignment == 0u);
    rest.remove_prefix((*frame)->size);
  }
  RC_ASSERT(rest.empty());
}

RC_GTEST_PROP(Frame, WaitsForMoreAtEveryByteBoundary, (uint64_t seed)) {
  Random random(seed);
  std::string stream;
  AppendFrame(FrameKind::kHello, MakeBytes(&random, 0, 300), &stream);
  for (size_t size = 0; size < stream.size(); ++size) {
    const ExactCopy part(std::string_view(stream).substr(0, size));
    const auto frame = ParseFrame(part.view(), kPayloadBytesMax);
    RC_ASSERT(frame.has_value());
    RC_ASSERT(!frame->has_value());
  }
}

// Whatever bit flips, in the header, the payload or the padding, and whatever follows.
RC_GTEST_PROP(Frame, RefusesEveryFlippedBit, (uint64_t seed)) {
  constexpr size_t kLimit = 4096;
  Random random(seed);
  std::string frame;
  AppendFrame(FrameKind::kClientReply, MakeBytes(&random, 0, 100), &frame);
  const size_t frame_bytes = frame.size();
  for (size_t bit = 0; bit < frame_bytes * 8; ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    damaged.append(2 * kLimit, '\0');
    RC_ASSERT(!ParseFrame(damaged, kLimit).has_value());
  }
}

TEST(Frame, RefusesALengthOverTheLimitFromItsFourBytes) {
  std::string frame;
  AppendFrame(FrameKind::kHello, std::string(1001, 'x'), &frame);
  const auto refused = ParseFrame(std::string_view(frame).substr(0, 4), 1000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_NE(refused.error().text.find("1000"), std::string::npos) << refused.error().text;
  EXPECT_TRUE(ParseFrame(frame, 1001).value().has_value());
}

TEST(Frame, RefusesAnotherProtocolByItsFirstBytes) {
  for (const std::string_view greeting :
       {std::string_view("PING\r\n"), std::string_view("GET / HTTP/1.1\r\n"),
        std::string_view("*1\r\n$4\r\nPING\r\n"),
        std::string_view("\x16\x03\x01\x02\x00\x01", 6)}) {
    EXPECT_FALSE(ParseFrame(greeting, kHelloPayloadBytesMax).has_value()) << greeting;
  }
}

TEST(Frame, RefusesUnknownKinds) {
  for (const uint32_t kind : {0u, 12u, 0xffffffffu}) {
    std::string frame;
    AppendFrame(static_cast<FrameKind>(kind), "payload", &frame);
    const auto refused = ParseFrame(frame, 100);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kUnsupported);
  }
}

// The bytes of the header are the protocol: other implementations depend on every one of them.
TEST(Frame, HasTheDocumentedBytes) {
  std::string frame;
  AppendFrame(FrameKind::kStatusRequest, "abc", &frame);
  const std::string header("\x03\0\0\0\x04\0\0\0", 8);
  const std::string checksum("\x69\x54\x67\xd0\x55\xe2\xb9\x31", 8);
  EXPECT_EQ(frame.substr(0, 8), header);
  EXPECT_EQ(frame.substr(8, 8), checksum);
  EXPECT_EQ(frame.substr(16), std::string("abc\0\0\0\0\0", 8));
}

}  // namespace
}  // namespace eddy::wire
