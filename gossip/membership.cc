#include "gossip/membership.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::gossip {

namespace {

constexpr Duration kForgetPeriod = std::chrono::minutes(1);

}  // namespace

Membership::Membership(const Options& options, const MemberState& self, Counters* counters)
    : options_(options),
      self_(self),
      others_(options.members_max),
      broadcasts_(options.members_max),
      counters_(counters) {
  CHECK(!self.id.IsNone() && self.liveness == Liveness::kAlive);
  CHECK(options.members_max < kMembersMax);
  CHECK(self.incarnation <= kIncarnationMax && IsAddress(self.address));
}

Membership::Heard Membership::Hear(MonotonicTime now, const Update& update) {
  const MemberState& claim = update.member;
  if (claim.id == self_.id) return HearOfSelf(claim);
  const MemberState* known = others_.Find(claim.id);
  if (known == nullptr) {
    HearOfStranger(now, update);
  } else if (known->IsBelow(claim)) {
    Change(now, MemberState(*known), update);
  } else if (claim == *known && claim.liveness == Liveness::kSuspect &&
             suspicions_.at(claim.id).Confirm(update.from)) {
    broadcasts_.Push(update);
  } else if (IsDoubt(claim.liveness) && !IsDoubt(known->liveness)) {
    return Heard::kOutdated;
  }
  return Heard::kOther;
}

bool Membership::HearState(MonotonicTime now, const StateSync& state) {
  bool doubted = false;
  for (const MemberState& member : state.members) {
    Update update{.member = member, .from = {}};
    if (IsDoubt(member.liveness)) update.from = state.sender;
    if (member.liveness == Liveness::kDead && others_.IsHere(member.id)) {
      update.member.liveness = Liveness::kSuspect;
    }
    // The sender may have it from another, so it confirms nothing.
    if (const MemberState* known = others_.Find(member.id);
        known != nullptr && *known == update.member) {
      continue;
    }
    doubted |= Hear(now, update) == Heard::kDoubted;
  }
  return doubted;
}

void Membership::Suspect(MonotonicTime now, NodeId id) {
  const MemberState* known = others_.Find(id);
  if (known == nullptr || !known->IsHere()) return;
  Update update{.member = *known, .from = self_.id};
  update.member.liveness = Liveness::kSuspect;
  Hear(now, update);
}

void Membership::Leave() {
  self_.liveness = Liveness::kLeft;
  broadcasts_.Push(Update{.member = self_, .from = {}});
}

void Membership::Expire(MonotonicTime now) {
  std::vector<NodeId> ended;
  for (const auto& [id, suspicion] : suspicions_) {
    if (now >= suspicion.Deadline()) ended.push_back(id);
  }
  for (const NodeId id : ended) {
    Update update{.member = *others_.Find(id), .from = self_.id};
    update.member.liveness = Liveness::kDead;
    Hear(now, update);
  }
  if (now < forget_at_) return;
  forget_at_ = now + kForgetPeriod;
  others_.ForgetGone(now - options_.gone_kept);
}

MonotonicTime Membership::NextExpiry() const {
  MonotonicTime next = forget_at_;
  for (const auto& [id, suspicion] : suspicions_) next = std::min(next, suspicion.Deadline());
  return next;
}

void Membership::Postpone(Duration by) {
  for (auto& [id, suspicion] : suspicions_) suspicion.Postpone(by);
}

StateSync Membership::State() const {
  StateSync state{.sender = self_.id, .members = {}};
  for (const auto& [id, entry] : others_.entries()) {
    state.members.push_back(entry.state);
  }
  const auto place = std::ranges::lower_bound(state.members, self_.id, {}, &MemberState::id);
  state.members.insert(place, self_);
  return state;
}

void Membership::TakeEvents(std::vector<Event>* events) {
  std::ranges::move(events_, std::back_inserter(*events));
  events_.clear();
}

Membership::Heard Membership::HearOfSelf(const MemberState& claim) {
  if (self_.IsBelow(claim)) {
    if (claim.incarnation >= kIncarnationMax) {
      counters_->Add(Count::kIrrefutable);
      return Heard::kOther;
    }
    self_.incarnation = Incarnation{claim.incarnation.value + 1};
    broadcasts_.Push(Update{.member = self_, .from = {}});
    counters_->Add(Count::kRefutations);
    return IsDoubt(claim.liveness) ? Heard::kDoubted : Heard::kOther;
  }
  if (!IsDoubt(claim.liveness)) return Heard::kOther;
  // Somebody has missed the refutation, or what was said before the goodbye still goes round.
  if (!broadcasts_.Holds(self_.id)) broadcasts_.Push(Update{.member = self_, .from = {}});
  return Heard::kOutdated;
}

void Membership::HearOfStranger(MonotonicTime now, const Update& update) {
  const MemberState& claim = update.member;
  // Else nodes that forget the gone at different times would remind each other for ever.
  if (!claim.IsHere()) return;
  if (!others_.Put(now, claim)) {
    counters_->Add(Count::kMembersRefused);
    return;
  }
  arrivals_.insert(claim.id);
  Happened(EventKind::kAlive, claim);
  if (claim.liveness == Liveness::kSuspect) BeginSuspicion(now, update);
  broadcasts_.Push(update);
}

void Membership::Change(MonotonicTime now, const MemberState& before, const Update& update) {
  const MemberState& after = update.member;
  CHECK(others_.Put(now, after));
  suspicions_.erase(after.id);
  if (after.address != before.address) Happened(EventKind::kAddressChanged, after);
  if (after.IsHere() && !before.IsHere()) arrivals_.insert(after.id);
  if (after.IsHere() && (!before.IsHere() || after.liveness < before.liveness)) {
    Happened(EventKind::kAlive, after);
  }
  if (after.liveness == Liveness::kSuspect) {
    BeginSuspicion(now, update);
  } else if (after.liveness != before.liveness && !after.IsHere()) {
    const bool dead = after.liveness == Liveness::kDead;
    if (dead) counters_->Add(Count::kDeaths);
    Happened(dead ? EventKind::kDead : EventKind::kLeft, after);
  }
  broadcasts_.Push(update);
}

void Membership::BeginSuspicion(MonotonicTime now, const Update& update) {
  const SuspicionLimits limits =
      SuspicionLimitsFor(options_.suspicion, options_.probe_period, cluster_size());
  suspicions_.emplace(update.member.id, Suspicion(now, update.from, limits));
  counters_->Add(Count::kSuspicions);
  Happened(EventKind::kSuspect, update.member);
}

void Membership::Happened(EventKind kind, const MemberState& member) {
  events_.push_back(Event{.kind = kind, .member = member});
}

}  // namespace eddy::gossip
