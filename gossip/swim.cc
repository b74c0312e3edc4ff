#include "gossip/swim.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace eddy::gossip {

namespace {

Membership::Options MembershipOptions(const SwimOptions& options) {
  return Membership::Options{.suspicion = options.suspicion,
                             .probe_period = options.probe_period,
                             .gone_kept = options.gone_kept,
                             .members_max = options.members_max};
}

// Nodes that start together do not act together.
MonotonicTime Spread(MonotonicTime now, Duration period, Random* random) {
  if (period == Duration::zero()) return MonotonicTime::max();
  return now + Duration(random->Below(static_cast<uint64_t>(period.count())));
}

}  // namespace

Swim::Swim(const SwimOptions& options, std::string_view cluster, const MemberState& self,
           Random random, MonotonicTime now)
    : options_(options),
      cluster_(ClusterDigest::Of(cluster)),
      random_(random),
      membership_(MembershipOptions(options), self, &counters_),
      health_(options.health_multiplier_max),
      probe_at_(Spread(now, options.probe_period, &random_)),
      relays_(options.relays_max),
      sequence_(random_.Below(uint64_t{1} << 48)),
      gossip_at_(now),
      sync_at_(Spread(now, options.sync_period, &random_)),
      contact_at_(Spread(now, options.gone_contact_period, &random_)) {}

void Swim::Introduce(const Address& seed) {
  counters_.Add(Count::kSyncsStarted);
  effects_.syncs.push_back(seed);
}

void Swim::Receive(MonotonicTime now, const Address& from, std::string_view bytes) {
  ReceiveFrom(now, Way{from, {}}, bytes);
}

void Swim::ReceiveOverConnection(MonotonicTime now, NodeId from, std::string_view bytes) {
  ReceiveFrom(now, Way{{}, from}, bytes);
}

void Swim::ReceiveFrom(MonotonicTime now, const Way& from, std::string_view bytes) {
  counters_.Add(Count::kPacketsReceived);
  const Result<Packet> packet = DecodePacket(cluster_, bytes);
  if (!packet) {
    counters_.Add(packet.error().code == Code::kWrongCluster ? Count::kPacketsOfAnotherCluster
                                                             : Count::kPacketsMalformed);
    return;
  }
  // A packet of its own: an address that leads back here, or a copied directory.
  if (packet->sender == self().id) return counters_.Add(Count::kPacketsMisdirected);
  const bool by_connection = !from.connection.IsNone();
  if (by_connection && packet->sender != from.connection) {
    return counters_.Add(Count::kPacketsMisdirected);
  }

  std::vector<Update> corrections = HearUpdates(now, *packet);
  if (packet->kind == PacketKind::kPing && packet->target == self().id) {
    return OnPing(from, *packet, std::move(corrections));
  }
  if (!corrections.empty()) {
    Send(from, {.sender = self().id, .updates = std::move(corrections)});
  }
  switch (packet->kind) {
    case PacketKind::kPing:
      // Another node has this address now; the one who was meant shall be found missing.
      return counters_.Add(Count::kPacketsMisdirected);
    case PacketKind::kPingRequest:
      // Nobody asks for help over a connection.
      if (by_connection) return counters_.Add(Count::kPacketsMisdirected);
      return OnPingRequest(now, from.address, *packet);
    case PacketKind::kAck:
      return OnAck(from, *packet);
    case PacketKind::kNack:
      return OnNack(*packet);
    case PacketKind::kGossip:
      return;
  }
}

// Whoever doubts a member that is known to have refuted, or this node, is told so directly: those
// whom it takes for dead, or who take it for dead, do not gossip to it.
std::vector<Update> Swim::HearUpdates(MonotonicTime now, const Packet& packet) {
  std::vector<Update> corrections;
  NodeId accuser;  // one is enough for one packet
  for (const Update& update : packet.updates) {
    const Membership::Heard heard = membership_.Hear(now, update);
    if (heard == Membership::Heard::kOther) continue;
    const bool of_self = update.member.id == self().id;
    if (update.from == packet.sender) {
      corrections.push_back(Update{of_self ? self() : *Find(update.member.id), {}});
    } else if (heard == Membership::Heard::kDoubted) {
      accuser = update.from;
    }
    if (heard == Membership::Heard::kDoubted) health_.Worsen(1);
  }
  if (const MemberState* author = Find(accuser); author != nullptr) {
    Send(author->address, {.sender = self().id, .updates = {Update{self(), {}}}});
  }
  return corrections;
}

void Swim::OnPing(const Way& from, const Packet& packet, std::vector<Update> corrections) {
  Packet ack{.kind = PacketKind::kAck,
             .sender = self().id,
             .sequence = packet.sequence,
             .updates = std::move(corrections)};
  AppendDoubt(packet.sender, &ack.updates);
  Send(from, std::move(ack));
}

