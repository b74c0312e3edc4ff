#include "sim/trace.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <variant>

#include "base/hash.h"
#include "ring/layout_history.h"
#include "sim/value.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "wire/context_token.h"

namespace eddy::sim {

namespace {

// What `words` and `bytes` add to a hash that has come so far.
template <size_t N>
uint64_t Chain(uint64_t hash, const std::array<uint64_t, N>& words, std::string_view bytes = {}) {
  std::array<char, N * sizeof(uint64_t)> raw;
  std::memcpy(raw.data(), words.data(), raw.size());
  hash = Hash64(std::string_view(raw.data(), raw.size()), hash);
  return bytes.empty() ? hash : Hash64(bytes, hash);
}

uint64_t CodeOf(const std::optional<Error>& error) {
  return error ? static_cast<uint64_t>(error->code) : 0;
}

std::string DescribeKey(std::string_view encoded) {
  const auto key = storage::DecodeKey(encoded);
  return key ? fmt::format("{}/{}", key->bucket, key->key) : std::string("(no key)");
}

std::string DescribeError(const std::optional<Error>& error) {
  return error ? fmt::format(" {}: {}", CodeName(error->code), error->text) : std::string();
}

// A value of the workload is known by its operation, one of a scenario by itself.
std::string DescribeValue(std::string_view value) {
  constexpr size_t kShown = 40;
  const auto is_shown = [](char c) { return c > ' ' && c < 0x7f; };
  if (value.size() <= kShown && std::ranges::all_of(value, is_shown)) return std::string(value);
  const auto operation = OperationOfValue(value);
  return operation ? fmt::format("v{}", *operation) : fmt::format("{} bytes", value.size());
}

std::string DescribeHistory(std::string_view encoded) {
  const auto history = ring::LayoutHistory::Decode(encoded);
  return history ? Describe(*history) : std::string("layouts (malformed)");
}

}  // namespace

void Trace::Mix(VirtualTime at, const Event& event) {
  const uint64_t what = static_cast<uint64_t>(event.kind) << 16 |
                        static_cast<uint64_t>(event.node.value) << 8 | event.peer.value;
  hash_ =
      Chain<3>(hash_, {static_cast<uint64_t>(at.time_since_epoch().count()), what, event.argument});
}

void Trace::Mix(uint64_t word) { hash_ = Chain<1>(hash_, {word}); }

void Trace::Mix(const wire::PeerMessage& message) {
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        const uint64_t kind = message.index();
        if constexpr (std::is_same_v<Body, wire::ReadRequest>) {
          const Digest have = body.have.value_or(Digest{});
          hash_ = Chain<4>(hash_, {kind, body.op, have.high, have.low}, body.key);
        } else if constexpr (std::is_same_v<Body, wire::ReadReply>) {
          hash_ = Chain<4>(hash_, {kind, body.op, CodeOf(body.error), body.same}, body.record);
        } else if constexpr (std::is_same_v<Body, wire::WriteRequest>) {
          hash_ = Chain<2>(Hash64(body.key, hash_), {kind, body.op}, body.record);
        } else if constexpr (std::is_same_v<Body, wire::WriteReply>) {
          hash_ = Chain<3>(hash_, {kind, body.op, CodeOf(body.error)});
        } else if constexpr (std::is_same_v<Body, wire::ForwardRequest>) {
          hash_ = Chain<3>(hash_, {kind, body.op, body.request.id.sequence}, body.request.key);
        } else if constexpr (std::is_same_v<Body, wire::ForwardReply>) {
          hash_ = Chain<2>(hash_, {kind, body.op});
          Mix(body.reply);
        } else if constexpr (std::is_same_v<Body, wire::LeaseAnnouncement>) {
          hash_ = Chain<4>(hash_, {kind, body.op, body.begin, body.end});
        } else if constexpr (std::is_same_v<Body, wire::TreeRequest>) {
          hash_ = Chain<4>(hash_, {kind, body.op, body.partition, body.hash.low});
        } else if constexpr (std::is_same_v<Body, wire::TreeReply>) {
          hash_ = Chain<4>(hash_, {kind, body.op, body.same, body.hashes.size()});
        } else if constexpr (std::is_same_v<Body, wire::SegmentRequest>) {
          hash_ = Chain<5>(hash_, {kind, body.op, body.partition, body.first_leaf, body.last_leaf},
                           body.from);
        } else if constexpr (std::is_same_v<Body, wire::SegmentReply>) {
          hash_ = Chain<4>(hash_, {kind, body.op, CodeOf(body.error), body.rows.size()}, body.next);
        } else if constexpr (std::is_same_v<Body, wire::JoinRequest>) {
          hash_ = Chain<3>(hash_, {kind, body.op, body.member.id.low * 2 + (body.waits ? 1 : 0)},
                           body.replaces);
        } else if constexpr (std::is_same_v<Body, wire::JoinReply>) {
          hash_ = Chain<3>(hash_, {kind, body.op, CodeOf(body.error)});
        } else if constexpr (std::is_same_v<Body, wire::LayoutNews>) {
          hash_ = Chain<2>(hash_, {kind, body.op}, body.history + body.stage);
        } else if constexpr (std::is_same_v<Body, wire::LayoutBallot>) {
          hash_ = Chain<4>(hash_, {kind, body.version, body.ballot.round, body.ballot.proposer.low},
                           body.value);
        } else if constexpr (std::is_same_v<Body, wire::LayoutVote>) {
          hash_ = Chain<5>(hash_,
                           {kind, body.version, body.ballot.round, body.granted, body.seen.round},
                           body.value);
        } else if constexpr (std::is_same_v<Body, wire::GossipPacket>) {
          hash_ = Chain<1>(hash_, {kind}, body.bytes);
        } else if constexpr (std::is_same_v<Body, wire::GossipState>) {
          hash_ = Chain<2>(hash_, {kind, body.answers}, body.bytes);
        } else if constexpr (std::is_same_v<Body, wire::QuietRequest>) {
          hash_ = Chain<4>(hash_, {kind, body.op, body.version, body.fence});
        } else if constexpr (std::is_same_v<Body, wire::QuietReply>) {
          hash_ = Chain<4>(hash_, {kind, body.op, body.quiet, body.epoch});
        } else if constexpr (std::is_same_v<Body, wire::FencePassed>) {
          hash_ = Chain<3>(hash_, {kind, body.op, body.asker.low});
        } else if constexpr (std::is_same_v<Body, wire::ReapRequest>) {
          hash_ = Chain<1>(Hash64(body.key, hash_), {kind}, body.tombstone);
        } else {
          static_assert(std::is_same_v<Body, wire::LeaseAnswer>);
          hash_ = Chain<3>(hash_, {kind, body.op, body.granted});
        }
      },
      message);
}

