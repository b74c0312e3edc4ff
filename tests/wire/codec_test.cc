#include "wire/codec.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/limits.h"
#include "tests/wire/messages.h"
#include "wire/context_token.h"

namespace eddy::wire {
namespace {

// ---- What is sent is what arrives

RC_GTEST_PROP(Codec, HellosArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  const Hello hello = MakeHello(&random);
  std::string frame;
  Encoder().AppendHello(hello, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kHello);
  RC_ASSERT((DecodeHello(OnlyFrame(frame).payload) == hello));
}

RC_GTEST_PROP(Codec, RequestsArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  const ClientRequest request = MakeRequest(&random);
  std::string frame;
  RC_ASSERT(Encoder().AppendClientRequest(request, &frame).has_value());
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kClientRequest);
  RequestId id;
  RC_ASSERT((DecodeClientRequest(OnlyFrame(frame).payload, &id) == request));
  RC_ASSERT(id == request.id);
}

RC_GTEST_PROP(Codec, RepliesArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  const ClientReply reply = MakeReply(&random);
  std::string frame;
  Encoder().AppendClientReply(reply, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kClientReply);
  RC_ASSERT((DecodeClientReply(OnlyFrame(frame).payload) == reply));
}

RC_GTEST_PROP(Codec, StatusArrivesAsItWasSent, (uint64_t seed)) {
  Random random(seed);
  const RequestId id = MakeRequestId(&random);
  const NodeStatus status = MakeStatus(&random);
  std::string frames;
  Encoder encoder;
  encoder.AppendStatusRequest(id, &frames);
  RC_ASSERT((DecodeStatusRequest(OnlyFrame(frames).payload) == id));
  frames.clear();
  encoder.AppendStatusReply(id, status, &frames);
  RC_ASSERT(OnlyFrame(frames).kind == FrameKind::kStatusReply);
  RC_ASSERT((DecodeStatusReply(OnlyFrame(frames).payload) == std::pair(id, status)));
}

RC_GTEST_PROP(Codec, KeyListsArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  const KeyListRequest request = MakeKeyListRequest(&random);
  std::string frame;
  Encoder encoder;
  encoder.AppendKeyListRequest(request, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kKeyListRequest);
  RC_ASSERT((DecodeKeyListRequest(OnlyFrame(frame).payload) == request));
  const KeyListReply reply = MakeKeyListReply(&random);
  frame.clear();
  encoder.AppendKeyListReply(reply, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kKeyListReply);
  RC_ASSERT((DecodeKeyListReply(OnlyFrame(frame).payload) == reply));
}

RC_GTEST_PROP(Codec, AdminCallsArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  const AdminRequest request = MakeAdminRequest(&random);
  std::string frame;
  Encoder encoder;
  encoder.AppendAdminRequest(request, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kAdminRequest);
  RC_ASSERT((DecodeAdminRequest(OnlyFrame(frame).payload) == request));
  const AdminReply reply = MakeAdminReply(&random);
  frame.clear();
  encoder.AppendAdminReply(reply, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kAdminReply);
  RC_ASSERT((DecodeAdminReply(OnlyFrame(frame).payload) == reply));
}

RC_GTEST_PROP(Codec, PeerMessagesOfEveryKindArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  Encoder encoder;
  for (size_t index = 0; index < std::variant_size_v<PeerMessage>; ++index) {
    const PeerMessage message = MakePeerMessage(&random, index);
    RC_ASSERT(message.index() == index);
    std::string frame;
    RC_ASSERT(encoder.AppendPeerMessage(message, &frame).has_value());
    RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kPeerMessage);
    RC_ASSERT((DecodePeerMessage(OnlyFrame(frame).payload) == message));
  }
}

RC_GTEST_PROP(Codec, RefusalsArriveAsTheyWereSent, (uint64_t seed)) {
  Random random(seed);
  const Error error = MakeError(&random);
  std::string frame;
  Encoder().AppendRefusal(error, &frame);
  RC_ASSERT(OnlyFrame(frame).kind == FrameKind::kRefusal);
  RC_ASSERT((DecodeRefusal(OnlyFrame(frame).payload) == error));
}