void Swim::OnPingRequest(MonotonicTime now, const Address& from, const Packet& packet) {
  Relay relay{.requester = packet.sender,
              .requester_address = from,
              .requester_sequence = packet.sequence,
              .target = packet.target,
              // In time for the requester, whose own timeout this is.
              .nack_at = now + options_.probe_timeout * 4 / 5,
              .ends_at = now + options_.probe_period * options_.health_multiplier_max};
  if (!relays_.Add(sequence_ + 1, std::move(relay))) {
    counters_.Add(Count::kRelaysRefused);
    return Send(from, {PacketKind::kNack, self().id, packet.sequence});
  }
  counters_.Add(Count::kRelays);
  Packet ping{PacketKind::kPing, self().id, ++sequence_, packet.target};
  AppendDoubt(packet.target, &ping.updates);
  Send(packet.address, std::move(ping));
}

void Swim::OnAck(const Way& from, const Packet& packet) {
  if (probe_ && probe_->Awaits(packet.sender, packet.sequence)) {
    if (!probe_->acked) {
      health_.Improve();
      if (!from.connection.IsNone()) counters_.Add(Count::kAnswersByConnection);
    }
    probe_->acked = true;
    return;
  }
  if (contact_ && contact_->sequence == packet.sequence && contact_->target == packet.sender) {
    contact_.reset();
    // It lives, and so may others who are taken for gone.
    const MemberState* member = Find(packet.sender);
    if (member != nullptr && member->IsHere()) Introduce(member->address);
    return;
  }
  if (const std::optional<Relay> relay = relays_.TakeAcked(packet.sender, packet.sequence)) {
    return Send(relay->requester_address, {PacketKind::kAck, self().id, relay->requester_sequence});
  }
  counters_.Add(Count::kAnswersLate);
}

void Swim::OnNack(const Packet& packet) {
  if (probe_ && probe_->sequence == packet.sequence) {
    if (const auto helper = probe_->helpers.find(packet.sender); helper != probe_->helpers.end()) {
      helper->second = true;
      return;
    }
  }
  counters_.Add(Count::kAnswersLate);
}

void Swim::Tick(MonotonicTime now) {
  for (const NodeId id : membership_.TakeArrivals()) order_.Insert(id, &random_);
  if (!has_left()) {
    NoticeStall(now);
    membership_.Expire(now);
    AdvanceProbe(now);
    SyncWithSomebody(now);
    ContactTheGone(now);
  }
  SendNacks(now);
  GossipRound(now);
}

MonotonicTime Swim::NextWake() const {
  MonotonicTime next = relays_.NextDeadline();
  if (!membership_.broadcasts().empty() && membership_.others().here() > 0) {
    next = std::min(next, gossip_at_);
  }
  if (has_left()) return next;
  next = std::min({next, probe_at_, sync_at_, contact_at_, membership_.NextExpiry()});
  return probe_ ? std::min(next, probe_->NextDeadline()) : next;
}

void Swim::NoticeStall(MonotonicTime now) {
  const MonotonicTime due = probe_ ? std::min(probe_->NextDeadline(), probe_at_) : probe_at_;
  const Duration late = now - due;
  if (late < kStallMin) return;
  counters_.Add(Count::kStalls);
  health_.Worsen(1);
  membership_.Postpone(late);
  if (!probe_) return;
  // What was asked before may not have been answerable.
  probe_->Postpone(late);
  probe_at_ = probe_->ends_at;
}

void Swim::AdvanceProbe(MonotonicTime now) {
  if (probe_ && !probe_->acked && !probe_->indirect && now >= probe_->indirect_at) AskHelpers();
  if (now < probe_at_) return;
  if (probe_) JudgeProbe(now);
  BeginProbe(now);
}

void Swim::AskHelpers() {
  probe_->indirect = true;
  const MemberState* target = Find(probe_->target);
  if (target == nullptr || !target->IsHere()) return;
  counters_.Add(Count::kProbesIndirect);
  const auto helpers = Pick(options_.indirect_probes, [&](const MemberState& member) {
    return member.liveness == Liveness::kAlive && member.id != probe_->target;
  });
  for (const MemberState* helper : helpers) {
    probe_->helpers.emplace(helper->id, false);
    Packet request{PacketKind::kPingRequest, self().id, probe_->sequence, target->id,
                   target->address};
    AppendDoubt(helper->id, &request.updates);
    Send(helper->address, std::move(request));
  }
  Packet ping{PacketKind::kPing, self().id, probe_->sequence, target->id};
  AppendDoubt(target->id, &ping.updates);
  Send(Way{{}, target->id}, std::move(ping));
}

void Swim::JudgeProbe(MonotonicTime now) {
  if (probe_->acked || !membership_.others().IsHere(probe_->target)) return;
  counters_.Add(Count::kProbesFailed);
  // Helpers who are heard but have not heard the target clear this node; their silence does not.
  health_.Worsen(probe_->helpers.empty() ? 1 : probe_->NacksMissed());
  membership_.Suspect(now, probe_->target);
}

