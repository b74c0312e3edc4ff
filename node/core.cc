#include "node/core.h"

#include <algorithm>
#include <tuple>
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
      background(options, topology, buckets, static_cast<uint32_t>(random.Next())),
      options_(std::move(options)),
      random_(random),
      operations_(options_.operations_max, static_cast<uint32_t>(random_.Next())),
      recent_(options_.recent_requests_max),
      announcement_(random_.Next()),
      witnessed_(std::move(identity.witnessed)) {
  for (const NodeId owner : identity.hint_owners) hints.Note(owner);
  if (membership.history() != nullptr) {
    OpContext context = Context(Now{});
    Relay(context);
  }
}

template <class Op, class Begin>
void Node::Core::Start(uint64_t id, Op op, Begin begin) {
  Op& placed = std::get<Op>(operations_.Insert(std::move(op)));
  const bool ended = begin(placed);
  if constexpr (std::is_same_v<Op, PutOp>) RememberOutcome(placed);
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
  const bool ended = run(*op);
  if constexpr (std::is_same_v<Op, PutOp>) RememberOutcome(*op);
  if (ended) operations_.Erase(id);
}

// --- Requests
// -------------------------------------------------------------------------------------------------

void Node::Core::Coordinate(Now now, const Origin& origin, wire::ClientRequest request) {
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
  if (placement.PlaceOf(kSelf) >= placement.readers) {
    const bool may_stand_in = placed->quorum.sloppy && placement.IsStandIn(kSelf);
    const bool alone = std::ranges::none_of(placement.replicas,
                                            [&](PeerIndex peer) { return peers.Reachable(peer); });
    if (origin.forwarder && !may_stand_in) {
      return refuse({Code::kUnavailable, "nothing done: not a replica of this key"});
    }
    if (!origin.forwarder && !(may_stand_in && alone)) {
      return Start(
          op, ForwardOp(op, origin, std::move(request), deadline, placement, placed->quorum.sloppy),
          [&](ForwardOp& forward) { return forward.Begin(context); });
    }
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
    return Start(op, GetOp(std::move(coordination), get->all_siblings),
                 [&](GetOp& read) { return read.Begin(context); });
  }
  CoordinateWrite(context, std::move(coordination), std::move(request));
}

void Node::Core::CoordinateWrite(OpContext& context, Coordination coordination,
                                 wire::ClientRequest request) {
  if (RecogniseRetry(context, coordination)) return;
  if (auto* put = std::get_if<wire::PutAction>(&request.action)) {
    BeginPut(context, std::move(coordination), std::move(*put));
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
      recent->op = coordination.op;
      Start(coordination.op, PutOp(coordination),
            [&](PutOp& put) { return put.BeginAgain(context, dot); });
      break;
    }
  }
  return true;
}

void Node::Core::BeginPut(OpContext& context, Coordination coordination, wire::PutAction action) {
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
  const auto& bucket = buckets.Find(coordination.bucket);
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
  const uint64_t op = coordination.op;
  recent_.Begin(origin.request, op, sibling.dot);
  Start(op, PutOp(std::move(coordination)), [&](PutOp& put) {
    return put.BeginPut(context,
                        storage::PutVerb{std::move(seen), std::move(sibling), lease.history()},
                        std::move(shown));
  });
}

void Node::Core::BeginDelete(OpContext& context, Coordination coordination,
                             const wire::DeleteAction& action) {
  storage::DeleteVerb verb;
  if (!action.context.empty()) {
    auto seen =
        wire::DecodeContextToken(action.context, coordination.bucket, coordination.client_key);
    if (!seen) return AnswerError(context, coordination.origin, seen.error(), 0, 0);
    verb.seen = std::move(*seen);
  }
  const uint64_t op = coordination.op;
  recent_.Begin(coordination.origin.request, op, {});
  Start(op, PutOp(std::move(coordination)),
        [&](PutOp& put) { return put.BeginDelete(context, std::move(verb)); });
}

