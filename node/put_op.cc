#include "node/put_op.h"

#include <algorithm>

#include <fmt/core.h>

#include "storage/record_codec.h"

namespace eddy::node {

PutOp::PutOp(Coordination coordination)
    : coordination_(std::move(coordination)),
      own_place_(placement().PlaceOf(kSelf)),
      own_stands_in_(own_place_ == placement().replicas.size()) {
  if (own_stands_in_) own_place_ = 0;
}

bool PutOp::BeginPut(OpContext& context, storage::PutVerb&& verb, std::string shown_context) {
  context.counters.Add(Count::kPuts);
  shown_context_ = std::move(shown_context);
  return Begin(context, storage::StoreVerb{.action = std::move(verb)});
}

bool PutOp::BeginDelete(OpContext& context, storage::DeleteVerb verb) {
  context.counters.Add(Count::kDeletes);
  return Begin(context, storage::StoreVerb{.action = std::move(verb)});
}

bool PutOp::BeginRestore(OpContext& context, std::string record) {
  context.counters.Add(Count::kRestores);
  record_ = std::move(record);
  if (Begin(context, storage::StoreVerb{.action = storage::JoinVerb{record_}})) return true;
  Replicate(context);
  return Progress(context);
}

bool PutOp::BeginAgain(OpContext& context, lattice::Dot dot) {
  again_ = dot;
  return Begin(context, storage::StoreVerb{.action = storage::ReadVerb{
                                               .hint_owners = context.HintOwners(placement())}});
}

void PutOp::Reopen(const Coordination& retry) {
  outcome_ = told_ = Outcome::kOpen;
  coordination_.origin = retry.origin;
  coordination_.deadline = retry.deadline;
}

bool PutOp::Suffices(PlaceMask owners, PlaceMask stand_ins) const {
  const uint8_t pw = coordination_.quorum.pw;
  return placement().IsWriteQuorum(owners | stand_ins) &&
         (pw == 0 || placement().Fewest(owners) >= pw);
}

bool PutOp::CanSuffice(const OpContext& context) const {
  PlaceMask owners = 0;
  for (size_t place = 0; place < placement().replicas.size(); ++place) {
    if (context.peers.Reachable(placement().replicas[place])) owners |= PlaceBit(place);
  }
  PlaceMask stand_ins = own_stands_in_ ? PlaceBit(own_place_) : 0;
  if (!coordination_.quorum.sloppy) return Suffices(owners, stand_ins);
  auto free = std::ranges::count_if(placement().stand_ins, [&](PeerIndex peer) {
    return peer != kSelf && context.peers.Reachable(peer);
  });
  for (size_t place = 0; place < placement().replicas.size() && free > 0; ++place) {
    if (((owners | stand_ins) & PlaceBit(place)) != 0) continue;
    stand_ins |= PlaceBit(place);
    --free;
  }
  return Suffices(owners, stand_ins);
}

bool PutOp::Begin(OpContext& context, storage::StoreVerb&& verb) {
  if (!CanSuffice(context)) {
    const auto reachable = std::ranges::count_if(
        placement().replicas, [&](PeerIndex peer) { return context.peers.Reachable(peer); });
    return NotDone(
        context,
        Error{Code::kUnavailable,
              fmt::format("w = {} (pw = {}) replicas are needed; {} of {} owners can be reached{}; "
                          "start the others or ask for a smaller w",
                          needed(), coordination_.quorum.pw, reachable, placement().replicas.size(),
                          coordination_.quorum.sloppy
                              ? ", and too few nodes that could stand in for the others"
                              : " (stand-ins are off)")});
  }
  verb.id = coordination_.op;
  verb.key = coordination_.key;
  verb.durability = coordination_.durability;
  if (own_stands_in_) {
    const PeerIndex owner = placement().replicas[own_place_];
    stand_ins_.asked |= PlaceBit(own_place_);
    stand_in_at_[own_place_] = kSelf;
    context.HintHere(owner, &verb);
  } else {
    owners_.asked |= PlaceBit(own_place_);
  }
  context.effects.verbs.push_back(std::move(verb));
  return false;
}

bool PutOp::NotDone(OpContext& context, Error error) {
  if (again_) {
    outcome_ = Outcome::kUnknown;
    error.code = Code::kUnknownOutcome;
    error.text =
        "the write may be stored from before, and could not be completed now: " + error.text;
  } else {
    outcome_ = Outcome::kNotDone;
    error.text = "nothing written: " + error.text;
  }
  AnswerAll(context, error);
  return true;
}

bool PutOp::OnStore(OpContext& context, storage::StoreResult&& result) {
  const auto settled = [&](bool acked) {
    return own_stands_in_ ? StandInSettled(context, own_place_, acked)
                          : OwnerSettled(context, own_place_, acked);
  };
  if (AwaitsStore()) return OnStoreLate(result);
  if (!result.record) {
    if (!replicated_) {
      Error error = std::move(result.record.error());
      const bool as_it_is = error.code == Code::kTooLarge || error.code == Code::kBusy;
      if (!as_it_is) error.code = Code::kUnavailable;
      return NotDone(context, std::move(error));
    }
    return settled(false);
  }
  if (result.stage == storage::Stage::kDurable) return settled(true);
  if (again_) {
    const auto record = storage::DecodeRecord(*result.record);
    if (!record || !record->context().Covers(*again_)) {
      return NotDone(context, Error{Code::kUnavailable, "this replica did not keep it"});
    }
    // Nothing changes here, but the result says when what is stored is durable.
    storage::StoreVerb verb{.id = coordination_.op,
                            .key = coordination_.key,
                            .durability = coordination_.durability,
                            .action = storage::JoinVerb{*result.record}};
    if (own_stands_in_) context.HintHere(placement().replicas[own_place_], &verb);
    context.effects.verbs.push_back(std::move(verb));
  }
  record_ = *std::move(result.record);
  if (result.siblings >= kSiblingsMany) {
    context.counters.Add(Count::kCrowdedWrites);
    context.effects.crowded.push_back(
        {coordination_.bucket, coordination_.client_key, result.siblings});
  }
  Replicate(context);
  return Progress(context);
}

bool PutOp::OnStoreLate(const storage::StoreResult& result) {
  // The retry is then a new write. To take it for this one would be wrong: what the row says to
  // have seen may cover the dot of a write that it has refused (lattice/record.h, History).
  if (!result.record && !again_) outcome_ = Outcome::kNotDone;
  return true;
}

void PutOp::Replicate(OpContext& context) {
  replicated_ = true;
  sent_at_ = context.now.monotonic;
  for (size_t place = 0; place < placement().replicas.size(); ++place) {
    const PeerIndex owner = placement().replicas[place];
    if (owner == kSelf) continue;
    if (context.peers.Reachable(owner)) {
      owners_.asked |= PlaceBit(place);
      Ask(context, owner, coordination_.op, NodeId{});
    } else if ((stand_ins_.asked & PlaceBit(place)) == 0) {
      StandIn(context, place, true);
    }
  }
}

void PutOp::Ask(OpContext& context, PeerIndex peer, uint64_t op, NodeId hint_for) {
  context.Send(peer, wire::WriteRequest{
                         .op = op,
                         .key = coordination_.key,
                         .record = record_,
                         .durability = static_cast<uint8_t>(coordination_.durability),
                         .budget = op == 0 ? context.options.deadline_max
                                           : context.Left(coordination_.deadline),
                         .hint_for = hint_for,
                     });
}

PeerIndex PutOp::NextStandIn(const OpContext& context) {
  while (coordination_.quorum.sloppy && next_stand_in_ < placement().stand_ins.size()) {
    const PeerIndex peer = placement().stand_ins[next_stand_in_++];
    if (peer != kSelf && context.peers.Reachable(peer)) return peer;
  }
  return kSelf;
}

void PutOp::StandIn(OpContext& context, size_t place, bool count) {
  if ((kept_here_ & PlaceBit(place)) != 0) return;
  const PeerIndex owner = placement().replicas[place];
  const PeerIndex peer = NextStandIn(context);
  if (peer != kSelf) {
    context.counters.Add(Count::kHintsSent);
    if (count) {
      stand_ins_.asked |= PlaceBit(place);
      stand_in_at_[place] = peer;
    }
    Ask(context, peer, count ? coordination_.op : 0, context.peers.IdOf(owner));
    return;
  }
  kept_here_ |= PlaceBit(place);
  storage::StoreVerb verb{.id = kNobodyWaits,
                          .key = coordination_.key,
                          .durability = coordination_.durability,
                          .action = storage::JoinVerb{record_}};
  context.HintHere(owner, &verb);
  context.effects.verbs.push_back(std::move(verb));
}

bool PutOp::OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply) {
  if (replicated_) context.peers.Answered(from, context.now.monotonic - sent_at_);
  return PeerSettled(context, from, !reply.error);
}

