#include "tools/load_protocol.h"

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

std::unique_ptr<LoadProtocol> Resp(uint32_t window) {
  return MakeLoadProtocol({.door = Door::kResp, .window = window});
}

// Feeds `input` byte by byte: a reply is there only once all of it is.
LoadReply TakeOnlyWhenWhole(LoadProtocol* protocol, std::string_view input) {
  for (size_t size = 0; size < input.size(); size++) {
    const auto reply = protocol->TakeReply(input.substr(0, size));
    EXPECT_TRUE(reply && !*reply) << input.substr(0, size);
  }
  auto reply = protocol->TakeReply(input);
  EXPECT_TRUE(reply && *reply) << input;
  EXPECT_EQ((*reply)->size, input.size());
  return std::move(**reply);
}

TEST(RespLoad, AsksForOneKeyAndForSeveral) {
  const auto protocol = Resp(4);
  std::string out;
  ASSERT_TRUE(protocol->AppendRequest({.key = "k"}, &out));
  ASSERT_TRUE(protocol->AppendRequest({.verb = LoadVerb::kSet, .key = "k", .value = "v"}, &out));
  const std::vector<std::string> keys = {"a", "bc"};
  ASSERT_TRUE(protocol->AppendRequest({.verb = LoadVerb::kGetMany, .keys = keys}, &out));
  EXPECT_EQ(out,
            "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
            "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$2\r\nbc\r\n");
}

TEST(RespLoad, RepliesBelongToRequestsInTheirOrderWhateverTheirSlots) {
  const auto protocol = Resp(3);
  std::string out;
  for (int round = 0; round < 5; round++) {
    for (const uint32_t slot : {2u, 0u, 1u}) {
      ASSERT_TRUE(protocol->AppendRequest({.slot = slot, .key = "k"}, &out));
    }
    for (const uint32_t slot : {2u, 0u, 1u}) {
      EXPECT_EQ(TakeOnlyWhenWhole(protocol.get(), "$1\r\nv\r\n").slot, slot);
    }
  }
}

TEST(RespLoad, TellsFoundFromAbsentFromFailed) {
  const auto protocol = Resp(16);
  std::string out;
  const auto take = [&](std::string_view input) {
    EXPECT_TRUE(protocol->AppendRequest({.key = "k"}, &out));
    return TakeOnlyWhenWhole(protocol.get(), input);
  };
  EXPECT_FALSE(take("$3\r\nv\r\n\r\n").absent);
  EXPECT_FALSE(take("+OK\r\n").absent);
  EXPECT_TRUE(take("$-1\r\n").absent);
  EXPECT_TRUE(take("_\r\n").absent);
  EXPECT_FALSE(take("*2\r\n$-1\r\n$2\r\nab\r\n").absent) << "one of them is there";
  EXPECT_TRUE(take("*2\r\n$-1\r\n$-1\r\n").absent);
  const std::pair<std::string_view, Code> errors[] = {
      {"-CLUSTERDOWN r = 2\r\n", Code::kUnavailable},
      {"-LOADING\r\n", Code::kUnavailable},
      {"-TRYAGAIN full\r\n", Code::kBusy},
      {"-TIMEOUT\r\n", Code::kTimeout},
      {"-EDDYUNKNOWN\r\n", Code::kUnknownOutcome},
      {"-IOERR\r\n", Code::kIo},
      {"-ERR wrong\r\n", Code::kInvalidArgument}};
  for (const auto& [text, code] : errors) {
    const LoadReply reply = take(text);
    ASSERT_TRUE(reply.error) << text;
    EXPECT_EQ(reply.error->code, code) << text;
    EXPECT_EQ("-" + reply.error->text + "\r\n", text);
  }
}

TEST(RespLoad, WhatNobodyAskedForEndsTheStream) {
  const auto protocol = Resp(1);
  EXPECT_FALSE(protocol->TakeReply("+OK\r\n"));
  std::string out;
  ASSERT_TRUE(protocol->AppendRequest({.key = "k"}, &out));
  EXPECT_FALSE(protocol->TakeReply("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_FALSE(protocol->AppendRequest({.key = "k"}, &out)) << "its window is full";
}

TEST(LoadProtocols, OnlyRespAsksForSeveralKeysAtOnce) {
  const std::vector<std::string> keys = {"a"};
  std::string out;
  for (const Door door : {Door::kNative, Door::kFloor}) {
    const auto protocol = MakeLoadProtocol({.door = door, .bucket = "b", .client = 1, .window = 1});
    const Status asked = protocol->AppendRequest({.verb = LoadVerb::kGetMany, .keys = keys}, &out);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, Code::kUnsupported);
    EXPECT_EQ(out, "");
  }
}

}  // namespace
}  // namespace eddy::tools
