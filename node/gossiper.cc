#include "node/gossiper.h"

#include <algorithm>
#include <utility>

namespace eddy::node {

Gossiper::Gossiper(const MembershipOptions& options, const ring::Member& self, Random random)
    : cluster_(options.cluster),
      options_(options.swim),
      address_{self.doors.host, self.doors.peer},
      id_(self.id),
      random_(random) {}

bool Gossiper::Begin(Now now) {
  if (swim_) return true;
  if (!gossip::IsAddress(address_)) return false;
  // Each start is later than the one before, if the clock is right; if it is not, the others say
  // what they remember, and that is refuted.
  const int64_t started = now.wall.time_since_epoch().count();
  const gossip::MemberState self{
      .id = id_,
      .incarnation = {static_cast<uint64_t>(std::max<int64_t>(started, 1))},
      .address = address_};
  swim_.emplace(options_, cluster_, self, random_.Fork(), now.monotonic);
  return true;
}

void Gossiper::Receive(OpContext& context, const gossip::Address& from, std::string_view packet) {
  if (!Begin(context.now)) return;
  swim_->Receive(context.now.monotonic, from, packet);
  Perform(context);
}

void Gossiper::Receive(OpContext& context, PeerIndex from, const wire::GossipPacket& packet) {
  if (!Begin(context.now)) return;
  swim_->ReceiveOverConnection(context.now.monotonic, context.peers.IdOf(from), packet.bytes);
  Perform(context);
}

void Gossiper::Receive(OpContext& context, PeerIndex from, const wire::GossipState& state) {
  if (!Begin(context.now)) return;
  if (state.answers) {
    static_cast<void>(swim_->FinishSync(context.now.monotonic, state.bytes));  // counted there
  } else if (auto answer = swim_->AnswerSync(context.now.monotonic, state.bytes)) {
    context.Send(from, wire::GossipState{.answers = true, .bytes = *std::move(answer)});
  }
  Perform(context);
}

void Gossiper::PeerUp(OpContext& context, PeerIndex peer) {
  if (!Begin(context.now)) return;
  // The answer serves both.
  if (id_ < context.peers.IdOf(peer)) Introduce(context, peer);
}

void Gossiper::Introduce(OpContext& context, PeerIndex peer) {
  context.Send(peer, wire::GossipState{.bytes = swim_->SyncBytes()});
}

void Gossiper::IntroduceNext(OpContext& context) {
  if (context.now.monotonic < introduce_at_) return;
  introduce_at_ = context.now.monotonic + kIntroduceEvery;
  const auto peers = static_cast<uint16_t>(context.peers.size());
  for (uint16_t tries = 1; tries < peers; ++tries) {
    introduced_ = static_cast<uint16_t>(introduced_ + 1 < peers ? introduced_ + 1 : 1);
    const PeerIndex peer{introduced_};
    if (!context.peers.Connected(peer)) continue;
    const gossip::MemberState* known = swim_->Find(context.peers.IdOf(peer));
    if (known != nullptr && known->IsHere()) continue;
    return Introduce(context, peer);
  }
}

void Gossiper::Tick(OpContext& context) {
  if (!Begin(context.now)) return;
  if (context.now.monotonic >= swim_->NextWake()) swim_->Tick(context.now.monotonic);
  IntroduceNext(context);
  Perform(context);
}

void Gossiper::SayGoodbye(OpContext& context) {
  if (!Begin(context.now)) return;
  swim_->Leave(context.now.monotonic);
  Perform(context);
}

void Gossiper::Perform(OpContext& context) {
  swim_->TakeEffects(&found_);
  for (gossip::SendPacket& packet : found_.packets) {
    context.effects.packets.push_back(std::move(packet));
  }
  for (gossip::SendOverConnection& packet : found_.over_connections) {
    const auto peer = context.peers.Find(packet.to);
    if (!peer || !context.peers.Connected(*peer)) continue;
    context.Send(*peer, wire::GossipPacket{.bytes = std::move(packet.bytes)});
  }
  for (const gossip::Address& to : found_.syncs) {
    for (const gossip::MemberState& member : swim_->Members()) {
      if (member.address != to) continue;
      const auto peer = context.peers.Find(member.id);
      if (peer && *peer != kSelf && context.peers.Connected(*peer)) Introduce(context, *peer);
    }
  }
  for (gossip::Event& event : found_.events) {
    if (const auto peer = context.peers.Find(event.member.id)) {
      context.peers.Believe(*peer, event.member.liveness);
    }
    context.effects.sightings.push_back(std::move(event));
  }
}

}  // namespace eddy::node
