#include "tests/wire/messages.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace eddy::wire {

namespace {

// Numbers of every magnitude, the extremes among them.
uint64_t MakeNumber(Random* random) {
  if (random->Chance(1, 8)) return std::numeric_limits<uint64_t>::max();
  return random->Next() >> random->Below(64);
}

std::optional<uint8_t> MakeFigure(Random* random) {
  if (random->Chance(1, 2)) return std::nullopt;
  return static_cast<uint8_t>(random->Below(256));
}

std::string MakeText(Random* random) { return MakeBytes(random, 0, 40); }

std::optional<Error> MakeOptionalError(Random* random) {
  if (random->Chance(1, 2)) return std::nullopt;
  return MakeError(random);
}

Duration MakeDuration(Random* random) {
  return Duration(random->Between(0, static_cast<uint64_t>(Duration(kDeadlineMax).count())));
}

WallTime MakeExpiry(Random* random) {
  if (random->Chance(1, 2)) return lattice::Sibling::kNever;
  return WallTime(std::chrono::milliseconds(random->Next() >> (1 + random->Below(63))));
}

Digest MakeDigest(Random* random) { return Digest{random->Next(), random->Next()}; }

ring::Doors MakeDoors(Random* random) {
  const auto port = [&] { return static_cast<uint16_t>(random->Below(65536)); };
  return ring::Doors{MakeText(random), port(), port(), port(), port()};
}

template <class Message>
void AddFrame(std::vector<std::string>* frames, const Message& append) {
  Encoder encoder;
  std::string frame;
  append(&encoder, &frame);
  frames->push_back(std::move(frame));
}

}  // namespace

std::string MakeBytes(Random* random, size_t bytes_min, size_t bytes_max) {
  const bool small = random->Chance(7, 8);
  const size_t most = small ? std::min(bytes_max, bytes_min + 24) : bytes_max;
  std::string bytes(random->Between(bytes_min, most), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random->Below(256));
  return bytes;
}

Error MakeError(Random* random) {
  return Error{static_cast<Code>(random->Between(1, 11)), MakeText(random)};
}

lattice::CausalContext MakeContext(Random* random) {
  lattice::CausalContext context;
  for (uint64_t i = random->Below(6); i > 0; --i) {
    const uint64_t after = random->Next() >> random->Between(1, 63);
    context.Add({ActorId{random->Below(3), random->Below(2)}, after,
                 after + 1 + (random->Next() >> random->Between(1, 63))});
  }
  return context;
}

RequestId MakeRequestId(Random* random) { return RequestId{MakeNumber(random), random->Next()}; }

Hello MakeHello(Random* random) {
  Hello hello;
  hello.version_oldest = static_cast<uint32_t>(random->Between(0, 9));
  hello.version = static_cast<uint32_t>(random->Between(9, 99));
  hello.cluster = MakeText(random);
  hello.software = MakeText(random);
  hello.node = random->NextId<NodeId>();
  hello.node_name = MakeText(random);
  hello.doors = MakeDoors(random);
  hello.layout = MakeDigest(random);
  return hello;
}

ClientRequest MakeRequest(Random* random) {
  ClientRequest request;
  request.id = MakeRequestId(random);
  request.bucket = MakeBytes(random, 1, kBucketBytesMax);
  request.key = MakeBytes(random, 1, 3000);
  request.quorum = {MakeFigure(random), MakeFigure(random), MakeFigure(random), MakeFigure(random),
                    MakeFigure(random)};
  request.deadline = MakeDuration(random);
  switch (random->Below(4)) {
    case 0:
      request.action = GetAction{random->Chance(1, 2)};
      break;
    case 1:
      request.action =
          PutAction{MakeBytes(random, 0, 3000), MakeBytes(random, 0, 300), MakeExpiry(random)};
      break;
    case 2:
      request.action = RestoreAction{MakeBytes(random, 1, 3000)};
      break;
    default:
      request.action = DeleteAction{MakeBytes(random, 0, 300)};
  }
  return request;
}

