#include "node/get_op.h"

#include <algorithm>

#include <fmt/core.h>

#include "storage/record_codec.h"
#include "wire/context_token.h"

namespace eddy::node {

GetOp::GetOp(Coordination coordination, bool all_siblings)
    : coordination_(std::move(coordination)), all_siblings_(all_siblings) {
  const Placement& placement = coordination_.placement;
  for (size_t place = 0; place < placement.readers; ++place) {
    candidates_.push_back(placement.replicas[place]);
  }
  if (coordination_.quorum.sloppy) {
    for (const PeerIndex peer : placement.stand_ins) candidates_.push_back(peer);
  }
  heirs_begin_ = candidates_.size();
  for (size_t place = placement.readers; place < placement.replicas.size(); ++place) {
    if (candidates_.size() < heirs_begin_ + kHeirsMax) {
      candidates_.push_back(placement.replicas[place]);
    }
  }
}

bool GetOp::Begin(OpContext& context) {
  context.counters.Add(Count::kGets);
  if (!IsOwner(PlaceOf(kSelf))) return Progress(context);
  Ask(context, PlaceOf(kSelf));
  return false;
}

bool GetOp::OnStore(OpContext& context, storage::StoreResult result) {
  const size_t self = PlaceOf(kSelf);
  Replica& replica = replicas_[self];
  if (result.stage == storage::Stage::kDurable) {
    // Our own share of writing back.
    if (replica.writing_back) WrittenBack(self, result.record.has_value());
    return Progress(context);
  }
  // An error here is never "not found": the others are asked instead.
  const bool taken = result.record && Take(self, std::move(*result.record));
  replica.state = taken ? State::kAnswered : State::kFailed;
  said_ = replica.holds;
  return Progress(context);
}

bool GetOp::OnReadReply(OpContext& context, PeerIndex from, wire::ReadReply reply) {
  const size_t place = PlaceOf(from);
  if (place == candidates_.size()) return false;
  Replica& replica = replicas_[place];
  if (replica.state != State::kAsked) return false;
  context.peers.Answered(from, context.now.monotonic - replica.asked_at);
  // Before anything has been read there is nothing that it could be the same as.
  bool taken = !reply.error && (!reply.same || join_);
  if (taken && reply.same) {
    replica.holds = said_;
  } else if (taken) {
    taken = Take(place, std::move(reply.record));
  }
  replica.state = taken ? State::kAnswered : State::kFailed;
  return Progress(context);
}

bool GetOp::OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply) {
  const size_t place = PlaceOf(from);
  if (place == candidates_.size() || !replicas_[place].writing_back) return false;
  WrittenBack(place, !reply.error);
  return Progress(context);
}

bool GetOp::OnPeerDown(OpContext& context, PeerIndex peer) {
  const size_t place = PlaceOf(peer);
  if (place == candidates_.size()) return false;
  Replica& replica = replicas_[place];
  if (replica.state == State::kAsked) replica.state = State::kFailed;
  if (replica.writing_back) WrittenBack(place, false);
  return Progress(context);
}

bool GetOp::OnTick(OpContext& context) {
  if (context.now.monotonic >= coordination_.deadline) {
    if (phase_ != Phase::kAnswered) {
      AnswerWith(context,
                 Error{Code::kTimeout,
                       phase_ == Phase::kReading
                           ? "the deadline passed before enough replicas answered; try again"
                           : "the replicas differ and the deadline passed before enough of them "
                             "were repaired; try again"});
    }
    return true;
  }
  if (phase_ == Phase::kAnswered || context.now.monotonic < hedge_at_) return false;
  if (phase_ == Phase::kWritingBack) {
    without_heirs_ = true;
    return Progress(context);
  }
  for (size_t place = 0; place < candidates_.size(); ++place) {
    const PeerIndex member = candidates_[place];
    if (replicas_[place].state == State::kAsked && member != kSelf) {
      context.peers.LeftUnanswered(member);
    }
  }
  if (const auto next = NextToAsk(context, false)) {
    context.counters.Add(Count::kHedges);
    Ask(context, *next);
  }
  hedge_at_ = context.now.monotonic + context.options.hedge_max;
  return Progress(context);
}