void Swim::BeginProbe(MonotonicTime now) {
  probe_at_ = now + health_.Scale(options_.probe_period);
  probe_.reset();
  const std::optional<NodeId> target = order_.Next(membership_.others(), &random_);
  if (!target) return;
  counters_.Add(Count::kProbes);
  probe_ = Probe{.target = *target,
                 .sequence = ++sequence_,
                 .indirect_at = now + health_.Scale(options_.probe_timeout),
                 .ends_at = probe_at_};
  Packet ping{PacketKind::kPing, self().id, probe_->sequence, *target};
  AppendDoubt(*target, &ping.updates);
  Send(Find(*target)->address, std::move(ping));
}

void Swim::SendNacks(MonotonicTime now) {
  for (const Relay& relay : relays_.TakeNacks(now)) {
    Send(relay.requester_address, {PacketKind::kNack, self().id, relay.requester_sequence});
  }
}

void Swim::GossipRound(MonotonicTime now) {
  if (now < gossip_at_ || membership_.broadcasts().empty()) return;
  gossip_at_ = now + options_.gossip_period;
  const auto here = [](const MemberState& member) { return member.IsHere(); };
  for (const MemberState* member : Pick(options_.gossip_fanout, here)) {
    if (membership_.broadcasts().empty()) return;
    Send(member->address, {PacketKind::kGossip, self().id});
  }
}

void Swim::SyncWithSomebody(MonotonicTime now) {
  if (now < sync_at_) return;
  sync_at_ = now + options_.sync_period;
  const auto alive = [](const MemberState& member) { return member.liveness == Liveness::kAlive; };
  for (const MemberState* member : Pick(1, alive)) Introduce(member->address);
}

void Swim::ContactTheGone(MonotonicTime now) {
  if (now < contact_at_) return;
  contact_at_ = now + options_.gone_contact_period;
  contact_.reset();
  const auto gone = [](const MemberState& member) { return !member.IsHere(); };
  for (const MemberState* member : Pick(1, gone)) {
    contact_ = Contact{.target = member->id, .sequence = ++sequence_};
    Packet ping{PacketKind::kPing, self().id, contact_->sequence, member->id};
    AppendDoubt(member->id, &ping.updates);
    Send(member->address, std::move(ping));
  }
}

void Swim::Leave(MonotonicTime now) {
  if (has_left()) return;
  membership_.Leave();
  probe_.reset();
  contact_.reset();
  gossip_at_ = now;
  GossipRound(now);
}

bool Swim::GoodbyeSpread() const {
  return has_left() &&
         (membership_.others().here() == 0 || !membership_.broadcasts().Holds(self().id));
}

std::string Swim::SyncBytes() const { return EncodeStateSync(cluster_, membership_.State()); }

Result<std::string> Swim::AnswerSync(MonotonicTime now, std::string_view bytes) {
  if (Status status = Merge(now, bytes); !status) return std::unexpected(status.error());
  return SyncBytes();
}

Status Swim::FinishSync(MonotonicTime now, std::string_view bytes) { return Merge(now, bytes); }

Status Swim::Merge(MonotonicTime now, std::string_view bytes) {
  const Result<StateSync> state = DecodeStateSync(cluster_, bytes);
  if (!state) {
    counters_.Add(Count::kSyncsRefused);
    return std::unexpected(state.error());
  }
  counters_.Add(Count::kSyncsMerged);
  if (state->sender == self().id) return {};
  if (membership_.HearState(now, *state)) health_.Worsen(1);
  return {};
}

void Swim::TakeEffects(Effects* effects) {
  effects->clear();
  membership_.TakeEvents(&effects_.events);
  effects->swap(effects_);
}

template <class Wanted>
std::vector<const MemberState*> Swim::Pick(size_t count, Wanted wanted) {
  std::vector<const MemberState*> members;
  for (const auto& [id, entry] : membership_.others().entries()) {
    if (wanted(entry.state)) members.push_back(&entry.state);
  }
  const size_t picked = std::min(count, members.size());
  for (size_t i = 0; i < picked; ++i) {
    std::swap(members[i], members[i + random_.Below(members.size() - i)]);
  }
  members.resize(picked);
  return members;
}

void Swim::AppendDoubt(NodeId about, std::vector<Update>* updates) const {
  const MemberState* member = Find(about);
  if (member == nullptr || member->liveness == Liveness::kAlive) return;
  updates->push_back(Update{.member = *member, .from = {}});
  if (IsDoubt(member->liveness)) updates->back().from = self().id;
}

void Swim::Send(const Way& to, Packet packet) {
  // Who doubts very many wrongly is told of the rest when it doubts them again.
  while (PacketBytes(packet) > kPacketBytesMax) packet.updates.pop_back();
  const auto transmits_max =
      options_.broadcast_multiplier * static_cast<unsigned>(std::bit_width(cluster_size()));
  membership_.broadcasts().Take(kPacketBytesMax - PacketBytes(packet), transmits_max,
                                &packet.updates);
  counters_.Add(Count::kPacketsSent);
  std::string bytes = EncodePacket(cluster_, packet);
  if (to.connection.IsNone()) {
    effects_.packets.push_back({to.address, std::move(bytes)});
  } else {
    effects_.over_connections.push_back({to.connection, std::move(bytes)});
  }
}

}  // namespace eddy::gossip
