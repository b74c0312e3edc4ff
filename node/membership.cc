#include "node/membership.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "ring/planner.h"

namespace eddy::node {

using ring::LayoutChange;
using ring::LayoutHistory;
using Kind = LayoutChange::Kind;

Membership::Membership(const MembershipOptions& options, ring::Member self,
                       std::string_view layouts, std::string_view votes, Random random)
    : options_(options),
      random_(random),
      self_(std::move(self)),
      stage_(random_.NextId<ActorId>()),
      layouts_durable_(layouts) {
  if (!layouts.empty()) {
    // The rows were checked when they were read.
    auto history = LayoutHistory::Decode(layouts);
    CHECK(history.has_value());
    history_ = *std::move(history);
    reached_ = history_->ProgressOf(self_.id);
  }
  if (!votes.empty()) {
    auto acceptor = LayoutAcceptor::Decode(votes);
    CHECK(acceptor.has_value());
    acceptor_ = *std::move(acceptor);
  }
  // It may be somewhere else than it was.
  if (IsMember() && history_->newest().Find(self_.id)->doors != self_.doors) {
    orders_.push_back({.kind = Kind::kJoin, .id = self_.id, .member = self_});
  }
}

std::string_view Membership::Awaits() const {
  if (IsOut()) {
    return "it was removed from the cluster; to bring it back, start it with an empty data "
           "directory";
  }
  if (!refusal_.empty()) return refusal_;
  if (heard_of_cluster_) return "waiting for the cluster to let it in";
  return options_.founder ? "waiting for the other seeds, to found the cluster"
                          : "waiting for a node that knows the cluster";
}

Result<std::vector<LayoutChange>> Membership::With(std::span<const LayoutChange> changes) const {
  if (!IsMember()) return Fail(Code::kUnavailable, "this node is no member of a cluster");
  std::vector<LayoutChange> orders = orders_;
  for (const LayoutChange& change : changes) {
    if (std::ranges::find(orders, change) == orders.end()) orders.push_back(change);
  }
  if (orders.size() > kOrdersMax) {
    return Fail(Code::kBusy, "too many changes of the cluster wait to be made; try again later");
  }
  return orders;
}

Status Membership::Order(std::span<const LayoutChange> changes) {
  auto orders = With(changes);
  if (!orders) return std::unexpected(orders.error());
  if (auto members = MembersAfter(history_->newest(), *orders); !members) {
    return std::unexpected(members.error());
  }
  orders_ = *std::move(orders);
  return {};
}

Status Membership::Force(OpContext& context, std::span<const LayoutChange> changes) {
  for (const LayoutChange& change : changes) {
    if (change.kind != Kind::kRemove || change.id == self_.id) {
      return Fail(Code::kInvalidArgument, "only the removal of other members can be forced");
    }
  }
  // What waited is ordered again by whoever still wants it.
  orders_.clear();
  const auto plan = PlanOf(changes);
  if (!plan) return std::unexpected(plan.error());
  if (Status added = history_->Add(plan->layout); !added) return added;
  proposer_.Stop();
  context.counters.Add(Count::kLayoutsForced);
  ReviewOrders();
  Changed();
  TellAll(context);
  return {};
}

Result<ring::Plan> Membership::PlanOf(std::span<const LayoutChange> changes) const {
  const auto orders = With(changes);
  if (!orders) return std::unexpected(orders.error());
  const ring::Layout& newest = history_->newest();
  auto members = MembersAfter(newest, *orders);
  if (!members) return std::unexpected(members.error());
  return ring::PlanLayout({.members = *std::move(members),
                           .partition_bits = newest.partition_bits(),
                           .n = options_.replicas,
                           .previous = &newest,
                           .successions = ring::SuccessionsOf(*orders)});
}

LayoutStage Membership::StageWith(std::span<const LayoutChange> changes) const {
  LayoutStage stage = stage_;
  for (const LayoutChange& change : changes) stage.Add(change, history_->newest().version());
  return stage;
}

Status Membership::Stage(OpContext& context, std::span<const LayoutChange> changes) {
  if (!IsMember()) return Fail(Code::kUnavailable, "this node is no member of a cluster");
  LayoutStage stage = StageWith(changes);
  if (stage.size() > kOrdersMax) {
    return Fail(Code::kBusy, "too many changes are staged: commit or clear them first");
  }
  if (stage.told() > kStageToldMax) {
    return Fail(Code::kBusy,
                "too much has been staged and dropped while members were up to remember more: make "
                "this change at once, with --yes");
  }
  if (auto plan = PlanOf(stage.changes()); !plan) return std::unexpected(plan.error());
  stage_ = std::move(stage);
  TellAll(context);
  return {};
}

Status Membership::Commit(OpContext& context, Digest plan) {
  if (!IsMember()) return Fail(Code::kUnavailable, "this node is no member of a cluster");
  const std::vector<LayoutChange> changes = stage_.changes();
  if (changes.empty())
    return Fail(Code::kConflict,
                "nothing is staged, so nothing was changed: stage a change first, as 'eddyctl "
                "cluster leave NODE' does");
  const auto now = PlanOf(changes);
  if (!now) return std::unexpected(now.error());
  if (now->layout.digest() != plan) {
    return Fail(Code::kConflict,
                "nothing was changed: what is staged, or the cluster, is not as it was when you "
                "looked; look at 'eddyctl cluster plan' again");
  }
  if (Status ordered = Order(changes); !ordered) return ordered;
  ClearStage(context);
  return {};
}

void Membership::ClearStage(OpContext& context) {
  stage_.Clear();
  TellAll(context);
}

void Membership::ReviewStage(OpContext& context) {
  if (std::exchange(stage_reviewed_, changes_) == changes_) return;
  if (stage_.Review(history_->newest())) TellAll(context);
}

void Membership::StageAsker(OpContext& context, const ring::Member& asker) {
  const ring::Layout& newest = history_->newest();
  LayoutStage stage = stage_;
  if (stage.size() >= kOrdersMax || stage.told() >= kStageToldMax ||
      !stage.AddAsker(asker, newest.version())) {
    return;
  }
  // One that can never come in would be in the way of all else that is staged.
  if (!MembersAfter(newest, stage.changes())) return;
  stage_ = std::move(stage);
  TellAll(context);
}

bool Membership::JoinStage(OpContext& context, const std::string& encoded) {
  // Whoever knows of none is told with the next news, and no answer is owed: it may be of a version
  // that never speaks of it.
  if (encoded.empty()) return false;
  const auto theirs = LayoutStage::Decode(encoded);
  if (!theirs) {
    context.counters.Add(Count::kRefusedMalformed);
    return false;
  }
  LayoutStage both = stage_;
  if (both.Join(*theirs)) {
    if (both.size() > kStagedMax || both.told() > 4 * kStageToldMax) {
      context.counters.Add(Count::kRefusedMalformed);
      return false;
    }
    stage_ = both;
    stage_reviewed_ = 0;
  }
  return both != *theirs;
}

std::vector<ring::Member> Membership::Askers() const {
  std::vector<ring::Member> askers;
  for (const auto& [id, asker] : askers_) {
    if (!history_ || history_->newest().Find(id) == nullptr) askers.push_back(asker.member);
  }
  return askers;
}

void Membership::Reached(ring::LayoutProgress progress) {
  const ring::LayoutProgress before = reached_;
  reached_.acked = std::max(reached_.acked, progress.acked);
  reached_.synced = std::max(reached_.synced, progress.synced);
  reached_.reading = std::max(reached_.reading, progress.reading);
  if (reached_ != before) layouts_due_ = true;
}

// --- Before this node is a member

void Membership::Found(OpContext& context) {
  std::vector<ring::Member> members{self_};
  for (const auto& [id, asker] : askers_) {
    const ring::Member& member = asker.member;
    // Seeds found the cluster together, however they are set; others that wait go on waiting.
    if (asker.waits && std::ranges::find(options_.seeds, member.name) == options_.seeds.end()) {
      continue;
    }
    const bool named_alike = std::ranges::any_of(
        members, [&](const ring::Member& other) { return other.name == member.name; });
    if (!named_alike) members.push_back(member);
  }
  auto plan = ring::PlanLayout({.members = std::move(members),
                                .partition_bits = options_.partition_bits,
                                .n = options_.replicas});
  CHECK(plan.has_value());
  history_.emplace(std::move(plan->layout));
  reached_ = history_->ProgressOf(self_.id);
  askers_.clear();
  Changed();
  context.counters.Add(Count::kClustersFounded);
}

void Membership::AskToJoin(OpContext& context) {
  // All of them, until one has told of a cluster; then one after the other, or they would all set
  // about it.
  for (size_t tries = 1; tries < context.peers.size(); ++tries) {
    next_told_ = next_told_ % (context.peers.size() - 1) + 1;
    const PeerIndex peer{static_cast<uint16_t>(next_told_)};
    if (!context.peers.Connected(peer)) continue;
    context.Send(peer,
                 wire::JoinRequest{
                     .member = self_, .replaces = options_.replaces, .waits = !options_.auto_join});
    if (heard_of_cluster_) return;
  }
}

void Membership::Refuse(OpContext& context, PeerIndex to, uint64_t op, Error error) {
  context.Send(to, wire::JoinReply{.op = op, .error = std::move(error)});
}

void Membership::Remember(const wire::JoinRequest& request) {
  const ring::Member& member = request.member;
  // A node of the same name was an earlier life of this one.
  std::erase_if(askers_, [&](const auto& known) {
    return known.second.member.name == member.name && known.first != member.id;
  });
  if (askers_.size() < ring::kMembersMax || askers_.contains(member.id)) {
    askers_.insert_or_assign(member.id, Asker{member, request.waits});
  }
}

void Membership::Receive(OpContext& context, PeerIndex from, const wire::JoinRequest& request) {
  const ring::Member& member = request.member;
  if (member.id != context.peers.IdOf(from) || !ring::CheckMembers({member})) {
    return context.counters.Add(Count::kRefusedMalformed);
  }
  if (!history_) return Remember(request);
  if (!IsMember()) return;
  LayoutChange change{.kind = Kind::kJoin, .id = member.id, .member = member};
  const ring::Layout& newest = history_->newest();
  if (!request.replaces.empty() && newest.Find(member.id) == nullptr) {
    const auto lost = std::ranges::find(newest.members(), request.replaces, &ring::Member::name);
    if (lost != newest.members().end()) {
      change.kind = Kind::kReplace;
      change.id = lost->id;
    } else if (request.replaces != member.name) {
      return Refuse(context, from, request.op,
                    {Code::kInvalidArgument, "no member is named '" + request.replaces +
                                                 "': start it without --replace, to join"});
    }
    // Of its own namesake there is nothing left to replace: it joins.
  }
  if (IsDone(newest, change)) return Tell(context, from);
  const bool waits = !options_.auto_join || request.waits;
  if (waits && change.kind == Kind::kJoin && newest.Find(member.id) == nullptr) {
    Remember(request);
    StageAsker(context, member);
    return Refuse(context, from, request.op,
                  {Code::kUnavailable,
                   fmt::format("it waits for an order (auto_join = false): its joining is staged, "
                               "and 'eddyctl cluster commit' lets it in with all else that is; "
                               "'eddyctl cluster join {0}' stages it again, 'eddyctl cluster "
                               "replace NODE {0}' lets it take over from another one",
                               member.name)});
  }
  if (auto ok = Order({&change, 1}); !ok) {
    Remember(request);
    return Refuse(context, from, request.op, ok.error());
  }
  context.Send(from, wire::JoinReply{.op = request.op, .error = std::nullopt});
}

void Membership::Receive(OpContext&, PeerIndex, const wire::JoinReply& reply) {
  if (history_) return;
  heard_of_cluster_ = true;
  refusal_ = reply.error ? reply.error->text : "";
}

// --- What is known, spread

void Membership::Tell(OpContext& context, PeerIndex peer) const {
  if (!IsTold()) return;
  context.Send(peer, wire::LayoutNews{.history = history_->Encode(), .stage = stage_.Encode()});
}

void Membership::TellAll(OpContext& context) const {
  if (!IsTold()) return;
  const std::string history = history_->Encode();
  const std::string stage = stage_.Encode();
  for (uint16_t peer = 1; peer < context.peers.size(); ++peer) {
    if (!context.peers.Connected(PeerIndex{peer})) continue;
    context.Send(PeerIndex{peer}, wire::LayoutNews{.history = history, .stage = stage});
  }
}

void Membership::Receive(OpContext& context, PeerIndex from, const wire::LayoutNews& news) {
  // Most news is none, and looking into it costs more than all else that a quiet node does.
  if (history_ && news.history == history_->Encode() && news.stage == stage_.Encode()) return;
  auto theirs = LayoutHistory::Decode(news.history);
  if (!theirs) return context.counters.Add(Count::kRefusedMalformed);
  if (!history_) {
    heard_of_cluster_ = true;
    if (theirs->newest().Find(self_.id) == nullptr) return;
    history_ = *std::move(theirs);
    reached_ = history_->ProgressOf(self_.id);
    askers_.clear();
    return Changed();
  }
  const auto learnt = history_->Join(*theirs);
  if (!learnt) return context.counters.Add(Count::kLayoutsRefused);
  if (*learnt) Changed();
  const bool among_members =
      IsMember() && history_->newest().Find(context.peers.IdOf(from)) != nullptr;
  const bool stage_missing = among_members && JoinStage(context, news.stage);
  const auto missing = theirs->Join(*history_);
  if (stage_missing || (missing && *missing)) Tell(context, from);
}

void Membership::PeerUp(OpContext& context, PeerIndex peer) {
  if (history_) return Tell(context, peer);
  ask_at_ = context.now.monotonic;
}

void Membership::Tick(OpContext& context) {
  const MonotonicTime now = context.now.monotonic;
  if (!started_at_) started_at_ = now;
  if (!history_) {
    const bool all_asked = std::ranges::all_of(options_.seeds, [&](const std::string& name) {
      return std::ranges::any_of(
          askers_, [&](const auto& asker) { return asker.second.member.name == name; });
    });
    const bool waited = now >= *started_at_ + options_.found_after;
    if (options_.founder && !heard_of_cluster_ && (all_asked || waited)) return Found(context);
    if (now < ask_at_) return;
    ask_at_ = now + kAskEvery;
    return AskToJoin(context);
  }
  if (!IsMember()) return;
  if (now >= tell_at_) {
    tell_at_ = now + kTellEvery;
    // One after the other, those that cannot be reached left out.
    for (size_t tries = 1; tries < context.peers.size(); ++tries) {
      next_told_ = next_told_ % (context.peers.size() - 1) + 1;
      const PeerIndex peer{static_cast<uint16_t>(next_told_)};
      if (!context.peers.Connected(peer)) continue;
      Tell(context, peer);
      break;
    }
  }
  proposer_.OnTick(now, history_->newest().version(), &random_);
  ReviewOrders();
  ReviewStage(context);
  if (!proposer_.Rests(now)) return;
  if (!orders_.empty() && MayPropose()) return Propose(context);
  // Whoever brought a value so far may be gone, and the others must learn what was chosen.
  if (!acceptor_.HasAccepted(history_->newest().version() + 1)) {
    accepted_at_.reset();
  } else if (!accepted_at_) {
    accepted_at_ = now;
  } else if (now >= *accepted_at_ + kFinishAfter) {
    accepted_at_.reset();
    Propose(context);
  }
}

// --- Deciding

// Drops what is done, and what can never be.
void Membership::ReviewOrders() {
  if (orders_.empty()) return;
  const ring::Layout& newest = history_->newest();
  std::vector<LayoutChange> possible;
  for (LayoutChange& order : orders_) {
    if (IsDone(newest, order)) continue;
    possible.push_back(std::move(order));
    if (!MembersAfter(newest, possible)) possible.pop_back();
  }
  orders_ = std::move(possible);
}

// One change at a time, but that what is lost for ever need not be waited for.
bool Membership::MayPropose() const {
  if (history_->live().size() == 1) return true;
  if (history_->live().size() == LayoutHistory::kLiveMax) return false;
  // The places on top of a change are for what was lost for ever, without which nothing can end:
  // whoever goes by its own will can wait.
  return std::ranges::any_of(orders_, [this](const LayoutChange& order) {
    return (order.kind == Kind::kRemove && order.id != self_.id) || order.kind == Kind::kReplace;
  });
}

void Membership::Propose(OpContext& context) {
  const ring::Layout& newest = history_->newest();
  ballot_ = proposer_.Begin(context.now.monotonic, newest, self_.id,
                            acceptor_.RoundOf(newest.version() + 1));
  Receive(context, kSelf, ballot_);
}

void Membership::SendBallot(OpContext& context) {
  context.counters.Add(Count::kLayoutBallots);
  for (const ring::Member& member : history_->newest().members()) {
    const auto peer = context.peers.Meet(member.id);
    if (peer && *peer != kSelf && context.peers.Reachable(*peer)) context.Send(*peer, ballot_);
  }
}

void Membership::Receive(OpContext& context, PeerIndex from, const wire::LayoutBallot& ballot) {
  if (!IsMember() || history_->newest().Find(ballot.ballot.proposer) == nullptr) {
    if (from != kSelf) Tell(context, from);
    return;
  }
  const ring::Layout& newest = history_->newest();
  // One of us is behind.
  if (ballot.version != newest.version() + 1) return Tell(context, from);
  if (history_->live().size() == LayoutHistory::kLiveMax) return;
  auto vote = acceptor_.OnBallot(ballot, newest);
  if (!vote) return context.counters.Add(Count::kRefusedMalformed);
  if (votes_waiting_.size() == kVotesMax) return context.counters.Add(Count::kRefusedBusy);
  votes_due_ = true;
  votes_waiting_.push_back({from, *std::move(vote)});
}

void Membership::Receive(OpContext& context, PeerIndex from, const wire::LayoutVote& vote) {
  if (!history_) return;
  OnVote(context, context.peers.IdOf(from), vote);
}

void Membership::OnVote(OpContext& context, NodeId voter, const wire::LayoutVote& vote) {
  const ring::Layout& newest = history_->newest();
  const auto before = proposer_.step();
  const auto step = proposer_.OnVote(context.now.monotonic, voter, vote, newest, &random_);
  if (step == before) return;
  if (step == LayoutProposer::Step::kProposing) {
    std::string value = proposer_.adopted().empty() ? NextLayout() : proposer_.adopted();
    if (value.empty()) return proposer_.Stop();
    ballot_ = proposer_.Propose(std::move(value));
    SendBallot(context);
    Receive(context, kSelf, ballot_);
  } else if (step == LayoutProposer::Step::kChosen) {
    auto chosen = ring::Layout::Decode(proposer_.value());
    CHECK(chosen.has_value());  // the acceptors looked at it
    proposer_.Stop();
    if (!history_->Add(*std::move(chosen))) return;
    context.counters.Add(Count::kLayoutsChosen);
    ReviewOrders();
    Changed();
    // At once, and also to whom it lets in or sends away; it is chosen, whatever becomes of us.
    TellAll(context);
  }
}

// With all that is ordered; empty: nothing is any more.
std::string Membership::NextLayout() const {
  if (orders_.empty()) return {};
  auto plan = PlanOf({});
  return plan ? plan->layout.Encode() : std::string();
}

// --- Rows

std::optional<std::string> Membership::NextRow(Row row) {
  if (row == Row::kVotes) {
    if (!votes_due_ || votes_writing_) return std::nullopt;
    votes_due_ = false;
    votes_writing_ = true;
    votes_in_row_ = votes_waiting_.size();
    return acceptor_.Encode();
  }
  if (!history_ || !layouts_due_ || !layouts_writing_.empty()) return std::nullopt;
  layouts_due_ = false;
  LayoutHistory next = *history_;
  next.Advance(self_.id, reached_);
  std::string encoded = next.Encode();
  if (encoded == layouts_durable_) return std::nullopt;
  layouts_writing_ = encoded;
  reached_writing_ = reached_;
  return encoded;
}

void Membership::RowWritten(OpContext& context, Row row, bool done) {
  if (row == Row::kLayouts) {
    std::string written = std::exchange(layouts_writing_, {});
    if (!done) {
      layouts_due_ = true;
      return;
    }
    const bool first = layouts_durable_.empty();
    layouts_durable_ = std::move(written);
    const bool further = history_->Advance(self_.id, reached_writing_);
    if (further) Changed();
    if (further || first) TellAll(context);
    return;
  }
  votes_writing_ = false;
  if (!done) {
    votes_due_ = true;
    return;
  }
  for (; votes_in_row_ > 0; --votes_in_row_) {
    Vote vote = std::move(votes_waiting_.front());
    votes_waiting_.pop_front();
    if (vote.to == kSelf) {
      if (!vote.vote.accepts && vote.vote.granted && vote.vote.ballot == ballot_.ballot) {
        SendBallot(context);
      }
      OnVote(context, self_.id, vote.vote);
    } else {
      context.Send(vote.to, std::move(vote.vote));
    }
  }
}

}  // namespace eddy::node