void GetOp::WrittenBack(size_t place, bool done) {
  Replica& replica = replicas_[place];
  replica.writing_back = false;
  replica.holds = replica.sent;
  // One that cannot be written to is not asked to hold the join again.
  if (!done) replica.state = State::kFailed;
}

size_t GetOp::CountOf(State state, size_t places) const {
  return static_cast<size_t>(
      std::ranges::count(std::span(replicas_).first(places), state, &Replica::state));
}

size_t GetOp::HoldersOfJoin(size_t places) const {
  return static_cast<size_t>(
      std::ranges::count_if(std::span(replicas_).first(places), [&](const Replica& replica) {
        return replica.state == State::kAnswered && replica.holds == digest_;
      }));
}

std::optional<size_t> GetOp::NextToAsk(const OpContext& context, bool owners_only) const {
  std::optional<size_t> silent;
  // Some owner answers, or may yet. A stand-in that holds nothing would only dilute the quorum.
  bool owners_to_hope_for = false;
  for (size_t place = 0; place < heirs_begin_; ++place) {
    const PeerIndex peer = candidates_[place];
    const State state = replicas_[place].state;
    if (IsOwner(place)) {
      owners_to_hope_for |= state == State::kAsked && !context.peers.Silent(peer);
    } else if (owners_only || owners_to_hope_for) {
      break;
    }
    if (state != State::kIdle || !context.peers.Reachable(peer)) continue;
    // In the order of the walk, those who answer before those who have fallen silent.
    if (!context.peers.Silent(peer)) return place;
    if (!silent) silent = place;
  }
  return silent;
}

bool GetOp::AskEnough(OpContext& context) {
  const auto under_way = [&](size_t places) {
    return CountOf(State::kAnswered, places) + CountOf(State::kAsked, places);
  };
  const size_t owners = coordination_.placement.readers;
  while (under_way(owners) < coordination_.quorum.pr ||
         under_way(heirs_begin_) < coordination_.quorum.r) {
    const auto next = NextToAsk(context, under_way(owners) < coordination_.quorum.pr);
    if (!next) return false;
    Ask(context, *next);
  }
  return true;
}

size_t GetOp::CandidateOf(size_t place) const {
  const size_t readers = coordination_.placement.readers;
  return place < readers ? place : heirs_begin_ + (place - readers);
}

PlaceMask GetOp::HoldingPlaces() const {
  PlaceMask places = 0;
  for (size_t place = 0; place < coordination_.placement.replicas.size(); ++place) {
    const size_t candidate = CandidateOf(place);
    if (candidate >= candidates_.size()) break;
    const Replica& replica = replicas_[candidate];
    const bool counts = coordination_.quorum.r == 1 || replica.holds == digest_;
    if (replica.state == State::kAnswered && counts) places |= PlaceBit(place);
  }
  return places;
}

bool GetOp::HeirsHold(OpContext& context) {
  const Placement& placement = coordination_.placement;
  if (without_heirs_ || placement.write_sets.size() == 1) return true;
  bool hold = true;
  const PlaceMask holding = HoldingPlaces();
  for (size_t newer = 1; newer < placement.write_sets.size(); ++newer) {
    const Placement::WriteSet& set = placement.write_sets[newer];
    const auto needed =
        static_cast<size_t>(std::min<int>(coordination_.quorum.r, std::popcount(set.places)));
    auto sure = static_cast<size_t>(std::popcount(holding & set.places));
    if (sure >= needed) continue;
    // Those that may come to hold it; then those that have not been asked, heirs first.
    std::vector<size_t> idle;
    for (size_t i = placement.replicas.size(); i-- > 0;) {
      if ((set.places & ~holding & PlaceBit(i)) == 0) continue;
      const size_t candidate = CandidateOf(i);
      if (candidate >= candidates_.size()) continue;
      const Replica& replica = replicas_[candidate];
      const bool answered = replica.state == State::kAnswered;
      if (replica.state == State::kAsked || answered || replica.writing_back) {
        ++sure;
        hold = false;
      } else if (replica.state == State::kIdle && context.peers.Reachable(candidates_[candidate])) {
        idle.push_back(candidate);
      }
    }
    for (const size_t candidate : idle) {
      if (sure >= needed) break;
      Ask(context, candidate);
      ++sure;
      hold = false;
    }
  }
  return hold;
}