bool PutOp::OnPeerDown(OpContext& context, PeerIndex peer) {
  return PeerSettled(context, peer, false);
}

bool PutOp::PeerSettled(OpContext& context, PeerIndex peer, bool acked) {
  const size_t place = placement().PlaceOf(peer);
  if (place != placement().replicas.size()) {
    return (owners_.asked & PlaceBit(place)) != 0 && OwnerSettled(context, place, acked);
  }
  for (size_t other = 0; other < placement().replicas.size(); ++other) {
    if ((stand_ins_.asked & PlaceBit(other)) == 0 || stand_in_at_[other] != peer) continue;
    return StandInSettled(context, other, acked);
  }
  return false;
}

bool PutOp::OwnerSettled(OpContext& context, size_t place, bool acked) {
  owners_.asked &= ~PlaceBit(place);
  if (acked) {
    owners_.acked |= PlaceBit(place);
  } else if (placement().replicas[place] != kSelf && (stand_ins_.asked & PlaceBit(place)) == 0) {
    StandIn(context, place, outcome_ == Outcome::kOpen);
  }
  return Progress(context);
}

bool PutOp::StandInSettled(OpContext& context, size_t place, bool acked) {
  stand_ins_.asked &= ~PlaceBit(place);
  if (acked) {
    stand_ins_.acked |= PlaceBit(place);
  } else if (stand_in_at_[place] != kSelf && (owners_.acked & PlaceBit(place)) == 0) {
    StandIn(context, place, outcome_ == Outcome::kOpen);
  }
  return Progress(context);
}

