#include "node/core.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "base/limits.h"
#include "ring/planner.h"
#include "ring/token.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "wire/context_token.h"

namespace eddy::node {

namespace {

bool IsDurability(uint8_t value) {
  return value >= static_cast<uint8_t>(storage::Durability::kSync) &&
         value <= static_cast<uint8_t>(storage::Durability::kMemory);
}

// What a node goes by that knows no cluster: itself.
ring::Layout Alone(ring::Member self, unsigned partition_bits) {
  self.weight = std::max(self.weight, 1u);
  auto plan = ring::PlanLayout({.members = {std::move(self)}, .partition_bits = partition_bits});
  CHECK(plan.has_value());
  return std::move(plan->layout);
}

}  // namespace

Node::Core::Core(NodeOptions options, BucketTable bucket_table, ring::Member self,
                 storage::Identity identity, Random random)
    : peers(identity.node),
      membership(options.membership, self, identity.layouts, identity.votes, random.Fork()),
      gossiper(options.membership, self, random.Fork()),
      topology(Alone(std::move(self), options.membership.partition_bits), &peers),
      budget(options.background),
      lease(identity.lease, identity.history),
      buckets(std::move(bucket_table)),
      background(options, topology, buckets, static_cast<uint32_t>(random.Next()),
                 identity.damaged),
      options_(std::move(options)),
      random_(random),
      operations_(options_.operations_max, static_cast<uint32_t>(random_.Next())),
      recent_(options_.recent_requests_max),
      announcement_(random_.Next()),
      witnessed_(std::move(identity.witnessed)) {
  for (const auto& [owner, usage] : identity.hints) hints.Note(owner);
  if (membership.history() != nullptr) {
    OpContext context = Context(Now{});
    Relay(context);
  }
}

template <class Op>
void Node::Core::Settle(uint64_t id, Op& op, bool ended) {
  if constexpr (std::is_same_v<Op, PutOp>) RememberOutcome(op);
  if (ended) operations_.Erase(id);
}

template <class Op, class Run>
void Node::Core::With(uint64_t id, Run run) {
  Operation* operation = operations_.Find(id);
  Op* op = operation == nullptr ? nullptr : std::get_if<Op>(operation);
  if (op == nullptr) {
    counters.Add(Count::kLateReplies);
    return;
  }
  Settle(id, *op, run(*op));
}

// --- Requests
// -------------------------------------------------------------------------------------------------

void Node::Core::Coordinate(Now now, const Origin& origin, wire::ClientRequest&& request) {
  OpContext context = Context(now);
  const auto refuse = [&](Error error) { AnswerError(context, origin, std::move(error), 0, 0); };
  if (std::string_view reason; !Ready(&reason)) {
    return refuse({Code::kUnavailable, fmt::format("nothing done: this node is starting ({}); try "
                                                   "again in a moment, or another node",
                                                   reason)});
  }
  if (auto ok = CheckKey(request.bucket, request.key); !ok) return refuse(ok.error());
  const ring::Token token = ring::TokenOf(request.bucket, request.key);
  const BucketProperties& bucket = buckets.Find(request.bucket);
  const auto placed = topology.Place(token, bucket, request.quorum);
  if (!placed) return refuse(placed.error());
  if (operations_.full()) {
    counters.Add(Count::kRefusedBusy);
    return refuse({Code::kBusy, fmt::format("nothing done: {} operations are in flight on this "
                                            "node; slow down, or try another node",
                                            operations_.size())});
  }
  const Duration wait = request.deadline == Duration{}
                            ? options_.deadline_default
                            : std::min(request.deadline, options_.deadline_max);
  const MonotonicTime deadline = now.monotonic + wait;
  const uint64_t op = operations_.NextId();
  const Placement& placement = placed->placement;
  const auto forward = [&] {
    auto& made =
        Make<ForwardOp>(op, origin, std::move(request), deadline, placement, placed->quorum.sloppy);
    Settle(op, made, made.Begin(context));
  };
  if (placement.PlaceOf(kSelf) >= placement.readers) {
    const bool may_stand_in = placed->quorum.sloppy && placement.IsStandIn(kSelf);
    const bool alone = std::ranges::none_of(placement.replicas,
                                            [&](PeerIndex peer) { return peers.Reachable(peer); });
    if (origin.forwarder && !may_stand_in) {
      return refuse({Code::kUnavailable, "nothing done: not a replica of this key"});
    }
    if (!origin.forwarder && !(may_stand_in && alone)) return forward();
  }
  // Another owner has not lost what it would have to join this with, or has room for it.
  const bool needs_room = std::holds_alternative<wire::PutAction>(request.action) ||
                          std::holds_alternative<wire::RestoreAction>(request.action);
  const bool rather_another = background.mender().Holds(token.value) || (no_room && needs_room);
  if (rather_another && !origin.forwarder &&
      std::ranges::any_of(placement.replicas,
                          [&](PeerIndex peer) { return peer != kSelf && peers.Reachable(peer); })) {
    return forward();
  }
  Coordination coordination{
      .op = op,
      .origin = origin,
      .bucket = std::move(request.bucket),
      .client_key = std::move(request.key),
      .key = {},
      .quorum = placed->quorum,
      .conflict = bucket.conflict,
      .durability = bucket.durability.value_or(options_.durability),
      .deadline = deadline,
      .placement = placed->placement,
      .epoch = topology.epoch(),
  };
  coordination.key =
      storage::EncodeKey({token.value, coordination.bucket, coordination.client_key});
  if (const auto* get = std::get_if<wire::GetAction>(&request.action)) {
    auto& made = Make<GetOp>(std::move(coordination), get->all_siblings);
    return Settle(op, made, made.Begin(context));
  }
  CoordinateWrite(context, bucket, std::move(coordination), std::move(request));
}

void Node::Core::CoordinateWrite(OpContext& context, const BucketProperties& bucket,
                                 Coordination&& coordination, wire::ClientRequest&& request) {
  if (RecogniseRetry(context, coordination)) return;
  if (auto* put = std::get_if<wire::PutAction>(&request.action)) {
    BeginPut(context, bucket, std::move(coordination), std::move(*put));
  } else if (auto* restore = std::get_if<wire::RestoreAction>(&request.action)) {
    BeginRestore(context, std::move(coordination), std::move(*restore));
  } else {
    BeginDelete(context, std::move(coordination), std::get<wire::DeleteAction>(request.action));
  }
}

bool Node::Core::RecogniseRetry(OpContext& context, const Coordination& coordination) {
  RecentWrite* recent = recent_.Find(coordination.origin.request);
  if (recent == nullptr) return false;
  counters.Add(Count::kRetriesRecognised);
  switch (recent->state) {
    case RecentWrite::State::kUnderWay:
      std::get<PutOp>(*operations_.Find(recent->op)).AddOrigin(coordination.origin);
      break;
    case RecentWrite::State::kDone:
      Answer(context, coordination.origin,
             wire::ClientReply{.needed = recent->needed,
                               .answered = recent->answered,
                               .primaries = recent->primaries,
                               .context = recent->context});
      break;
    case RecentWrite::State::kUnknown: {
      const lattice::Dot dot = recent->dot;
      if (dot.counter == 0) {
        // Deleting again is deleting once: it takes no dot, so the retry may be a new operation.
        recent_.Forget(coordination.origin.request);
        return false;
      }
      recent->state = RecentWrite::State::kUnderWay;
      Operation* before = operations_.Find(recent->op);
      if (before != nullptr && std::get<PutOp>(*before).AwaitsStore()) {
        std::get<PutOp>(*before).Reopen(coordination);
        break;
      }
      recent->op = coordination.op;
      auto& made = Make<PutOp>(coordination);
      Settle(made.id(), made, made.BeginAgain(context, dot));
      break;
    }
  }
  return true;
}

void Node::Core::BeginPut(OpContext& context, const BucketProperties& bucket,
                          Coordination&& coordination, wire::PutAction&& action) {
  const Origin origin = coordination.origin;
  const auto refuse = [&](Error error) { AnswerError(context, origin, std::move(error), 0, 0); };
  if (action.value.size() > options_.value_bytes_max) {
    return refuse(
        {Code::kTooLarge, fmt::format("nothing written: the value has {} bytes, the limit is {} "
                                      "(value_bytes_max)",
                                      action.value.size(), options_.value_bytes_max)});
  }
  std::optional<lattice::CausalContext> seen;
  if (!action.context.empty() || coordination.conflict == Conflict::kSiblings) {
    auto decoded =
        wire::DecodeContextToken(action.context, coordination.bucket, coordination.client_key);
    if (!decoded) return refuse(decoded.error());
    seen = std::move(*decoded);
    if (seen->LastOf(lease.actor()).last > lease.last_minted()) {
      return refuse({Code::kInvalidArgument,
                     "nothing written: the context claims writes that were never made; read the "
                     "key and use the context of that reply"});
    }
  }
  const auto counter = lease.Mint();
  if (!counter) {
    return refuse({Code::kBusy, "nothing written: this node is leasing counters; try again"});
  }
  lattice::Sibling sibling{.dot = {lease.actor(), *counter},
                           .timestamp = clock_.Tick(context.now.wall),
                           .expires_at = action.expires_at,
                           .value = std::move(action.value)};
  if (sibling.expires_at == lattice::Sibling::kNever && bucket.ttl.count() > 0) {
    sibling.expires_at = context.now.wall + bucket.ttl;
  }
  std::string shown;
  if (seen) {
    // What the writer has seen now: what it said, and its own write.
    lattice::CausalContext after = *seen;
    after.Add({lease.actor(), *counter - 1, *counter});
    shown = wire::EncodeContextToken(after, coordination.bucket, coordination.client_key);
  }
  recent_.Begin(origin.request, coordination.op, sibling.dot);
  auto& made = Make<PutOp>(std::move(coordination));
  storage::PutVerb verb{std::move(seen), std::move(sibling), lease.history(), bucket.siblings_max};
  Settle(made.id(), made, made.BeginPut(context, std::move(verb), std::move(shown)));
}

void Node::Core::BeginDelete(OpContext& context, Coordination&& coordination,
                             const wire::DeleteAction& action) {
  storage::DeleteVerb verb;
  if (!action.context.empty()) {
    auto seen =
        wire::DecodeContextToken(action.context, coordination.bucket, coordination.client_key);
    if (!seen) return AnswerError(context, coordination.origin, seen.error(), 0, 0);
    verb.seen = std::move(*seen);
  }
  recent_.Begin(coordination.origin.request, coordination.op, {});
  auto& made = Make<PutOp>(std::move(coordination));
  Settle(made.id(), made, made.BeginDelete(context, std::move(verb)));
}

void Node::Core::BeginRestore(OpContext& context, Coordination&& coordination,
                              wire::RestoreAction&& action) {
  const auto refuse = [&](Error error) {
    AnswerError(context, coordination.origin, std::move(error), 0, 0);
  };
  const auto record = storage::DecodeRecord(action.record);
  if (!record || record->empty()) {
    return refuse({Code::kInvalidArgument, "nothing restored: the record is damaged"});
  }
  if (record->context().LastOf(lease.actor()).last > lease.last_minted()) {
    return refuse(
        {Code::kInvalidArgument,
         "nothing restored: the record holds writes of this node that it has not made yet, so its "
         "data directory is older than the backup; start the node with an empty directory and "
         "--replace its own name, and restore again"});
  }
  recent_.Begin(coordination.origin.request, coordination.op, {});
  auto& made = Make<PutOp>(std::move(coordination));
  Settle(made.id(), made, made.BeginRestore(context, std::move(action.record)));
}

void Node::Core::RememberOutcome(PutOp& op) {
  if (!op.TakeOutcomeNews()) return;
  RecentWrite* recent = recent_.Find(op.request());
  if (recent == nullptr || recent->op != op.id()) return;
  const bool late = recent->state == RecentWrite::State::kUnknown;
  if (recent->state == RecentWrite::State::kDone) return;
  if (late && op.outcome() != PutOp::Outcome::kNotDone) return;
  switch (op.outcome()) {
    case PutOp::Outcome::kOpen:
      break;
    case PutOp::Outcome::kNotDone:
      recent_.Forget(op.request());
      break;
    case PutOp::Outcome::kUnknown:
      recent->state = RecentWrite::State::kUnknown;
      break;
    case PutOp::Outcome::kDone:
      *recent = RecentWrite{RecentWrite::State::kDone,
                            recent->op,
                            recent->dot,
                            op.needed(),
                            op.answered(),
                            op.primaries(),
                            op.shown_context()};
  }
}

// --- Messages
// -------------------------------------------------------------------------------------------------

void Node::Core::Receive(Now now, NodeId from, wire::PeerMessage&& message) {
  const auto peer = peers.Meet(from);
  if (!peer || *peer == kSelf) return counters.Add(Count::kRefusedMalformed);
  OpContext context = Context(now);
  peers.Heard(*peer);
  std::visit(
      [&]<class Body>(Body& body) {
        // Whoever is no member, or does not know that we are one, may speak of that and no more.
        if constexpr (std::is_same_v<Body, wire::JoinRequest> ||
                      std::is_same_v<Body, wire::JoinReply> ||
                      std::is_same_v<Body, wire::LayoutNews>) {
          membership.Receive(context, *peer, body);
          FollowMembership(context);
        } else if constexpr (std::is_same_v<Body, wire::GossipPacket> ||
                             std::is_same_v<Body, wire::GossipState>) {
          gossiper.Receive(context, *peer, body);
        } else if (!membership.IsMember() || !topology.IsMember(*peer)) {
          counters.Add(Count::kRefusedStranger);
        } else {
          Handle(context, *peer, std::move(body));
        }
      },
      message);
}

void Node::Core::ReceivePacket(Now now, const gossip::Address& from, std::string_view packet) {
  OpContext context = Context(now);
  gossiper.Receive(context, from, packet);
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::LayoutBallot& ballot) {
  membership.Receive(context, from, ballot);
  FollowMembership(context);
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::LayoutVote& vote) {
  membership.Receive(context, from, vote);
  FollowMembership(context);
}

// Hints are kept for members alone, so there are no more owners of hints than members.
bool Node::Core::MayBeHintedFor(NodeId owner) const {
  if (owner.IsNone()) return true;
  const auto peer = peers.Find(owner);
  return peer && topology.IsKnown(*peer);
}

// For whom a read of this replica must look into the hints as well.
std::vector<NodeId> Node::Core::HintOwnersOf(const OpContext& context,
                                             const storage::RecordKey& key) const {
  if (hints.empty()) return {};
  const auto placed = topology.Place(ring::Token{key.token}, buckets.Find(key.bucket), {});
  return placed ? context.HintOwners(placed->placement) : std::vector<NodeId>();
}

void Node::Core::Handle(OpContext& context, PeerIndex from, wire::ReadRequest request) {
  const auto key = storage::DecodeKey(request.key);
  if (!key) {
    counters.Add(Count::kRefusedMalformed);
  } else if (request.budget <= Duration{}) {
    counters.Add(Count::kDroppedTooLate);
  } else if (operations_.full()) {
    counters.Add(Count::kRefusedBusy);
    context.Send(from, wire::ReadReply{.op = request.op,
                                       .error = Error{Code::kBusy, "too many operations"},
                                       .same = false,
                                       .record = {}});
  } else {
    const uint64_t op = operations_.NextId();
    std::vector<NodeId> hint_owners =
        request.as_owner ? std::vector<NodeId>() : HintOwnersOf(context, *key);
    Make<ServedRead>(context, op, from, std::move(request), std::move(hint_owners));
  }
}

void Node::Core::Handle(OpContext& context, PeerIndex from, wire::WriteRequest&& request) {
  if (request.hint_for == id()) request.hint_for = {};
  if (!storage::DecodeKey(request.key) || !IsDurability(request.durability) ||
      !MayBeHintedFor(request.hint_for)) {
    counters.Add(Count::kRefusedMalformed);
  } else if (request.budget <= Duration{}) {
    counters.Add(Count::kDroppedTooLate);
  } else if (operations_.full()) {
    counters.Add(Count::kRefusedBusy);
    context.Send(from, wire::WriteReply{.op = request.op,
                                        .error = Error{Code::kBusy, "too many operations"}});
  } else {
    std::optional<WrittenTo> to;
    if (request.hint_for.IsNone()) to = background.NoteWrite(request.key);
    const uint64_t op = operations_.NextId();
    Make<ServedWrite>(context, op, from, std::move(request), to);
  }
}

void Node::Core::Handle(OpContext& context, PeerIndex from, wire::ReadReply reply) {
  if (Background::IsMine(reply.op)) return background.Receive(context, from, std::move(reply));
  With<GetOp>(reply.op, [&](GetOp& op) { return op.OnReadReply(context, from, std::move(reply)); });
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::WriteReply& reply) {
  if (Background::IsMine(reply.op)) return background.Receive(context, from, reply);
  Operation* operation = operations_.Find(reply.op);
  if (operation != nullptr && std::holds_alternative<GetOp>(*operation)) {
    With<GetOp>(reply.op, [&](GetOp& op) { return op.OnWriteReply(context, from, reply); });
  } else {
    With<PutOp>(reply.op, [&](PutOp& op) { return op.OnWriteReply(context, from, reply); });
  }
}

void Node::Core::Handle(OpContext& context, PeerIndex from, wire::ForwardRequest request) {
  if (request.request.deadline <= Duration{}) {
    counters.Add(Count::kDroppedTooLate);
    return;
  }
  const Origin origin{.forwarder = from,
                      .id = request.op,
                      .request = request.request.id,
                      .since = context.now.monotonic};
  Coordinate(context.now, origin, std::move(request.request));
}

void Node::Core::Handle(OpContext& context, PeerIndex from, wire::ForwardReply reply) {
  With<ForwardOp>(
      reply.op, [&](ForwardOp& op) { return op.OnForwardReply(context, from, std::move(reply)); });
}

// --- Storage
// -------------------------------------------------------------------------------------------------

void Node::Core::Complete(Now now, storage::StoreResult&& result) {
  OpContext context = Context(now);
  if (result.hint_owner) hints.Note(*result.hint_owner);
  if (result.damage) background.FoundDamage(context, *result.damage);
  bool lost_actor = false;
  if (!result.record) {
    const Code code = result.record.error().code;
    if (code != Code::kBusy && code != Code::kTooLarge) counters.Add(Count::kStoreErrors);
    // A twin wrote under our actor's name.
    lost_actor = code == Code::kConflict;
    // What the engine could not write or read may be forgotten now; what was refused never was, and
    // of a row that is bad the store knows itself (storage/store.h).
    if (code == Code::kIo || (code == Code::kCorruption && !result.damage)) {
      counters.Add(Count::kHistoriesBegun);
      lease.BeginHistory();
    }
  }
  const uint64_t id = result.id;
  if (Background::IsMine(id)) {
    background.Complete(context, std::move(result));
  } else if (Operation* operation = operations_.Find(id)) {
    bool ended = false;
    if (auto* row = std::get_if<LeaseRow>(operation)) {
      ended = true;
      if (result.record) {
        lease.Extend(row->lease);
        AnnounceLeaseToAll(context);
      } else {
        lease.ExtendFailed();
      }
    } else if (const auto* member_row = std::get_if<MembershipRow>(operation)) {
      ended = true;
      const Membership::Row which = member_row->row;
      operations_.Erase(id);
      membership.RowWritten(context, which, result.record.has_value());
      FollowMembership(context);
      ended = false;
    } else if (auto* put = std::get_if<PutOp>(operation)) {
      ended = put->OnStore(context, std::move(result));
      RememberOutcome(*put);
    } else if (auto* get = std::get_if<GetOp>(operation)) {
      ended = get->OnStore(context, std::move(result));
    } else if (auto* read = std::get_if<ServedRead>(operation)) {
      ended = read->OnStore(context, std::move(result));
    } else if (auto* write = std::get_if<ServedWrite>(operation)) {
      if (write->to()) background.NoteWritten(*write->to());
      ended = write->OnStore(context, result);
    } else if (auto* witness = std::get_if<ServedLease>(operation)) {
      ended = witness->OnStore(context, result);
    }
    if (ended) operations_.Erase(id);
  }
  if (lost_actor) LoseActor(context);
}

// --- Peers and time
// -------------------------------------------------------------------------------------------------

void Node::Core::PeerUp(Now now, PeerIndex peer) {
  OpContext context = Context(now);
  peers.Up(peer);
  gossiper.PeerUp(context, peer);
  membership.PeerUp(context, peer);
  if (topology.IsMember(peer)) AnnounceLease(context, peer);
  background.PeerUp(context, peer);
}

void Node::Core::PeerDown(Now now, PeerIndex peer) {
  OpContext context = Context(now);
  peers.Down(peer);
  background.PeerDown(context, peer);
  operations_.EraseIf([&](Operation& operation) {
    if (auto* get = std::get_if<GetOp>(&operation)) return get->OnPeerDown(context, peer);
    if (auto* forward = std::get_if<ForwardOp>(&operation)) {
      return forward->OnPeerDown(context, peer);
    }
    if (auto* put = std::get_if<PutOp>(&operation)) {
      const bool ended = put->OnPeerDown(context, peer);
      RememberOutcome(*put);
      return ended;
    }
    return false;
  });
}

void Node::Core::Tick(Now now) {
  OpContext context = Context(now);
  operations_.EraseIf([&](Operation& operation) {
    if (auto* get = std::get_if<GetOp>(&operation)) return get->OnTick(context);
    if (auto* forward = std::get_if<ForwardOp>(&operation)) return forward->OnTick(context);
    if (auto* put = std::get_if<PutOp>(&operation)) {
      const bool ended = put->OnTick(context);
      RememberOutcome(*put);
      return ended;
    }
    return false;
  });
  gossiper.Tick(context);
  membership.Tick(context);
  FollowMembership(context);
  ReportProgress(context);
  if (!started_at_ && membership.IsMember()) started_at_ = now.monotonic;
  background.Tick(context);
  RenewLease(context);
  budget.Tick(now.monotonic);
  background.Run(context);
  TickReaping(context);
  for (const auto& [member, witness] : witnesses_) {
    const bool due = !witness.granted && now.monotonic >= witness.announced_at + kAnnounceEvery;
    if (due && peers.Reachable(member)) AnnounceLease(context, member);
  }
  ConfirmLease(now);
}

std::array<TableSize, Node::kTables> Node::Core::Tables() const {
  const gossip::Swim* swim = gossiper.swim();
  const size_t members_max = options_.membership.swim.members_max;
  return {{
      // What the node has to write for itself, one row of each kind, finds room in any case.
      {"operations", operations_.size(), options_.operations_max + kOwnRows},
      {"recent-requests", recent_.size(), options_.recent_requests_max},
      {"background-operations", background.in_flight(), Background::kOperationsMax},
      {"background-items", budget.items_in_flight(), options_.background.items_in_flight_max},
      {"fences", fences_.size(), Fences::kFencesMax},
      {"witnessed-leases", witnessed_.size(), kWitnessedMax},
      {"orders", membership.orders().size(), Membership::kOrdersMax},
      {"staged", membership.stage().size(), Membership::kStagedMax},
      {"gossip-broadcasts", swim == nullptr ? 0 : swim->broadcasts_queued(), members_max + 1},
  }};
}

void Node::Core::BeginStop(Now now) {
  OpContext context = Context(now);
  gossiper.SayGoodbye(context);
  background.BeginStop();
}

}  // namespace eddy::node