void Node::Core::RememberOutcome(const PutOp& op) {
  if (op.outcome() == PutOp::Outcome::kOpen) return;
  RecentWrite* recent = recent_.Find(op.request());
  if (recent == nullptr || recent->state != RecentWrite::State::kUnderWay) return;
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

void Node::Core::Receive(Now now, NodeId from, wire::PeerMessage message) {
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
    operations_.Insert(ServedRead(context, op, from, std::move(request), std::move(hint_owners)));
  }
}

void Node::Core::Handle(OpContext& context, PeerIndex from, wire::WriteRequest request) {
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
    operations_.Insert(ServedWrite(context, op, from, std::move(request), to));
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

void Node::Core::Handle(OpContext& context, PeerIndex from,
                        const wire::LeaseAnnouncement& announced) {
  const storage::Lease lease_of_peer{announced.actor, announced.begin, announced.end,
                                     announced.boot};
  const auto known = witnessed_.find(announced.actor);
  const bool free =
      announced.actor != lease.actor() &&
      LeaseIsFree(known == witnessed_.end() ? nullptr : &known->second, lease_of_peer);
  if (!free) {
    counters.Add(Count::kLeasesRefused);
    context.Send(from, wire::LeaseAnswer{.op = announced.op, .granted = false});
    return;
  }
  // Without room to remember there is no answer: the peer goes on after a while without this
  // witness.
  if (operations_.full() || (known == witnessed_.end() && witnessed_.size() >= kWitnessedMax)) {
    return counters.Add(Count::kRefusedBusy);
  }
  // Before it is durable: of two twins that announce at once only the first may hear yes.
  witnessed_.insert_or_assign(announced.actor, lease_of_peer);
  const uint64_t op = operations_.NextId();
  operations_.Insert(ServedLease(context, op, from, announced));
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::LeaseAnswer& answer) {
  if (answer.op != announcement_) return counters.Add(Count::kLateReplies);
  if (!answer.granted) return LoseActor(context);
  witnesses_[from].granted = true;
  ConfirmLease(context.now);
}

// --- Forgetting the dead
// -------------------------------------------------------------------------------------------------

std::optional<uint64_t> Node::Core::QuietEpoch() const {
  if (!membership.IsMember() || !topology.settled() || !hints.empty() || !background.HandedOver()) {
    return std::nullopt;
  }
  return hints.noted() + background.noted() + topology.epoch();
}

void Node::Core::AnswerQuiet(OpContext& context, PeerIndex to, uint64_t id) {
  const auto epoch = QuietEpoch();
  if (to == kSelf) return background.reaper().OnQuietReply(kSelf, id, epoch);
  context.Send(to,
               wire::QuietReply{.op = id, .quiet = epoch.has_value(), .epoch = epoch.value_or(0)});
}

void Node::Core::PassFence(MonotonicTime now, PeerIndex asker, uint64_t id, uint64_t version) {
  std::vector<uint64_t> under_way = operations_.Ids();
  const std::vector<uint64_t> carriers = background.Carriers();
  under_way.insert(under_way.end(), carriers.begin(), carriers.end());
  fences_.Begin(now, asker, id, version, std::move(under_way));
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::QuietRequest& request) {
  const bool same = topology.settled() && topology.newest().version() == request.version;
  if (!same) {
    context.Send(from, wire::QuietReply{.op = request.op, .quiet = false});
  } else if (request.fence) {
    PassFence(context.now.monotonic, from, request.op, request.version);
  } else {
    AnswerQuiet(context, from, request.op);
  }
}

void Node::Core::Handle(OpContext&, PeerIndex from, const wire::QuietReply& reply) {
  background.reaper().OnQuietReply(from, reply.op,
                                   reply.quiet ? std::optional(reply.epoch) : std::nullopt);
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::FencePassed& passed) {
  const auto asker = peers.Find(passed.asker);
  if (!asker || !(*asker == kSelf || topology.IsMember(*asker))) {
    return counters.Add(Count::kRefusedStranger);
  }
  fences_.Passed(context.now.monotonic, *asker, passed.op, from);
}

void Node::Core::Handle(OpContext& context, PeerIndex, wire::ReapRequest request) {
  const auto record = storage::DecodeRecord(request.tombstone);
  const bool may_be_dead =
      record && !record->empty() &&
      std::ranges::all_of(record->siblings(), [](const lattice::Sibling& sibling) {
        return sibling.expires_at != lattice::Sibling::kNever;
      });
  if (!storage::DecodeKey(request.key) || !may_be_dead) {
    return counters.Add(Count::kRefusedMalformed);
  }
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = kNobodyWaits,
                         .key = std::move(request.key),
                         .durability = storage::Durability::kOs,
                         .action = storage::RemoveVerb{storage::RecordDigest(request.tombstone)}});
}

