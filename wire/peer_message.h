// What nodes say to each other, as plain values. `op` is the sender's name for an operation and
// comes back in the reply; a reply to an op that is no more is late, not wrong. Records travel
// encoded (storage/record_codec.h) and keys as record keys (storage/key.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"
#include "ring/member.h"
#include "wire/client_message.h"

namespace eddy::wire {

struct ReadRequest {
  uint64_t op = 0;
  std::string key;
  // What the coordinator holds already: a replica with the same record answers "same" without
  // sending it.
  std::optional<Digest> have;
  Duration budget{};  // time left before the answer is of no use
  // Only what the receiver holds as an owner, not what it keeps for others.
  bool as_owner = false;

  friend bool operator==(const ReadRequest&, const ReadRequest&) = default;
};

struct ReadReply {
  uint64_t op = 0;
  std::optional<Error> error;
  bool same = false;
  std::string record;  // empty: absent (or same)

  friend bool operator==(const ReadReply&, const ReadReply&) = default;
};

// Join this record, and say when it is durable.
struct WriteRequest {
  uint64_t op = 0;  // 0: a repair that wants no reply
  std::string key;
  std::string record;
  uint8_t durability = 1;  // storage::Durability
  Duration budget{};
  // Not none: keep the record for this node, which cannot be reached, and bring it there later
  // (Dynamo, section 4.6).
  NodeId hint_for;

  friend bool operator==(const WriteRequest&, const WriteRequest&) = default;
};

struct WriteReply {
  uint64_t op = 0;
  std::optional<Error> error;

  friend bool operator==(const WriteReply&, const WriteReply&) = default;
};

// A request that reached a node which is no replica of its key; the receiver coordinates it and
// never forwards again.
struct ForwardRequest {
  uint64_t op = 0;
  ClientRequest request;

  friend bool operator==(const ForwardRequest&, const ForwardRequest&) = default;
};

struct ForwardReply {
  uint64_t op = 0;
  ClientReply reply;

  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};

// "I have leased the counters (begin, end] of this actor": the receiver keeps it durably, and so
// can tell later when a copy or an old backup of the sender's directory claims counters that were
// given out before (node/actor_lease.h).
struct LeaseAnnouncement {
  uint64_t op = 0;
  ActorId actor;
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t boot = 0;

  friend bool operator==(const LeaseAnnouncement&, const LeaseAnnouncement&) = default;
};

struct LeaseAnswer {
  uint64_t op = 0;
  // False: somebody else leased from `begin` on; the actor must not be used any more.
  bool granted = false;

  friend bool operator==(const LeaseAnswer&, const LeaseAnswer&) = default;
};

// "My hash of this node of the tree (storage/hash_tree.h) of a partition, for keys with n replicas,
// is so": the root's, or that of inner node `inner`.
struct TreeRequest {
  uint64_t op = 0;
  uint32_t partition = 0;
  uint8_t n = 0;
  std::optional<uint8_t> inner;
  Digest hash;

  friend bool operator==(const TreeRequest&, const TreeRequest&) = default;
};

struct TreeReply {
  uint64_t op = 0;
  bool known = false;  // the receiver has this tree
  bool same = false;
  std::vector<Digest> hashes;  // if not the same: of the nodes below, kTreeFan of them

  friend bool operator==(const TreeReply&, const TreeReply&) = default;
};
inline constexpr size_t kTreeFan = 32;

// "Which records do you hold in these leaves, both included, from this key on?"
struct SegmentRequest {
  uint64_t op = 0;
  uint32_t partition = 0;
  uint8_t n = 0;
  uint16_t first_leaf = 0;
  uint16_t last_leaf = 0;
  std::string from;  // a record key; empty: from the first leaf's beginning

  friend bool operator==(const SegmentRequest&, const SegmentRequest&) = default;
};

struct SegmentRow {
  std::string key;
  Digest digest;       // of the record
  uint32_t bytes = 0;  // likewise

  friend bool operator==(const SegmentRow&, const SegmentRow&) = default;
};
inline constexpr size_t kSegmentRowsMax = 1024;

struct SegmentReply {
  uint64_t op = 0;
  std::optional<Error> error;
  std::vector<SegmentRow> rows;  // in key order
  std::string next;              // where the next page begins; empty: that was all