ClientReply MakeReply(Random* random) {
  ClientReply reply;
  reply.id = MakeRequestId(random);
  reply.error = MakeOptionalError(random);
  reply.needed = static_cast<uint8_t>(random->Below(256));
  reply.answered = static_cast<uint8_t>(random->Below(256));
  reply.primaries = static_cast<uint8_t>(random->Below(256));
  reply.context = MakeBytes(random, 0, 300);
  for (uint64_t i = random->Below(4); i > 0; --i) {
    reply.siblings.push_back({.dot = {random->NextId<ActorId>(), MakeNumber(random)},
                              .timestamp = Timestamp{MakeNumber(random)},
                              .expires_at = MakeExpiry(random),
                              .value = MakeBytes(random, 0, 2000)});
  }
  return reply;
}

NodeStatus MakeStatus(Random* random) {
  NodeStatus status;
  status.cluster = MakeText(random);
  status.software = MakeText(random);
  status.node = random->NextId<NodeId>();
  status.name = MakeText(random);
  status.ready = random->Chance(1, 2);
  status.reason = MakeText(random);
  status.uptime_seconds = MakeNumber(random);
  status.layout_version = MakeNumber(random);
  status.partitions = static_cast<uint32_t>(random->Next());
  status.partitions_owned = static_cast<uint32_t>(random->Next());
  status.keys_estimate = MakeNumber(random);
  status.data_bytes = MakeNumber(random);
  status.operations_in_flight = MakeNumber(random);
  if (random->Chance(1, 2)) status.equal_seconds_ago = MakeNumber(random);
  for (uint64_t i = random->Between(0, 5); i > 0; --i) {
    status.members.push_back({.id = random->NextId<NodeId>(),
                              .name = MakeText(random),
                              .zone = MakeText(random),
                              .weight = static_cast<uint32_t>(random->Next()),
                              .doors = MakeDoors(random),
                              .reachable = random->Chance(1, 2)});
  }
  if (!status.members.empty()) {
    for (uint64_t i = random->Between(0, 64); i > 0; --i) {
      status.owners.push_back(static_cast<uint32_t>(random->Below(status.members.size())));
    }
  }
  for (uint64_t i = random->Below(4); i > 0; --i) {
    status.counters.push_back({MakeText(random), MakeNumber(random)});
  }
  return status;
}

KeyListRequest MakeKeyListRequest(Random* random) {
  return KeyListRequest{MakeRequestId(random), MakeBytes(random, 0, kBucketBytesMax),
                        MakeBytes(random, 0, kKeyListCursorBytesMax)};
}

KeyListReply MakeKeyListReply(Random* random) {
  KeyListReply reply{MakeRequestId(random),
                     MakeOptionalError(random),
                     {},
                     MakeBytes(random, 0, kKeyListCursorBytesMax)};
  for (uint64_t i = random->Below(random->Chance(1, 50) ? kKeyListKeysMax + 1 : 4); i > 0; --i) {
    reply.keys.push_back({MakeBytes(random, 1, kBucketBytesMax), MakeBytes(random, 1, 1000)});
  }
  return reply;
}

AdminRequest MakeAdminRequest(Random* random) {
  return AdminRequest{MakeRequestId(random), MakeBytes(random, 0, kAdminCallBytesMax),
                      MakeBytes(random, 0, 2000)};
}

AdminReply MakeAdminReply(Random* random) {
  return AdminReply{MakeRequestId(random), MakeOptionalError(random), MakeBytes(random, 0, 5000),
                    MakeBytes(random, 0, 5000)};
}

Ballot MakeBallot(Random* random) {
  return Ballot{random->Between(1, 1000), random->NextId<NodeId>()};
}

