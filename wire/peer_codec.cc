#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/codec.h"
#include "wire/flat.h"

namespace eddy::wire {

namespace {

// A record key is a bucket and a key with a few bytes around them (storage/key.h checks the rest).
constexpr size_t kRecordKeyBytesMax = kBucketBytesMax + kKeyBytesMax + 64;

bool IsRecordKey(std::string_view key) { return !key.empty() && key.size() <= kRecordKeyBytesMax; }

Status CheckRecord(std::string_view key, std::string_view record) {
  if (key.size() > kRecordKeyBytesMax || record.size() > kRecordBytesMax) {
    return Fail(Code::kTooLarge, "a record is larger than a message between nodes can be");
  }
  return {};
}

// ---- Bodies: what can be said, and its FlatBuffers form

Status CheckBody(const ReadRequest& request) { return CheckRecord(request.key, {}); }
Status CheckBody(const ReadReply& reply) { return CheckRecord({}, reply.record); }
Status CheckBody(const WriteRequest& request) { return CheckRecord(request.key, request.record); }
Status CheckBody(const ForwardRequest& forward) { return CheckRequest(forward.request); }
Status CheckBody(const SegmentRequest& request) { return CheckRecord(request.from, {}); }
Status CheckBody(const SegmentReply& reply) {
  if (reply.rows.size() > kSegmentRowsMax) return Fail(Code::kTooLarge, "too many rows");
  for (const SegmentRow& row : reply.rows) {
    if (Status ok = CheckRecord(row.key, {}); !ok) return ok;
  }
  return CheckRecord(reply.next, {});
}
Status CheckHistory(std::string_view bytes) {
  if (bytes.size() <= kHistoryBytesMax) return {};
  return Fail(Code::kTooLarge, "a layout is larger than a message between nodes can be");
}
Status CheckBody(const LayoutNews& news) {
  if (news.stage.size() > kStageBytesMax) return Fail(Code::kTooLarge, "too much is staged");
  return CheckHistory(news.history);
}
Status CheckBody(const LayoutBallot& ballot) { return CheckHistory(ballot.value); }
Status CheckBody(const LayoutVote& vote) { return CheckHistory(vote.value); }
Status CheckGossip(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() <= bytes_max) return {};
  return Fail(Code::kTooLarge, "gossip is larger than a message between nodes can be");
}
Status CheckBody(const ReapRequest& reap) { return CheckRecord(reap.key, reap.tombstone); }
Status CheckBody(const GossipPacket& packet) {
  return CheckGossip(packet.bytes, kGossipPacketBytesMax);
}
Status CheckBody(const GossipState& state) {
  return CheckGossip(state.bytes, kGossipStateBytesMax);
}
template <class Other>
Status CheckBody(const Other&) {
  return {};
}

Offset<flat::ReadRequest> ToBody(FlatBufferBuilder* builder, const ReadRequest& request) {
  const auto key = ToBytesAlways(builder, request.key);
  const flat::Digest have = request.have ? ToDigest(*request.have) : flat::Digest();
  return flat::CreateReadRequest(*builder, key, request.have ? &have : nullptr,
                                 ToMicroseconds(request.budget), request.as_owner);
}
Offset<flat::ReadReply> ToBody(FlatBufferBuilder* builder, const ReadReply& reply) {
  const auto record = ToBytes(builder, reply.record);
  const auto error = ToError(builder, reply.error);
  return flat::CreateReadReply(*builder, error, reply.same, record);
}
Offset<flat::WriteRequest> ToBody(FlatBufferBuilder* builder, const WriteRequest& request) {
  const auto record = ToBytes(builder, request.record);
  const auto key = ToBytesAlways(builder, request.key);
  const flat::Id hint_for = ToId(request.hint_for);
  return flat::CreateWriteRequest(
      *builder, key, record, static_cast<flat::Durability>(request.durability),
      ToMicroseconds(request.budget), request.hint_for.IsNone() ? nullptr : &hint_for);
}
Offset<flat::WriteReply> ToBody(FlatBufferBuilder* builder, const WriteReply& reply) {
  const auto error = ToError(builder, reply.error);
  return flat::CreateWriteReply(*builder, error);
}
Offset<flat::ForwardRequest> ToBody(FlatBufferBuilder* builder, const ForwardRequest& forward) {
  const auto request = ToClientRequest(builder, forward.request);
  return flat::CreateForwardRequest(*builder, request);
}
Offset<flat::ForwardReply> ToBody(FlatBufferBuilder* builder, const ForwardReply& forward) {
  const auto reply = ToClientReply(builder, forward.reply);
  return flat::CreateForwardReply(*builder, reply);
}
Offset<flat::LeaseAnnouncement> ToBody(FlatBufferBuilder* builder, const LeaseAnnouncement& lease) {
  const flat::Id actor = ToId(lease.actor);
  return flat::CreateLeaseAnnouncement(*builder, &actor, lease.begin, lease.end, lease.boot);
}
Offset<flat::LeaseAnswer> ToBody(FlatBufferBuilder* builder, const LeaseAnswer& answer) {
  return flat::CreateLeaseAnswer(*builder, answer.granted);
}

Offset<flat::TreeRequest> ToBody(FlatBufferBuilder* builder, const TreeRequest& request) {
  const flat::Digest hash = ToDigest(request.hash);
  const auto inner = request.inner ? flatbuffers::Optional<uint8_t>(*request.inner)
                                   : flatbuffers::Optional<uint8_t>(flatbuffers::nullopt);
  return flat::CreateTreeRequest(*builder, request.partition, request.n, inner, &hash);
}
Offset<flat::TreeReply> ToBody(FlatBufferBuilder* builder, const TreeReply& reply) {
  std::vector<flat::Digest> hashes;
  for (const Digest& hash : reply.hashes) hashes.push_back(ToDigest(hash));
  const auto flat_hashes = hashes.empty() ? Offset<flatbuffers::Vector<const flat::Digest*>>()
                                          : builder->CreateVectorOfStructs(hashes);
  return flat::CreateTreeReply(*builder, reply.known, reply.same, flat_hashes);
}
Offset<flat::SegmentRequest> ToBody(FlatBufferBuilder* builder, const SegmentRequest& request) {
  const auto from = ToBytes(builder, request.from);
  return flat::CreateSegmentRequest(*builder, request.partition, request.n, request.first_leaf,
                                    request.last_leaf, from);
}
Offset<flat::SegmentReply> ToBody(FlatBufferBuilder* builder, const SegmentReply& reply) {
  const auto rows =
      builder->CreateVector<Offset<flat::SegmentRow>>(reply.rows.size(), [&](size_t i) {
        const auto key = ToBytesAlways(builder, reply.rows[i].key);
        const flat::Digest digest = ToDigest(reply.rows[i].digest);
        return flat::CreateSegmentRow(*builder, key, &digest, reply.rows[i].bytes);
      });
  const auto next = ToBytes(builder, reply.next);
  const auto error = ToError(builder, reply.error);
  return flat::CreateSegmentReply(*builder, error, rows, next);
}

Offset<flat::JoinRequest> ToBody(FlatBufferBuilder* builder, const JoinRequest& request) {
  std::string member;
  ring::AppendMember(&member, request.member);
  const auto flat_member = ToBytesAlways(builder, member);
  const auto replaces = ToText(builder, request.replaces);
  return flat::CreateJoinRequest(*builder, flat_member, replaces, request.waits);
}
Offset<flat::JoinReply> ToBody(FlatBufferBuilder* builder, const JoinReply& reply) {
  const auto error = ToError(builder, reply.error);
  return flat::CreateJoinReply(*builder, error);
}
Offset<flat::LayoutNews> ToBody(FlatBufferBuilder* builder, const LayoutNews& news) {
  const auto history = ToBytesAlways(builder, news.history);
  const auto stage = ToBytes(builder, news.stage);
  return flat::CreateLayoutNews(*builder, history, stage);
}
Offset<flat::GossipPacket> ToBody(FlatBufferBuilder* builder, const GossipPacket& packet) {
  const auto bytes = ToBytesAlways(builder, packet.bytes);
  return flat::CreateGossipPacket(*builder, bytes);
}
Offset<flat::GossipState> ToBody(FlatBufferBuilder* builder, const GossipState& state) {
  const auto bytes = ToBytesAlways(builder, state.bytes);
  return flat::CreateGossipState(*builder, state.answers, bytes);
}
Offset<flat::QuietRequest> ToBody(FlatBufferBuilder* builder, const QuietRequest& request) {
  return flat::CreateQuietRequest(*builder, request.version, request.fence);
}
Offset<flat::QuietReply> ToBody(FlatBufferBuilder* builder, const QuietReply& reply) {
  return flat::CreateQuietReply(*builder, reply.quiet, reply.epoch);
}
Offset<flat::FencePassed> ToBody(FlatBufferBuilder* builder, const FencePassed& passed) {
  const flat::Id asker = ToId(passed.asker);
  return flat::CreateFencePassed(*builder, &asker);
}
Offset<flat::ReapRequest> ToBody(FlatBufferBuilder* builder, const ReapRequest& reap) {
  const auto key = ToBytesAlways(builder, reap.key);
  const auto tombstone = ToBytesAlways(builder, reap.tombstone);
  return flat::CreateReapRequest(*builder, key, tombstone);
}
Offset<flat::LayoutBallot> ToBody(FlatBufferBuilder* builder, const LayoutBallot& ballot) {
  const auto value = ToBytes(builder, ballot.value);
  const flat::Id proposer = ToId(ballot.ballot.proposer);
  return flat::CreateLayoutBallot(*builder, ballot.version, ballot.ballot.round, &proposer, value);
}
Offset<flat::LayoutVote> ToBody(FlatBufferBuilder* builder, const LayoutVote& vote) {
  const auto value = ToBytes(builder, vote.value);
  const flat::Id proposer = ToId(vote.ballot.proposer);
  const flat::Id seen_proposer = ToId(vote.seen.proposer);
  return flat::CreateLayoutVote(*builder, vote.version, vote.ballot.round, &proposer, vote.accepts,
                                vote.granted, vote.seen.round, &seen_proposer, value);
}

template <class Table>
flat::PeerBody BodyType(Offset<Table>) {
  return flat::PeerBodyTraits<Table>::enum_value;
}

// ---- Back, from a verified table

Result<PeerMessage> FromBody(uint64_t op, const flat::ReadRequest& flat) {
  const std::string_view key = FromBytes(flat.key());
  if (!IsRecordKey(key)) return Malformed("read request");
  ReadRequest request{.op = op,
                      .key = std::string(key),
                      .have = std::nullopt,
                      .budget = FromMicroseconds(flat.budget_us()),
                      .as_owner = flat.as_owner()};
  if (flat.have() != nullptr) request.have = FromDigest(flat.have());
  return request;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::ReadReply& flat) {
  ReadReply reply{.op = op,
                  .error = std::nullopt,
                  .same = flat.same(),
                  .record = std::string(FromBytes(flat.record()))};
  if (Status status = FromError(flat.error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  return reply;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::WriteRequest& flat) {
  const std::string_view key = FromBytes(flat.key());
  if (!IsRecordKey(key) || flat.durability() < flat::Durability::MIN) {
    return Malformed("write request");
  }
  if (flat.durability() > flat::Durability::MAX) {
    return Fail(Code::kUnsupported, "a write request with a durability of a newer version");
  }
  return WriteRequest{.op = op,
                      .key = std::string(key),
                      .record = std::string(FromBytes(flat.record())),
                      .durability = static_cast<uint8_t>(flat.durability()),
                      .budget = FromMicroseconds(flat.budget_us()),
                      .hint_for = FromId<NodeId>(flat.hint_for())};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::WriteReply& flat) {
  WriteReply reply{.op = op, .error = std::nullopt};
  if (Status status = FromError(flat.error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  return reply;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::ForwardRequest& flat) {
  auto request = FromClientRequest(flat.request());
  if (!request) return std::unexpected(request.error());
  return ForwardRequest{.op = op, .request = std::move(*request)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::ForwardReply& flat, size_t payload_bytes) {
  auto reply = FromClientReply(flat.reply(), payload_bytes);
  if (!reply) return std::unexpected(reply.error());
  return ForwardReply{.op = op, .reply = std::move(*reply)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::LeaseAnnouncement& flat) {
  if (flat.actor() == nullptr || flat.begin() > flat.end()) return Malformed("lease");
  return LeaseAnnouncement{.op = op,
                           .actor = FromId<ActorId>(flat.actor()),
                           .begin = flat.begin(),
                           .end = flat.end(),
                           .boot = flat.boot()};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::LeaseAnswer& flat) {
  return LeaseAnswer{.op = op, .granted = flat.granted()};
}

Result<PeerMessage> FromBody(uint64_t op, const flat::TreeRequest& flat) {
  TreeRequest request{.op = op,
                      .partition = flat.partition(),
                      .n = flat.n(),
                      .inner = std::nullopt,
                      .hash = FromDigest(flat.hash())};
  if (flat.inner()) request.inner = *flat.inner();
  if (request.inner && *request.inner >= kTreeFan) return Malformed("tree request");
  return request;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::TreeReply& flat) {
  TreeReply reply{.op = op, .known = flat.known(), .same = flat.same(), .hashes = {}};
  const size_t count = flat.hashes() == nullptr ? 0 : flat.hashes()->size();
  if (count != 0 && count != kTreeFan) return Malformed("tree reply");
  for (size_t i = 0; i < count; ++i) {
    reply.hashes.push_back(FromDigest(flat.hashes()->Get(static_cast<uint32_t>(i))));
  }
  return reply;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::SegmentRequest& flat) {
  const std::string_view from = FromBytes(flat.from());
  if (from.size() > kRecordKeyBytesMax) return Malformed("segment request");
  return SegmentRequest{.op = op,
                        .partition = flat.partition(),
                        .n = flat.n(),
                        .first_leaf = flat.first_leaf(),
                        .last_leaf = flat.last_leaf(),
                        .from = std::string(from)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::SegmentReply& flat) {
  SegmentReply reply{
      .op = op, .error = std::nullopt, .rows = {}, .next = std::string(FromBytes(flat.next()))};
  if (Status status = FromError(flat.error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  const size_t count = flat.rows() == nullptr ? 0 : flat.rows()->size();
  if (count > kSegmentRowsMax || reply.next.size() > kRecordKeyBytesMax) {
    return Malformed("segment reply");
  }
  for (size_t i = 0; i < count; ++i) {
    const flat::SegmentRow& row = *flat.rows()->Get(static_cast<uint32_t>(i));
    const std::string_view key = FromBytes(row.key());
    if (!IsRecordKey(key)) return Malformed("segment reply");
    reply.rows.push_back(
        {.key = std::string(key), .digest = FromDigest(row.digest()), .bytes = row.bytes()});
  }
  return reply;
}

Result<PeerMessage> FromBody(uint64_t op, const flat::JoinRequest& flat) {
  JoinRequest request{
      .op = op, .member = {}, .replaces = FromText(flat.replaces()), .waits = flat.waits()};
  ByteReader reader(FromBytes(flat.member()));
  if (!ring::ReadMember(&reader, &request.member) || !reader.AtEnd() ||
      request.replaces.size() > ring::kMemberNameBytesMax) {
    return Malformed("join request");
  }
  return request;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::JoinReply& flat) {
  JoinReply reply{.op = op, .error = std::nullopt};
  if (Status status = FromError(flat.error(), &reply.error); !status) {
    return std::unexpected(status.error());
  }
  return reply;
}
Result<PeerMessage> FromBody(uint64_t op, const flat::LayoutNews& flat) {
  const std::string_view history = FromBytes(flat.history());
  const std::string_view stage = FromBytes(flat.stage());
  if (history.empty() || history.size() > kHistoryBytesMax || stage.size() > kStageBytesMax) {
    return Malformed("layout news");
  }
  return LayoutNews{.op = op, .history = std::string(history), .stage = std::string(stage)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::GossipPacket& flat) {
  const std::string_view packet = FromBytes(flat.packet());
  if (packet.empty() || packet.size() > kGossipPacketBytesMax) return Malformed("gossip packet");
  return GossipPacket{.op = op, .bytes = std::string(packet)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::GossipState& flat) {
  const std::string_view state = FromBytes(flat.state());
  if (state.empty() || state.size() > kGossipStateBytesMax) return Malformed("gossip state");
  return GossipState{.op = op, .answers = flat.answers(), .bytes = std::string(state)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::QuietRequest& flat) {
  return QuietRequest{.op = op, .version = flat.version(), .fence = flat.fence()};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::QuietReply& flat) {
  return QuietReply{.op = op, .quiet = flat.quiet(), .epoch = flat.epoch()};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::FencePassed& flat) {
  if (flat.asker() == nullptr) return Malformed("fence");
  return FencePassed{.op = op, .asker = FromId<NodeId>(flat.asker())};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::ReapRequest& flat) {
  const std::string_view key = FromBytes(flat.key());
  const std::string_view tombstone = FromBytes(flat.tombstone());
  if (!IsRecordKey(key) || tombstone.empty()) return Malformed("reap request");
  return ReapRequest{.op = op, .key = std::string(key), .tombstone = std::string(tombstone)};
}
Ballot FromBallot(uint64_t round, const flat::Id* proposer) {
  return Ballot{.round = round, .proposer = FromId<NodeId>(proposer)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::LayoutBallot& flat) {
  const std::string_view value = FromBytes(flat.value());
  if (flat.round() == 0 || value.size() > kHistoryBytesMax) return Malformed("layout ballot");
  return LayoutBallot{.op = op,
                      .version = flat.version(),
                      .ballot = FromBallot(flat.round(), flat.proposer()),
                      .value = std::string(value)};
}
Result<PeerMessage> FromBody(uint64_t op, const flat::LayoutVote& flat) {
  const std::string_view value = FromBytes(flat.value());
  if (flat.round() == 0 || value.size() > kHistoryBytesMax) return Malformed("layout vote");
  return LayoutVote{.op = op,
                    .version = flat.version(),
                    .ballot = FromBallot(flat.round(), flat.proposer()),
                    .accepts = flat.accepts(),
                    .granted = flat.granted(),
                    .seen = FromBallot(flat.seen_round(), flat.seen_proposer()),
                    .value = std::string(value)};
}

}  // namespace

Status Encoder::AppendPeerMessage(const PeerMessage& message, std::string* out) {
  return std::visit(
      [&]<class Body>(const Body& body) -> Status {
        if (Status status = CheckBody(body); !status) return status;
        const auto flat = ToBody(builder_.get(), body);
        const auto root = flat::CreatePeerMessage(*builder_, body.op, BodyType(flat), flat.Union());
        Finish(FrameKind::kPeerMessage, root.o, out);
        return {};
      },
      message);
}

Result<PeerMessage> DecodePeerMessage(std::string_view payload) {
  const auto root = Root<flat::PeerMessage>(payload, "message");
  if (!root) return std::unexpected(root.error());
  const flat::PeerMessage& message = **root;
  const uint64_t op = message.op();
  if (message.body_type() > flat::PeerBody::MAX) {
    return Fail(Code::kUnsupported, "a message of a newer version");
  }
  if (message.body() == nullptr) return Malformed("message");
  switch (message.body_type()) {
    case flat::PeerBody::ReadRequest:
      return FromBody(op, *message.body_as_ReadRequest());
    case flat::PeerBody::ReadReply:
      return FromBody(op, *message.body_as_ReadReply());
    case flat::PeerBody::WriteRequest:
      return FromBody(op, *message.body_as_WriteRequest());
    case flat::PeerBody::WriteReply:
      return FromBody(op, *message.body_as_WriteReply());
    case flat::PeerBody::ForwardRequest:
      return FromBody(op, *message.body_as_ForwardRequest());
    case flat::PeerBody::ForwardReply:
      return FromBody(op, *message.body_as_ForwardReply(), payload.size());
    case flat::PeerBody::LeaseAnnouncement:
      return FromBody(op, *message.body_as_LeaseAnnouncement());
    case flat::PeerBody::LeaseAnswer:
      return FromBody(op, *message.body_as_LeaseAnswer());
    case flat::PeerBody::TreeRequest:
      return FromBody(op, *message.body_as_TreeRequest());
    case flat::PeerBody::TreeReply:
      return FromBody(op, *message.body_as_TreeReply());
    case flat::PeerBody::SegmentRequest:
      return FromBody(op, *message.body_as_SegmentRequest());
    case flat::PeerBody::SegmentReply:
      return FromBody(op, *message.body_as_SegmentReply());
    case flat::PeerBody::JoinRequest:
      return FromBody(op, *message.body_as_JoinRequest());
    case flat::PeerBody::JoinReply:
      return FromBody(op, *message.body_as_JoinReply());
    case flat::PeerBody::LayoutNews:
      return FromBody(op, *message.body_as_LayoutNews());
    case flat::PeerBody::LayoutBallot:
      return FromBody(op, *message.body_as_LayoutBallot());
    case flat::PeerBody::LayoutVote:
      return FromBody(op, *message.body_as_LayoutVote());
    case flat::PeerBody::GossipPacket:
      return FromBody(op, *message.body_as_GossipPacket());
    case flat::PeerBody::GossipState:
      return FromBody(op, *message.body_as_GossipState());
    case flat::PeerBody::QuietRequest:
      return FromBody(op, *message.body_as_QuietRequest());
    case flat::PeerBody::QuietReply:
      return FromBody(op, *message.body_as_QuietReply());
    case flat::PeerBody::FencePassed:
      return FromBody(op, *message.body_as_FencePassed());
    case flat::PeerBody::ReapRequest:
      return FromBody(op, *message.body_as_ReapRequest());
    case flat::PeerBody::NONE:
      break;
  }
  return Malformed("message");
}

}  // namespace eddy::wire