void Trace::Mix(std::string_view datagram) { hash_ = Hash64(datagram, hash_); }

void Trace::Mix(const wire::ClientReply& reply) {
  hash_ = Chain<4>(hash_,
                   {reply.id.sequence, CodeOf(reply.error), reply.answered, reply.siblings.size()},
                   reply.context);
  for (const wire::ShownSibling& sibling : reply.siblings) {
    hash_ = Chain<2>(hash_, {sibling.dot.counter, sibling.timestamp.value}, sibling.value);
  }
}

void Trace::Line(VirtualTime at, std::string_view text) {
  const int64_t microseconds = at.time_since_epoch().count();
  listener_(
      fmt::format("{:>5}.{:06} {}", microseconds / 1'000'000, microseconds % 1'000'000, text));
}

std::string Describe(const lattice::Dot& dot) {
  return fmt::format("{:04x}:{}", dot.actor.high >> 48, dot.counter);
}

std::string Describe(const lattice::CausalContext& context) {
  std::string text = "{";
  for (const lattice::Interval& interval : context.intervals()) {
    if (text.size() > 1) text += ' ';
    text +=
        fmt::format("{:04x}:({}..{}]", interval.actor.high >> 48, interval.after, interval.last);
  }
  return text + "}";
}

std::string DescribeRecord(std::string_view encoded) {
  if (encoded.empty()) return "nothing";
  const auto record = storage::DecodeRecord(encoded);
  if (!record) return "(malformed)";
  std::string text = Describe(record->context());
  for (const lattice::Sibling& sibling : record->siblings()) {
    text += fmt::format(" {}={}", Describe(sibling.dot), DescribeValue(sibling.value));
  }
  return text;
}

std::string Describe(const ring::LayoutHistory& history) {
  std::string text =
      fmt::format("layouts {}..{}", history.oldest().version(), history.newest().version());
  for (const ring::Member& member : history.newest().members()) {
    const ring::LayoutProgress progress = history.ProgressOf(member.id);
    text += fmt::format(" {}{}:{}/{}/{}", member.name, member.leaving ? " (leaving)" : "",
                        progress.acked, progress.synced, progress.reading);
  }
  return text;
}