PeerMessage MakePeerMessage(Random* random, size_t index) {
  const uint64_t op = MakeNumber(random);
  switch (index) {
    case 0: {
      ReadRequest request{op, MakeBytes(random, 1, 1000), std::nullopt, MakeDuration(random),
                          random->Chance(1, 2)};
      if (random->Chance(1, 2)) request.have = MakeDigest(random);
      return request;
    }
    case 1:
      return ReadReply{op, MakeOptionalError(random), random->Chance(1, 2),
                       MakeBytes(random, 0, 3000)};
    case 2:
      return WriteRequest{op,
                          MakeBytes(random, 1, 1000),
                          MakeBytes(random, 0, 3000),
                          static_cast<uint8_t>(random->Between(1, 3)),
                          MakeDuration(random),
                          random->Chance(1, 2) ? NodeId{} : random->NextId<NodeId>()};
    case 3:
      return WriteReply{op, MakeOptionalError(random)};
    case 4:
      return ForwardRequest{op, MakeRequest(random)};
    case 5:
      return ForwardReply{op, MakeReply(random)};
    case 6: {
      const uint64_t begin = random->Next() >> 1;
      return LeaseAnnouncement{op, random->NextId<ActorId>(), begin, begin + random->Below(1000),
                               MakeNumber(random)};
    }
    case 7:
      return LeaseAnswer{op, random->Chance(1, 2)};
    case 8: {
      TreeRequest request{op, static_cast<uint32_t>(random->Below(16384)),
                          static_cast<uint8_t>(random->Below(17)), std::nullopt,
                          MakeDigest(random)};
      if (random->Chance(1, 2)) request.inner = static_cast<uint8_t>(random->Below(kTreeFan));
      return request;
    }
    case 9: {
      TreeReply reply{op, random->Chance(1, 2), random->Chance(1, 2), {}};
      const size_t hashes = random->Chance(1, 2) ? kTreeFan : 0;
      for (size_t i = 0; i < hashes; ++i) reply.hashes.push_back(MakeDigest(random));
      return reply;
    }
    case 10:
      return SegmentRequest{op,
                            static_cast<uint32_t>(random->Below(16384)),
                            static_cast<uint8_t>(random->Below(17)),
                            static_cast<uint16_t>(random->Below(1024)),
                            static_cast<uint16_t>(random->Below(1024)),
                            MakeBytes(random, 0, 500)};
    case 12: {
      JoinRequest request{op, {}, MakeText(random), random->Chance(1, 2)};
      request.member.id = random->NextId<NodeId>();
      request.member.name = MakeText(random);
      request.member.zone = MakeText(random);
      request.member.weight = static_cast<uint32_t>(random->Below(1000));
      request.member.doors = MakeDoors(random);
      return request;
    }
    case 13:
      return JoinReply{op, MakeOptionalError(random)};
    case 14:
      return LayoutNews{op, MakeBytes(random, 1, 3000), MakeBytes(random, 0, 300)};
    case 15:
      return LayoutBallot{op, MakeNumber(random), MakeBallot(random), MakeBytes(random, 0, 3000)};
    case 16:
      return LayoutVote{op,
                        MakeNumber(random),
                        MakeBallot(random),
                        random->Chance(1, 2),
                        random->Chance(1, 2),
                        random->Chance(1, 2) ? Ballot() : MakeBallot(random),
                        MakeBytes(random, 0, 3000)};
    case 17:
      return GossipPacket{op, MakeBytes(random, 1, kGossipPacketBytesMax)};
    case 18:
      return GossipState{op, random->Chance(1, 2), MakeBytes(random, 1, 3000)};
    case 19:
      return QuietRequest{op, MakeNumber(random), random->Chance(1, 2)};
    case 20:
      return QuietReply{op, random->Chance(1, 2), MakeNumber(random)};
    case 21:
      return FencePassed{op, random->NextId<NodeId>()};
    case 22:
      return ReapRequest{op, MakeBytes(random, 1, 300), MakeBytes(random, 1, 300)};
    default: {
      CHECK(index == 11);
      SegmentReply reply{op, MakeOptionalError(random), {}, MakeBytes(random, 0, 500)};
      const uint64_t rows = random->Chance(1, 50) ? kSegmentRowsMax : random->Below(4);
      for (uint64_t i = 0; i < rows; ++i) {
        reply.rows.push_back({MakeBytes(random, 1, 300), MakeDigest(random),
                              static_cast<uint32_t>(random->Below(1 << 24))});
      }
      return reply;
    }
  }
}