  friend bool operator==(const SegmentReply&, const SegmentReply&) = default;
};

// "I want to be a member": from a node that is none, to any node (Dynamo, section 4.8.1). What
// comes of it is the news of a layout with it, or a refusal.
struct JoinRequest {
  uint64_t op = 0;
  ring::Member member;
  std::string replaces;  // a member's name, which is lost for ever; empty: none
  bool waits = false;    // not to be let in before somebody orders it

  friend bool operator==(const JoinRequest&, const JoinRequest&) = default;
};

struct JoinReply {
  uint64_t op = 0;
  std::optional<Error> error;  // none: the sender is a member that works on it

  friend bool operator==(const JoinReply&, const JoinReply&) = default;
};

// What the sender knows of the layouts (ring/layout_history.h), and of changes that are staged
// (node/layout_stage.h).
struct LayoutNews {
  uint64_t op = 0;
  std::string history;
  std::string stage;  // empty: nothing was ever staged

  friend bool operator==(const LayoutNews&, const LayoutNews&) = default;
};
inline constexpr size_t kHistoryBytesMax = size_t{4} << 20;
inline constexpr size_t kStageBytesMax = size_t{1} << 20;

// Which of two proposals of one version goes before: the greater one.
struct Ballot {
  uint64_t round = 0;  // 0: none
  NodeId proposer;

  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};

// A question to the members of layout version - 1 (Lamport, Paxos Made Simple): without a value
// "promise to heed no lesser ballot, and tell what you have accepted", with one "accept this".
struct LayoutBallot {
  uint64_t op = 0;
  uint64_t version = 0;
  Ballot ballot;
  std::string value;

  friend bool operator==(const LayoutBallot&, const LayoutBallot&) = default;
};

struct LayoutVote {
  uint64_t op = 0;
  uint64_t version = 0;
  Ballot ballot;         // that it answers
  bool accepts = false;  // it answers the one with a value
  bool granted = false;
  // Granted: the ballot and value accepted before, if any. Not granted: the ballot promised.
  Ballot seen;
  std::string value;

  friend bool operator==(const LayoutVote&, const LayoutVote&) = default;
};

// What gossip (gossip/swim.h) sends over the connection: a packet that should have gone by
// datagram; and a whole state, or the answer to one.
struct GossipPacket {
  uint64_t op = 0;
  std::string bytes;

  friend bool operator==(const GossipPacket&, const GossipPacket&) = default;
};
inline constexpr size_t kGossipPacketBytesMax = 1400;

struct GossipState {
  uint64_t op = 0;
  bool answers = false;
  std::string bytes;

  friend bool operator==(const GossipState&, const GossipState&) = default;
};
inline constexpr size_t kGossipStateBytesMax = size_t{2} << 20;

// "Do you go by this layout alone, and keep nothing that is for others?" With `fence`: answer when
// all that was under way has ended here and has arrived everywhere (node/fences.h). `op` grows with
// every question of the sender's.
struct QuietRequest {
  uint64_t op = 0;
  uint64_t version = 0;
  bool fence = false;

  friend bool operator==(const QuietRequest&, const QuietRequest&) = default;
};

struct QuietReply {
  uint64_t op = 0;
  bool quiet = false;
  uint64_t epoch = 0;  // another one if it was not quiet meanwhile

  friend bool operator==(const QuietReply&, const QuietReply&) = default;
};

// "What I had under way when `asker` asked for the fence `op` has ended."
struct FencePassed {
  uint64_t op = 0;
  NodeId asker;

  friend bool operator==(const FencePassed&, const FencePassed&) = default;
};

// "Forget this tombstone, if you hold just that": nobody needs it any more. There is no reply.
struct ReapRequest {
  uint64_t op = 0;
  std::string key;
  std::string tombstone;  // a record

  friend bool operator==(const ReapRequest&, const ReapRequest&) = default;
};

using PeerMessage =
    std::variant<ReadRequest, ReadReply, WriteRequest, WriteReply, ForwardRequest, ForwardReply,
                 LeaseAnnouncement, LeaseAnswer, TreeRequest, TreeReply, SegmentRequest,
                 SegmentReply, JoinRequest, JoinReply, LayoutNews, LayoutBallot, LayoutVote,
                 GossipPacket, GossipState, QuietRequest, QuietReply, FencePassed, ReapRequest>;

}  // namespace eddy::wire