bool PutOp::OnTick(OpContext& context) {
  const bool over = context.now.monotonic >= coordination_.deadline;
  const bool tired = replicated_ && patient_ && outcome_ == Outcome::kOpen &&
                     context.now.monotonic >= sent_at_ + context.options.stand_in_after;
  if (!over && !tired) return false;
  patient_ = false;
  for (size_t place = 0; place < placement().replicas.size(); ++place) {
    const PeerIndex owner = placement().replicas[place];
    if ((owners_.asked & PlaceBit(place)) == 0 || owner == kSelf) continue;
    context.peers.LeftUnanswered(owner);
    if (((stand_ins_.asked | stand_ins_.acked) & PlaceBit(place)) == 0) {
      StandIn(context, place, !over);
    }
  }
  if (!over) return Progress(context);
  if (outcome_ == Outcome::kOpen) {
    outcome_ = Outcome::kUnknown;
    AnswerAll(context,
              Error{Code::kUnknownOutcome,
                    fmt::format("the deadline passed with {} of w = {} replicas durable; the write "
                                "may be stored: read it, or retry with the same request id",
                                answered(), needed())});
  }
  return replicated_;
}

bool PutOp::Progress(OpContext& context) {
  if (outcome_ == Outcome::kOpen && Suffices(owners_.acked, stand_ins_.acked)) {
    outcome_ = Outcome::kDone;
    AnswerAll(context, std::nullopt);
  } else if (outcome_ == Outcome::kOpen && replicated_ &&
             !Suffices(owners_.acked | owners_.asked, stand_ins_.acked | stand_ins_.asked)) {
    outcome_ = Outcome::kUnknown;
    AnswerAll(context, Error{Code::kUnknownOutcome,
                             fmt::format("{} of w = {} replicas are durable and no other can be "
                                         "reached; the write may be stored: read it, or retry with "
                                         "the same request id",
                                         answered(), needed())});
  }
  return outcome_ != Outcome::kOpen && (owners_.asked | stand_ins_.asked) == 0;
}

void PutOp::AnswerAll(OpContext& context, const std::optional<Error>& error) {
  const auto answer = [&](const Origin& origin) {
    if (error) {
      AnswerError(context, origin, *error, needed(), answered());
      return;
    }
    Answer(context, origin,
           wire::ClientReply{.needed = needed(),
                             .answered = answered(),
                             .primaries = primaries(),
                             .context = shown_context_});
  };
  answer(coordination_.origin);
  std::ranges::for_each(more_origins_, answer);
  more_origins_.clear();
}

}  // namespace eddy::node
