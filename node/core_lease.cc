// A node's lease of dots among the members (docs/decisions/lease-witnesses.md): it takes blocks,
// has them confirmed before it serves, and witnesses those of the others.
#include <utility>

#include "node/core.h"

namespace eddy::node {

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

}  // namespace eddy::node