// One encoder serves a connection for its whole life: nothing of one message is left in the next,
// also after one that was large or refused.
RC_GTEST_PROP(Codec, AnEncoderForgetsEachMessage, (uint64_t seed)) {
  Random random(seed);
  Encoder old;
  std::string scratch;
  ClientReply large = MakeReply(&random);
  large.context.assign(1 << 20, 'c');
  for (int i = 0; i < 10; ++i) {
    old.AppendClientReply(random.Chance(1, 4) ? large : MakeReply(&random), &scratch);
    ClientRequest refused = MakeRequest(&random);
    refused.key.clear();
    RC_ASSERT(!old.AppendClientRequest(refused, &scratch).has_value());
  }
  const ClientReply reply = MakeReply(&random);
  std::string from_old;
  std::string from_new;
  old.AppendClientReply(reply, &from_old);
  Encoder().AppendClientReply(reply, &from_new);
  RC_ASSERT(from_old == from_new);
}

// ---- Limits

ClientRequest PutOf(size_t bucket_bytes, size_t key_bytes, size_t value_bytes) {
  ClientRequest request;
  request.id = {1, 2};
  request.bucket.assign(bucket_bytes, 'b');
  request.key.assign(key_bytes, 'k');
  request.action = PutAction{.value = std::string(value_bytes, 'v')};
  return request;
}

Code CodeOf(const Status& status) { return status ? Code{} : status.error().code; }

TEST(CodecLimits, TheLargestRequestIsCarried) {
  ClientRequest request = PutOf(kBucketBytesMax, kKeyBytesMax, kValueBytesMax);
  std::get<PutAction>(request.action).context.assign(kContextTokenBytesMax, 'c');
  request.deadline = kDeadlineMax;
  std::string frame;
  ASSERT_TRUE(Encoder().AppendClientRequest(request, &frame).has_value());
  EXPECT_LE(OnlyFrame(frame).payload.size(), kRequestPayloadBytesMax);
  RequestId id;
  EXPECT_EQ(DecodeClientRequest(OnlyFrame(frame).payload, &id), request);
}

TEST(CodecLimits, TheLargestRestoreIsCarriedAndHoldsTheLargestValueWithItsContext) {
  ClientRequest request = PutOf(kBucketBytesMax, kKeyBytesMax, 0);
  request.action = RestoreAction{.record = std::string(kRestoreRecordBytesMax, 'r')};
  std::string frame;
  ASSERT_TRUE(Encoder().AppendClientRequest(request, &frame).has_value());
  EXPECT_LE(OnlyFrame(frame).payload.size(), kRequestPayloadBytesMax);
  RequestId id;
  EXPECT_EQ(DecodeClientRequest(OnlyFrame(frame).payload, &id), request);
  EXPECT_GE(kRestoreRecordBytesMax, kValueBytesMax + kContextTokenBytesMax + 100);
}

TEST(CodecLimits, ARequestOutOfLimitsIsRefusedAndNothingAppended) {
  const auto refusal = [](const ClientRequest& request) {
    std::string frame = "before";
    const Status status = Encoder().AppendClientRequest(request, &frame);
    EXPECT_EQ(frame, "before");
    return CodeOf(status);
  };
  EXPECT_EQ(refusal(PutOf(0, 1, 0)), Code::kInvalidArgument);
  EXPECT_EQ(refusal(PutOf(1, 0, 0)), Code::kInvalidArgument);
  EXPECT_EQ(refusal(PutOf(kBucketBytesMax + 1, 1, 0)), Code::kTooLarge);
  EXPECT_EQ(refusal(PutOf(1, kKeyBytesMax + 1, 0)), Code::kTooLarge);
  EXPECT_EQ(refusal(PutOf(1, 1, kValueBytesMax + 1)), Code::kTooLarge);

  ClientRequest request = PutOf(1, 1, 1);
  request.deadline = Duration(-1);
  EXPECT_EQ(refusal(request), Code::kInvalidArgument);
  request.deadline = kDeadlineMax + Duration(1);
  EXPECT_EQ(refusal(request), Code::kInvalidArgument);
  request = PutOf(1, 1, 1);
  std::get<PutAction>(request.action).expires_at = WallTime(std::chrono::milliseconds(-1));
  EXPECT_EQ(refusal(request), Code::kInvalidArgument);
  request = PutOf(1, 1, 1);
  std::get<PutAction>(request.action).context.assign(kContextTokenBytesMax + 1, 'c');
  EXPECT_EQ(refusal(request), Code::kInvalidArgument);
  request.action = DeleteAction{.context = std::string(kContextTokenBytesMax + 1, 'c')};
  EXPECT_EQ(refusal(request), Code::kInvalidArgument);
  request.action = RestoreAction{};
  EXPECT_EQ(refusal(request), Code::kInvalidArgument);
  request.action = RestoreAction{.record = std::string(kRestoreRecordBytesMax + 1, 'r')};
  EXPECT_EQ(refusal(request), Code::kTooLarge);
}