PeerIndex GetOp::OwnerBehind() const {
  // Not one of those that have answered: it will hold the join itself, so a hint for it adds none.
  for (size_t place = 0; IsOwner(place); ++place) {
    if (replicas_[place].state != State::kAnswered) return candidates_[place];
  }
  return candidates_[0];
}

void GetOp::Ask(OpContext& context, size_t place) {
  Replica& replica = replicas_[place];
  replica.state = State::kAsked;
  replica.asked_at = context.now.monotonic;
  if (candidates_[place] == kSelf) {
    context.effects.verbs.push_back(storage::StoreVerb{
        .id = coordination_.op,
        .key = coordination_.key,
        .durability = coordination_.durability,
        .action = storage::ReadVerb{.hint_owners = context.HintOwners(coordination_.placement)}});
    hedge_at_ = context.now.monotonic + context.options.hedge_max;
    return;
  }
  std::optional<Digest> have;
  const size_t self = PlaceOf(kSelf);
  if (self < candidates_.size() && replicas_[self].state == State::kAnswered) have = said_;
  context.Send(candidates_[place],
               wire::ReadRequest{.op = coordination_.op,
                                 .key = coordination_.key,
                                 .have = have,
                                 .budget = context.Left(coordination_.deadline)});
  hedge_at_ = context.now.monotonic + HedgeAfter(context);
}

Duration GetOp::HedgeAfter(const OpContext& context) const {
  Duration slowest{};
  for (size_t place = 0; place < candidates_.size(); ++place) {
    if (replicas_[place].state != State::kAsked) continue;
    slowest = std::max(slowest, context.peers.AnswerTime(candidates_[place]));
  }
  return std::clamp(slowest * 4, context.options.hedge_min, context.options.hedge_max);
}

bool GetOp::Take(size_t place, std::string record) {
  const Digest digest = storage::RecordDigest(record);
  replicas_[place].holds = digest;
  if (join_ && digest == digest_) return true;
  auto theirs = storage::DecodeRecord(record);
  if (!theirs) return false;
  if (!join_) {
    join_ = std::move(*theirs);
    encoded_ = std::move(record);
    digest_ = digest;
    return true;
  }
  join_->Join(*theirs);
  encoded_ = storage::EncodeRecord(*join_);
  digest_ = storage::RecordDigest(encoded_);
  return true;
}

void GetOp::RepairAllBehind(OpContext& context, bool wait) {
  for (size_t place = 0; place < candidates_.size(); ++place) {
    const Replica& replica = replicas_[place];
    const bool behind =
        replica.state == State::kAnswered && !replica.writing_back && replica.holds != digest_;
    if (behind) Repair(context, place, wait);
  }
}

void GetOp::Repair(OpContext& context, size_t place, bool wait) {
  context.counters.Add(Count::kReadRepairs);
  Replica& replica = replicas_[place];
  replica.writing_back = wait;
  replica.sent = digest_;
  // Nobody waits for a late repair, so nobody hears if it is lost: the next read finds the
  // difference again.
  if (!wait) replica.holds = digest_;
  const uint64_t op = wait ? coordination_.op : 0;
  const PeerIndex member = candidates_[place];
  if (member == kSelf) {
    storage::StoreVerb verb{.id = op,
                            .key = coordination_.key,
                            .durability = coordination_.durability,
                            .action = storage::JoinVerb{encoded_}};
    if (IsStandIn(place)) context.HintHere(OwnerBehind(), &verb);
    context.effects.verbs.push_back(std::move(verb));
    return;
  }
  const NodeId hint_for = IsStandIn(place) ? context.peers.IdOf(OwnerBehind()) : NodeId{};
  context.Send(member,
               wire::WriteRequest{.op = op,
                                  .key = coordination_.key,
                                  .record = encoded_,
                                  .durability = static_cast<uint8_t>(coordination_.durability),
                                  .budget = context.options.deadline_max,
                                  .hint_for = hint_for});
}