void Node::Core::TickReaping(OpContext& context) {
  const auto begun = background.reaper().Tick(context, topology, QuietEpoch());
  if (begun) PassFence(context.now.monotonic, kSelf, begun->id, begun->version);
  const auto lives = [&](uint64_t op) {
    return Background::IsMine(op) ? background.Lives(op) : operations_.Find(op) != nullptr;
  };
  for (const Fences::Answer& answer : fences_.Tick(context, topology, lives)) {
    AnswerQuiet(context, answer.to, answer.id);
  }
}

// --- Storage
// -------------------------------------------------------------------------------------------------

void Node::Core::Complete(Now now, storage::StoreResult result) {
  OpContext context = Context(now);
  if (result.hint_owner) hints.Note(*result.hint_owner);
  bool lost_actor = false;
  if (!result.record) {
    const Code code = result.record.error().code;
    counters.Add(Count::kStoreErrors);
    // A twin wrote under our actor's name.
    lost_actor = code == Code::kConflict;
    // What the engine could not write or read may be forgotten now; what was refused never was.
    if (code == Code::kIo || code == Code::kCorruption) {
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
      ended = write->OnStore(context, std::move(result));
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

void Node::Core::BeginStop(Now now) {
  OpContext context = Context(now);
  gossiper.SayGoodbye(context);
  background.BeginStop();
}

// --- The layouts
// -------------------------------------------------------------------------------------------------

uint64_t Node::Core::ReadingNow() const {
  const ring::LayoutHistory& history = *membership.history();
  // What this node read by once it reads by for ever; it may be ahead of those that it has not
  // heard of yet.
  const uint64_t before = std::min(reading_, history.newest().version());
  return std::max({history.SyncedByAll(), history.oldest().version(), before,
                   history.ProgressOf(id()).reading});
}

Status Node::Core::Force(Now now, std::span<const ring::LayoutChange> changes) {
  OpContext context = Context(now);
  if (Status forced = membership.Force(context, changes); !forced) return forced;
  FollowMembership(context);
  return {};
}

void Node::Core::FollowMembership(OpContext& context) {
  if (layouts_seen_ != membership.changes()) {
    layouts_seen_ = membership.changes();
    Relay(context);
  }
  for (const auto row : {Membership::Row::kLayouts, Membership::Row::kVotes}) {
    if (operations_.full()) return;
    auto value = membership.NextRow(row);
    if (!value) continue;
    const bool layouts = row == Membership::Row::kLayouts;
    const uint64_t op = operations_.NextId();
    operations_.Insert(MembershipRow{row});
    context.effects.verbs.push_back(storage::StoreVerb{
        .id = op,
        .key = layouts ? storage::LayoutsRowKey() : storage::VotesRowKey(),
        .action = storage::PutMetaVerb{layouts ? storage::LayoutsRowValue(*std::move(value))
                                               : storage::VotesRowValue(*std::move(value))}});
  }
}

// Goes by what is known now. Most news is of others' progress and changes nothing here.
void Node::Core::Relay(OpContext& context) {
  const ring::LayoutHistory& history = *membership.history();
  const uint64_t reading = ReadingNow();
  const std::tuple going_by(history.oldest().version(), history.newest().version(), reading,
                            membership.IsMember());
  if (going_by_ == going_by) return;
  going_by_ = going_by;
  reading_ = reading;
  topology.Relay(history, reading);
  draining_ = true;
  filling_.reset();
  std::erase_if(witnesses_, [&](const auto& witness) { return !topology.IsMember(witness.first); });
  for (const PeerIndex member : topology.others()) {
    const bool fresh = witnesses_.emplace(member, Witness()).second;
    if (fresh && peers.Reachable(member)) AnnounceLease(context, member);
  }
  background.Relay(context);
}

void Node::Core::ReportProgress(OpContext& context) {
  if (!membership.IsMember()) return;
  const ring::LayoutHistory& history = *membership.history();
  const uint64_t newest = history.newest().version();
  const ring::LayoutProgress told = history.ProgressOf(id());
  if (draining_) {
    draining_ = false;
    operations_.EraseIf([&](const Operation& operation) {
      const auto* get = std::get_if<GetOp>(&operation);
      const auto* put = std::get_if<PutOp>(&operation);
      draining_ |= get != nullptr && get->epoch() < topology.epoch();
      draining_ |= put != nullptr && put->epoch() < topology.epoch();
      return false;
    });
  }
  if (!draining_ && (told.acked < newest || told.reading < reading_)) {
    membership.Reached({.acked = newest, .synced = 0, .reading = reading_});
  }
  // Copies that are to count are made when nobody writes past this node any more.
  if (told.synced < newest && history.AckedByAll() == newest) {
    if (filling_ != newest) {
      if (background.Removing()) return;
      filling_ = newest;
      background.BeginFill(context);
    } else if (confirmed_ && background.Filled()) {
      membership.Reached({.acked = 0, .synced = newest, .reading = 0});
    }
  }
  // Who leaves has nothing left to hand over, and so it goes.
  const ring::Member* self = history.newest().Find(id());
  if (self->leaving && topology.settled() && told.reading == newest && confirmed_ &&
      background.HandedOver() && hints.empty()) {
    const ring::LayoutChange go{.kind = ring::LayoutChange::Kind::kRemove, .id = id()};
    static_cast<void>(membership.Order({&go, 1}));  // at worst again with the next tick
  }
  FollowMembership(context);
}

// --- The lease
// -------------------------------------------------------------------------------------------------

void Node::Core::RenewLease(OpContext& context) {
  if (operations_.full()) return;
  const auto block = lease.WantsBlock();
  if (!block) return;
  const uint64_t op = operations_.NextId();
  operations_.Insert(LeaseRow{*block});
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = op,
                         .key = storage::ActorRowKey(),
                         .action = storage::PutMetaVerb{storage::ActorRowValue(*block)}});
}

void Node::Core::AnnounceLease(OpContext& context, PeerIndex to) {
  if (!lease.HasBlock()) return;
  const storage::Lease& held = lease.lease();
  witnesses_[to].announced_at = context.now.monotonic;
  context.Send(to, wire::LeaseAnnouncement{.op = announcement_,
                                           .actor = held.actor,
                                           .begin = held.begin,
                                           .end = held.end,
                                           .boot = held.boot});
}

void Node::Core::AnnounceLeaseToAll(OpContext& context) {
  ++announcement_;
  for (auto& [member, witness] : witnesses_) {
    witness.granted = false;
    if (peers.Reachable(member)) AnnounceLease(context, member);
  }
}

void Node::Core::LoseActor(OpContext& context) {
  counters.Add(Count::kActorsTaken);
  lease.TakeNewActor(&random_);
  ++announcement_;
  for (auto& [member, witness] : witnesses_) witness.granted = false;
  RenewLease(context);
}

void Node::Core::ConfirmLease(Now now) {
  if (confirmed_ || !started_at_ || !membership.IsMember() || !lease.HasBlock()) return;
  bool all = true;
  bool all_reachable = true;
  for (const auto& [member, witness] : witnesses_) {
    if (witness.granted) continue;
    all = false;
    if (peers.Reachable(member)) all_reachable = false;
  }
  // Those that cannot be reached are waited for a little, those that can but do not answer a little
  // more.
  const Duration waited = now.monotonic - *started_at_;
  confirmed_ =
      all || (all_reachable && waited >= options_.lease_wait) || waited >= 3 * options_.lease_wait;
  if (confirmed_) background.Begin();
}

bool Node::Core::Ready(std::string_view* reason) const {
  if (!membership.IsMember()) {
    *reason = membership.Awaits();
    return false;
  }
  if (!confirmed_) *reason = "waiting for the other members to confirm its lease";
  return confirmed_;
}

}  // namespace eddy::node