TEST(CodecLimits, AReplyThatNoFrameHoldsBecomesAnErrorWithItsContext) {
  ClientReply many;
  many.id = {3, 4};
  many.needed = 2;
  many.answered = 3;
  many.context = "context";
  many.siblings.resize(kReplySiblingsMax + 1);
  ClientReply large = many;
  large.siblings.resize(kRecordBytesMax / kValueBytesMax + 1);
  for (ShownSibling& sibling : large.siblings) sibling.value.assign(kValueBytesMax, 'v');

  for (const ClientReply& reply : {many, large}) {
    std::string frame;
    Encoder().AppendClientReply(reply, &frame);
    const auto decoded = DecodeClientReply(OnlyFrame(frame).payload);
    ASSERT_TRUE(decoded.has_value());
    ASSERT_TRUE(decoded->error.has_value());
    EXPECT_EQ(decoded->error->code, Code::kTooLarge);
    EXPECT_EQ(decoded->id, reply.id);
    EXPECT_EQ(decoded->context, "context");
    EXPECT_TRUE(decoded->siblings.empty());
  }
}

TEST(CodecLimits, TheLargestReplyIsCarried) {
  ClientReply reply;
  reply.siblings.resize(kReplySiblingsMax);
  std::string frame;
  Encoder().AppendClientReply(reply, &frame);
  EXPECT_EQ(DecodeClientReply(OnlyFrame(frame).payload), reply);

  reply.siblings.resize(kRecordBytesMax / kValueBytesMax);
  for (ShownSibling& sibling : reply.siblings) sibling.value.assign(kValueBytesMax, 'v');
  frame.clear();
  Encoder().AppendClientReply(reply, &frame);
  EXPECT_EQ(DecodeClientReply(OnlyFrame(frame).payload), reply);
}

TEST(CodecLimits, ARecordUpToTheLimitTravelsBetweenNodes) {
  Encoder encoder;
  const PeerMessage largest =
      WriteRequest{.op = 1, .key = "key", .record = std::string(kRecordBytesMax, 'r')};
  std::string frame;
  ASSERT_TRUE(encoder.AppendPeerMessage(largest, &frame).has_value());
  EXPECT_EQ(DecodePeerMessage(OnlyFrame(frame).payload), largest);

  frame.clear();
  const std::string larger(kRecordBytesMax + 1, 'r');
  EXPECT_EQ(CodeOf(encoder.AppendPeerMessage(WriteRequest{.op = 1, .key = "key", .record = larger},
                                             &frame)),
            Code::kTooLarge);
  EXPECT_EQ(CodeOf(encoder.AppendPeerMessage(ReadReply{.op = 1, .record = larger}, &frame)),
            Code::kTooLarge);
  EXPECT_EQ(
      CodeOf(encoder.AppendPeerMessage(ForwardRequest{1, PutOf(1, kKeyBytesMax + 1, 0)}, &frame)),
      Code::kTooLarge);
  EXPECT_EQ(frame, "");
}

TEST(CodecLimits, LongTextsAreCut) {
  std::string frame;
  Encoder().AppendRefusal(Error{Code::kBusy, std::string(100'000, 't')}, &frame);
  EXPECT_EQ(DecodeRefusal(OnlyFrame(frame).payload),
            (Error{Code::kBusy, std::string(kErrorTextBytesMax, 't')}));
}

// Time that has run out must not turn into "no deadline given".
TEST(CodecLimits, SpentBudgetsStaySpent) {
  std::string frame;
  ASSERT_TRUE(
      Encoder()
          .AppendPeerMessage(ReadRequest{.op = 1, .key = "key", .budget = Duration(-5)}, &frame)
          .has_value());
  const auto decoded = DecodePeerMessage(OnlyFrame(frame).payload);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(std::get<ReadRequest>(*decoded).budget, Duration(1));
}

}  // namespace
}  // namespace eddy::wire