bool GetOp::Progress(OpContext& context) {
  const size_t needed = coordination_.quorum.r;
  if (phase_ == Phase::kReading) {
    if (!AskEnough(context)) {
      AnswerWith(context,
                 Error{Code::kUnavailable,
                       fmt::format("r = {} (pr = {}) replicas are needed, {} answered ({} of them "
                                   "owners) and no other of {} can be reached; start the others "
                                   "or ask for a smaller r",
                                   needed, coordination_.quorum.pr, CountOf(State::kAnswered),
                                   OwnersOf(State::kAnswered), candidates_.size())});
      return true;
    }
    if (!Suffice(CountOf(State::kAnswered), OwnersOf(State::kAnswered))) return false;
    if (HoldersOfJoin(heirs_begin_) < CountOf(State::kAnswered))
      context.counters.Add(Count::kReadsDiverged);
    phase_ = Phase::kWritingBack;
    hedge_at_ = context.now.monotonic + context.options.hedge_max;
  }
  if (phase_ == Phase::kWritingBack) {
    const bool heirs_hold = needed == 1 || HeirsHold(context);
    const bool held =
        Suffice(HoldersOfJoin(heirs_begin_), HoldersOfJoin(coordination_.placement.readers));
    if (needed > 1 && held && !heirs_hold) {
      RepairAllBehind(context, true);
      return false;
    }
    if (needed > 1 && !held) {
      RepairAllBehind(context, true);
      // One of them may have failed since it answered: another one is asked in its place.
      if (Suffice(CountOf(State::kAnswered), OwnersOf(State::kAnswered))) return false;
      phase_ = Phase::kReading;
      if (AskEnough(context)) return false;
      AnswerWith(context, Error{Code::kUnavailable,
                                "the replicas differ, and too few of them could be repaired to "
                                "show what they hold; try again"});
      return true;
    }
    // Stand-ins know what they keep, and nothing of what they never saw: it may well be there.
    if (join_->empty() && OwnersOf(State::kAnswered) == 0) {
      AnswerWith(context,
                 Error{Code::kUnavailable,
                       "none of the key's owners answered, and the nodes that stand in for them "
                       "know nothing of it, so whether it is there is not known; start its owners, "
                       "or try again"});
      return true;
    }
    AnswerJoin(context);
    phase_ = Phase::kAnswered;
  }
  RepairAllBehind(context, false);
  return CountOf(State::kAsked, candidates_.size()) == 0 &&
         std::ranges::none_of(replicas_, &Replica::writing_back);
}

void GetOp::AnswerJoin(OpContext& context) {
  wire::ClientReply reply;
  reply.needed = coordination_.quorum.r;
  reply.answered = static_cast<uint8_t>(CountOf(State::kAnswered));
  reply.primaries = coordination_.placement.Fewest(HoldingPlaces());
  reply.context =
      wire::EncodeContextToken(join_->context(), coordination_.bucket, coordination_.client_key);
  const auto show = [&](const lattice::Sibling& sibling) {
    context.clock.Observe(sibling.timestamp, context.now.wall);
    reply.siblings.push_back(
        wire::ShownSibling{sibling.dot, sibling.timestamp, sibling.expires_at, sibling.value});
  };
  if (coordination_.conflict == Conflict::kLastWriter && !all_siblings_) {
    if (const auto* winner = join_->LastWriter(context.now.wall)) show(*winner);
  } else {
    for (const lattice::Sibling& sibling : join_->siblings()) {
      if (!sibling.ExpiredAt(context.now.wall)) show(sibling);
    }
  }
  Answer(context, coordination_.origin, std::move(reply));
}

void GetOp::AnswerWith(OpContext& context, Error error) {
  AnswerError(context, coordination_.origin, std::move(error), coordination_.quorum.r,
              static_cast<uint8_t>(CountOf(State::kAnswered)));
}

}  // namespace eddy::node
