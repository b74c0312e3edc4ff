// What newer and foreign encoders may send, built by hand with FlatBuffers: fields that we do not
// know are ignored, members and values that we do not know are refused as such, and what no encoder
// of ours would write is refused as damage.
#include <string>

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/wire/messages.h"
#include "wire/codec.h"
#include "wire/eddy_generated.h"

namespace eddy::wire {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using FlatBytes = flatbuffers::Vector<uint8_t>;

template <class T>
Code CodeOf(const Result<T>& result) {
  return result ? Code{} : result.error().code;
}

Offset<FlatBytes> Bytes(FlatBufferBuilder* builder, std::string_view bytes) {
  return builder->CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// The finished buffer as a payload.
template <class Table>
ExactCopy Payload(FlatBufferBuilder* builder, Offset<Table> root) {
  builder->Finish(root);
  return ExactCopy(
      {reinterpret_cast<const char*>(builder->GetBufferPointer()), builder->GetSize()});
}

ExactCopy RequestPayload(FlatBufferBuilder* builder, std::string_view bucket, std::string_view key,
                         flat::Action type, Offset<void> action) {
  const auto flat_bucket = Bytes(builder, bucket);
  const auto flat_key = Bytes(builder, key);
  flat::ClientRequestBuilder request(*builder);
  const flat::RequestId id(7, 8);
  request.add_id(&id);
  request.add_bucket(flat_bucket);
  request.add_key(flat_key);
  request.add_action_type(type);
  if (!action.IsNull()) request.add_action(action);
  return Payload(builder, request.Finish());
}

ExactCopy PeerPayload(FlatBufferBuilder* builder, flat::PeerBody type, Offset<void> body) {
  flat::PeerMessageBuilder message(*builder);
  message.add_op(5);
  message.add_body_type(type);
  if (!body.IsNull()) message.add_body(body);
  return Payload(builder, message.Finish());
}

// ---- Newer

TEST(Evolution, UnknownFieldsAreIgnored) {
  FlatBufferBuilder builder;
  const auto later = Bytes(&builder, "of a later version");
  // Each table has slots behind the last that we know.
  const auto body_start = builder.StartTable();
  builder.AddElement<uint8_t>(flat::LeaseAnswer::VT_GRANTED, 1, 0);
  builder.AddElement<uint64_t>(flat::LeaseAnswer::VT_GRANTED + 2, 42, 0);
  const Offset<void> body(builder.EndTable(body_start));
  const auto message_start = builder.StartTable();
  builder.AddElement<uint64_t>(flat::PeerMessage::VT_OP, 5, 0);
  builder.AddElement<uint8_t>(flat::PeerMessage::VT_BODY_TYPE,
                              static_cast<uint8_t>(flat::PeerBody::LeaseAnswer), 0);
  builder.AddOffset(flat::PeerMessage::VT_BODY, body);
  builder.AddOffset(flat::PeerMessage::VT_BODY + 2, later);
  const ExactCopy payload =
      Payload(&builder, Offset<flat::PeerMessage>(builder.EndTable(message_start)));
  EXPECT_EQ(DecodePeerMessage(payload.view()), (PeerMessage{LeaseAnswer{5, true}}));
}

TEST(Evolution, AnActionOfANewerVersionIsRefusedAndTheRequestCanBeAnswered) {
  FlatBufferBuilder builder;
  const auto action = flat::CreateGetAction(builder).Union();
  const ExactCopy payload =
      RequestPayload(&builder, "bucket", "key", static_cast<flat::Action>(9), action);
  RequestId id;
  EXPECT_EQ(CodeOf(DecodeClientRequest(payload.view(), &id)), Code::kUnsupported);
  EXPECT_EQ(id, (RequestId{7, 8}));
}

TEST(Evolution, AMessageOfANewerVersionIsRefused) {
  FlatBufferBuilder builder;
  const auto body = flat::CreateLeaseAnswer(builder).Union();
  const ExactCopy payload = PeerPayload(&builder, static_cast<flat::PeerBody>(200), body);
  EXPECT_EQ(CodeOf(DecodePeerMessage(payload.view())), Code::kUnsupported);
}

TEST(Evolution, AnErrorOfANewerVersionIsRefusedWithItsText) {
  FlatBufferBuilder builder;
  const auto text = builder.CreateString("the moon is full");
  const auto error = flat::CreateError(builder, static_cast<flat::ErrorCode>(99), text);
  const ExactCopy payload = Payload(&builder, flat::CreateRefusal(builder, error));
  const auto refused = DecodeRefusal(payload.view());
  EXPECT_EQ(CodeOf(refused), Code::kUnsupported);
  EXPECT_NE(refused.error().text.find("the moon is full"), std::string::npos);
}

TEST(Evolution, ADurabilityOfANewerVersionIsRefused) {
  for (const uint8_t durability : std::initializer_list<uint8_t>{0, 4, 255}) {
    FlatBufferBuilder builder;
    const auto key = Bytes(&builder, "key");
    const auto body =
        flat::CreateWriteRequest(builder, key, 0, static_cast<flat::Durability>(durability));
    const ExactCopy payload = PeerPayload(&builder, flat::PeerBody::WriteRequest, body.Union());
    EXPECT_EQ(CodeOf(DecodePeerMessage(payload.view())),
              durability == 0 ? Code::kCorruption : Code::kUnsupported);
  }
}

// ---- Foreign or broken

TEST(Foreign, ARequestOutOfLimitsIsRefusedAndCanBeAnswered) {
  const auto refusal = [](std::string_view bucket, std::string_view key, size_t value_bytes) {
    FlatBufferBuilder builder;
    const auto value = Bytes(&builder, std::string(value_bytes, 'v'));
    const auto put = flat::CreatePutAction(builder, value).Union();
    const ExactCopy payload = RequestPayload(&builder, bucket, key, flat::Action::PutAction, put);
    RequestId id;
    const Code code = CodeOf(DecodeClientRequest(payload.view(), &id));
    EXPECT_EQ(id, (RequestId{7, 8}));
    return code;
  };
  EXPECT_EQ(refusal("bucket", "key", 10), Code{});
  EXPECT_EQ(refusal("", "key", 10), Code::kInvalidArgument);
  EXPECT_EQ(refusal("bucket", "", 10), Code::kInvalidArgument);
  EXPECT_EQ(refusal(std::string(kBucketBytesMax + 1, 'b'), "key", 10), Code::kTooLarge);
  EXPECT_EQ(refusal("bucket", std::string(kKeyBytesMax + 1, 'k'), 10), Code::kTooLarge);
  EXPECT_EQ(refusal("bucket", "key", kValueBytesMax + 1), Code::kTooLarge);
}

// A union may name a member and hold nothing, and the Verifier lets it pass.
TEST(Foreign, AUnionWithoutItsValueIsRefused) {
  for (uint8_t type = 0; type <= static_cast<uint8_t>(flat::Action::MAX); ++type) {
    FlatBufferBuilder builder;
    const ExactCopy payload =
        RequestPayload(&builder, "bucket", "key", static_cast<flat::Action>(type), {});
    RequestId id;
    EXPECT_EQ(CodeOf(DecodeClientRequest(payload.view(), &id)), Code::kCorruption) << int{type};
  }
  for (uint8_t type = 0; type <= static_cast<uint8_t>(flat::PeerBody::MAX); ++type) {
    FlatBufferBuilder builder;
    const ExactCopy payload = PeerPayload(&builder, static_cast<flat::PeerBody>(type), {});
    EXPECT_EQ(CodeOf(DecodePeerMessage(payload.view())), Code::kCorruption) << int{type};
  }
}

// Offsets may meet: a few bytes could claim gigabytes of values.
TEST(Foreign, SiblingsThatShareTheirValueAreRefused) {
  FlatBufferBuilder builder;
  const auto value = Bytes(&builder, std::string(100'000, 'v'));
  const flat::Dot dot(flat::Id(1, 2), 3);
  std::vector<Offset<flat::Sibling>> siblings;
  for (int i = 0; i < 3; ++i) siblings.push_back(flat::CreateSibling(builder, &dot, 0, 0, value));
  const auto shared = builder.CreateVector(siblings);
  const ExactCopy payload =
      Payload(&builder, flat::CreateClientReply(builder, nullptr, 0, 0, 0, 0, shared));
  EXPECT_EQ(CodeOf(DecodeClientReply(payload.view())), Code::kCorruption);
}

TEST(Foreign, TooManySiblingsAreRefused) {
  FlatBufferBuilder builder;
  const flat::Dot dot(flat::Id(1, 2), 3);
  std::vector<Offset<flat::Sibling>> siblings(kReplySiblingsMax + 1,
                                              flat::CreateSibling(builder, &dot));
  const auto many = builder.CreateVector(siblings);
  const ExactCopy payload =
      Payload(&builder, flat::CreateClientReply(builder, nullptr, 0, 0, 0, 0, many));
  EXPECT_EQ(CodeOf(DecodeClientReply(payload.view())), Code::kCorruption);
}

TEST(Foreign, ASiblingWithoutItsDotIsRefused) {
  FlatBufferBuilder builder;
  const auto siblings = builder.CreateVector(std::vector{flat::CreateSibling(builder)});
  const ExactCopy payload =
      Payload(&builder, flat::CreateClientReply(builder, nullptr, 0, 0, 0, 0, siblings));
  EXPECT_EQ(CodeOf(DecodeClientReply(payload.view())), Code::kCorruption);
}

TEST(Foreign, AnOwnerThatIsNoMemberIsRefused) {
  for (const uint16_t owner : {uint16_t{0}, uint16_t{1}, uint16_t{65535}}) {
    FlatBufferBuilder builder;
    const flat::Id id(1, 2);
    const auto doors = flat::CreateDoors(builder);
    const auto members =
        builder.CreateVector(std::vector{flat::CreateMemberStatus(builder, &id, 0, 0, 1, doors)});
    const auto owners = builder.CreateVector(std::vector<uint16_t>{owner});
    flat::NodeStatusBuilder status(builder);
    status.add_members(members);
    status.add_owners(owners);
    const auto reply = flat::CreateStatusReply(builder, nullptr, status.Finish());
    EXPECT_EQ(CodeOf(DecodeStatusReply(Payload(&builder, reply).view())),
              owner == 0 ? Code{} : Code::kCorruption);
  }
}

TEST(Foreign, EmptyAndTinyPayloadsAreRefused) {
  for (size_t size = 0; size < 12; ++size) {
    for (uint32_t kind = 1; kind <= 7; ++kind) {
      const ExactCopy zeros(std::string(size, '\0'));
      EXPECT_EQ(CodeOf(Reencode(static_cast<FrameKind>(kind), zeros.view())), Code::kCorruption);
    }
  }
}

}  // namespace
}  // namespace eddy::wire