std::string Describe(const wire::PeerMessage& message) {
  return std::visit(
      [](const auto& body) -> std::string {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, wire::ReadRequest>) {
          return fmt::format("read {:x} {}", body.op, DescribeKey(body.key));
        } else if constexpr (std::is_same_v<Body, wire::ReadReply>) {
          return fmt::format("read reply {:x} {}{}", body.op,
                             body.same ? "the same" : DescribeRecord(body.record),
                             DescribeError(body.error));
        } else if constexpr (std::is_same_v<Body, wire::WriteRequest>) {
          return fmt::format("write {:x} {} {}", body.op, DescribeKey(body.key),
                             DescribeRecord(body.record));
        } else if constexpr (std::is_same_v<Body, wire::WriteReply>) {
          return fmt::format("write reply {:x}{}", body.op, DescribeError(body.error));
        } else if constexpr (std::is_same_v<Body, wire::ForwardRequest>) {
          return fmt::format("forward {:x} {}", body.op, Describe(body.request));
        } else if constexpr (std::is_same_v<Body, wire::ForwardReply>) {
          return fmt::format("forward reply {:x} {}", body.op, Describe(body.reply));
        } else if constexpr (std::is_same_v<Body, wire::LeaseAnnouncement>) {
          return fmt::format("lease {:04x}:({}..{}]", body.actor.high >> 48, body.begin, body.end);
        } else if constexpr (std::is_same_v<Body, wire::TreeRequest>) {
          return fmt::format("tree {:x} of partition {} (n={}) below {}", body.op, body.partition,
                             body.n, body.inner ? fmt::format("{}", *body.inner) : "the root");
        } else if constexpr (std::is_same_v<Body, wire::TreeReply>) {
          return fmt::format("tree reply {:x} {}", body.op,
                             body.same    ? "the same"
                             : body.known ? "differs"
                                          : "not known yet");
        } else if constexpr (std::is_same_v<Body, wire::SegmentRequest>) {
          return fmt::format("segment {:x} {}..{} of partition {} (n={})", body.op, body.first_leaf,
                             body.last_leaf, body.partition, body.n);
        } else if constexpr (std::is_same_v<Body, wire::SegmentReply>) {
          return fmt::format("segment reply {:x} {} rows{}{}", body.op, body.rows.size(),
                             body.next.empty() ? "" : " and more", DescribeError(body.error));
        } else if constexpr (std::is_same_v<Body, wire::JoinRequest>) {
          return fmt::format("join request of {}{}", body.member.name,
                             body.replaces.empty() ? "" : " in place of " + body.replaces);
        } else if constexpr (std::is_same_v<Body, wire::JoinReply>) {
          return "join reply" + DescribeError(body.error);
        } else if constexpr (std::is_same_v<Body, wire::LayoutNews>) {
          return DescribeHistory(body.history);
        } else if constexpr (std::is_same_v<Body, wire::LayoutBallot>) {
          return fmt::format("ballot {} of layout {}{}", body.ballot.round, body.version,
                             body.value.empty() ? "" : " with a value");
        } else if constexpr (std::is_same_v<Body, wire::LayoutVote>) {
          return fmt::format("vote on ballot {} of layout {}: {}", body.ballot.round, body.version,
                             body.granted ? "yes" : "no");
        } else if constexpr (std::is_same_v<Body, wire::GossipPacket>) {
          return fmt::format("gossip, {} bytes", body.bytes.size());
        } else if constexpr (std::is_same_v<Body, wire::QuietRequest>) {
          return fmt::format("{} {} by layout {}", body.fence ? "fence" : "are you quiet?", body.op,
                             body.version);
        } else if constexpr (std::is_same_v<Body, wire::QuietReply>) {
          return fmt::format("{} {}", body.quiet ? "quiet" : "not quiet", body.op);
        } else if constexpr (std::is_same_v<Body, wire::FencePassed>) {
          return fmt::format("fence {} of n{} passed", body.op, body.asker.low - 1);
        } else if constexpr (std::is_same_v<Body, wire::ReapRequest>) {
          return fmt::format("reap {} {}", DescribeKey(body.key), DescribeRecord(body.tombstone));
        } else if constexpr (std::is_same_v<Body, wire::GossipState>) {
          return fmt::format("gossip state{}, {} bytes", body.answers ? " in answer" : "",
                             body.bytes.size());
        } else {
          return body.granted ? "lease granted" : "lease refused";
        }
      },
      message);
}

std::string Describe(const wire::ClientRequest& request) {
  std::string text;
  std::string_view token;
  if (const auto* put = std::get_if<wire::PutAction>(&request.action)) {
    text = fmt::format("put {}/{} {}", request.bucket, request.key, DescribeValue(put->value));
    token = put->context;
  } else if (const auto* remove = std::get_if<wire::DeleteAction>(&request.action)) {
    text = fmt::format("delete {}/{}", request.bucket, request.key);
    token = remove->context;
  } else if (const auto* restore = std::get_if<wire::RestoreAction>(&request.action)) {
    text = fmt::format("restore {}/{} {}", request.bucket, request.key,
                       DescribeRecord(restore->record));
  } else {
    text = fmt::format("get {}/{}", request.bucket, request.key);
  }
  if (!token.empty()) {
    const auto seen = wire::DecodeContextToken(token, request.bucket, request.key);
    text += " seen " + (seen ? Describe(*seen) : std::string("(a damaged token)"));
  }
  if (request.quorum.n) text += fmt::format(" n={}", *request.quorum.n);
  if (request.quorum.r) text += fmt::format(" r={}", *request.quorum.r);
  if (request.quorum.w) text += fmt::format(" w={}", *request.quorum.w);
  return text;
}

std::string Describe(const wire::ClientReply& reply) {
  if (reply.error) {
    return fmt::format("{} ({} of {}): {}", CodeName(reply.error->code), reply.answered,
                       reply.needed, reply.error->text);
  }
  std::string text = fmt::format("done ({} of {})", reply.answered, reply.needed);
  for (const wire::ShownSibling& sibling : reply.siblings) {
    text += fmt::format(" {}={}", Describe(sibling.dot), DescribeValue(sibling.value));
  }
  return text;
}

}  // namespace eddy::sim
