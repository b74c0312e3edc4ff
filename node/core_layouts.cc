// How a node goes by the layouts that its membership knows: it places requests by them, and says
// how far it has come with them.
#include <algorithm>
#include <tuple>
#include <utility>

#include "node/core.h"

namespace eddy::node {

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

Status Node::Core::Stage(Now now, std::span<const ring::LayoutChange> changes) {
  OpContext context = Context(now);
  return membership.Stage(context, changes);
}

Status Node::Core::Commit(Now now, Digest plan) {
  OpContext context = Context(now);
  return membership.Commit(context, plan);
}

Status Node::Core::ClearStage(Now now) {
  OpContext context = Context(now);
  if (!membership.IsMember()) {
    return Fail(Code::kUnavailable, "this node is no member of a cluster");
  }
  membership.ClearStage(context);
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

}  // namespace eddy::node