std::vector<std::string> MakeFrames(Random* random) {
  std::vector<std::string> frames;
  AddFrame(&frames,
           [&](Encoder* to, std::string* out) { to->AppendHello(MakeHello(random), out); });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    CHECK(to->AppendClientRequest(MakeRequest(random), out).has_value());
  });
  AddFrame(&frames,
           [&](Encoder* to, std::string* out) { to->AppendClientReply(MakeReply(random), out); });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    to->AppendStatusRequest(MakeRequestId(random), out);
  });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    to->AppendStatusReply(MakeRequestId(random), MakeStatus(random), out);
  });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    to->AppendKeyListRequest(MakeKeyListRequest(random), out);
  });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    to->AppendKeyListReply(MakeKeyListReply(random), out);
  });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    to->AppendAdminRequest(MakeAdminRequest(random), out);
  });
  AddFrame(&frames, [&](Encoder* to, std::string* out) {
    to->AppendAdminReply(MakeAdminReply(random), out);
  });
  for (size_t index = 0; index < std::variant_size_v<PeerMessage>; ++index) {
    AddFrame(&frames, [&](Encoder* to, std::string* out) {
      CHECK(to->AppendPeerMessage(MakePeerMessage(random, index), out).has_value());
    });
  }
  AddFrame(&frames,
           [&](Encoder* to, std::string* out) { to->AppendRefusal(MakeError(random), out); });
  return frames;
}

Result<std::string> Reencode(FrameKind kind, std::string_view payload) {
  Encoder encoder;
  std::string out;
  // Decoded, then appended; an encoder must accept whatever a decoder let in.
  const auto through = [&](auto decoded, auto append) -> Result<std::string> {
    if (!decoded) return std::unexpected(decoded.error());
    append(*decoded);
    return out;
  };
  switch (kind) {
    case FrameKind::kHello:
      return through(DecodeHello(payload), [&](auto& hello) { encoder.AppendHello(hello, &out); });
    case FrameKind::kClientRequest: {
      RequestId id;
      return through(DecodeClientRequest(payload, &id), [&](auto& request) {
        CHECK(encoder.AppendClientRequest(request, &out).has_value());
      });
    }
    case FrameKind::kClientReply:
      return through(DecodeClientReply(payload),
                     [&](auto& reply) { encoder.AppendClientReply(reply, &out); });
    case FrameKind::kStatusRequest:
      return through(DecodeStatusRequest(payload),
                     [&](auto& id) { encoder.AppendStatusRequest(id, &out); });
    case FrameKind::kStatusReply:
      return through(DecodeStatusReply(payload), [&](auto& status) {
        encoder.AppendStatusReply(status.first, status.second, &out);
      });
    case FrameKind::kKeyListRequest:
      return through(DecodeKeyListRequest(payload),
                     [&](auto& request) { encoder.AppendKeyListRequest(request, &out); });
    case FrameKind::kKeyListReply:
      return through(DecodeKeyListReply(payload),
                     [&](auto& reply) { encoder.AppendKeyListReply(reply, &out); });
    case FrameKind::kAdminRequest:
      return through(DecodeAdminRequest(payload),
                     [&](auto& request) { encoder.AppendAdminRequest(request, &out); });
    case FrameKind::kAdminReply:
      return through(DecodeAdminReply(payload),
                     [&](auto& reply) { encoder.AppendAdminReply(reply, &out); });
    case FrameKind::kPeerMessage:
      return through(DecodePeerMessage(payload), [&](auto& message) {
        CHECK(encoder.AppendPeerMessage(message, &out).has_value());
      });
    case FrameKind::kRefusal:
      return through(DecodeRefusal(payload),
                     [&](auto& error) { encoder.AppendRefusal(error, &out); });
  }
  return Fail(Code::kUnsupported, "no such kind");
}

ExactCopy::ExactCopy(std::string_view bytes) : bytes_(new char[bytes.size()]), size_(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), bytes_.get());
}

Frame OnlyFrame(std::string_view frame) {
  const auto parsed = ParseFrame(frame, kPayloadBytesMax);
  CHECK(parsed && *parsed && (*parsed)->size == frame.size());
  return **parsed;
}

}  // namespace eddy::wire
