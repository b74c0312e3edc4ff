// Who belongs to the cluster, as this node knows it and takes part in deciding it (Dynamo, section
// 4.8.1; design, sections 6 and 7): finds the cluster or founds it, asks to be let in, votes on
// layouts and brings them about, and spreads what it knows of them. It never looks at whether a
// member can be reached: members come and go by explicit orders alone.
//
//   no layout known ──┬─ the first seed, when every other seed has asked it, or after a while in
//                     │  which no node has told of a cluster: founds one of all who asked
//                     └─ any other: asks whom it reaches, until a layout has it as a member
//   a member ─────────── orders (of people, of those who ask to join) wait here until a layout that
//                        does what they say is chosen, or shows that they make no sense
//
// What this node says of itself to others is durable before it leaves: the node writes the rows
// that Rows() asks for. A value machine; part of the node, on its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "node/layout_acceptor.h"
#include "node/layout_proposer.h"
#include "node/layout_stage.h"
#include "node/operation.h"
#include "ring/layout_change.h"
#include "ring/layout_history.h"
#include "ring/planner.h"

namespace eddy::node {

class Membership {
 public:
  static constexpr size_t kOrdersMax = ring::kLayoutChangesMax;
  // What members that did not hear each other may have staged together.
  static constexpr size_t kStagedMax = 4 * ring::kLayoutChangesMax;

  // `self`: this process as a member. `layouts` and `votes`: what its rows said; empty: nothing.
  Membership(const MembershipOptions& options, ring::Member self, std::string_view layouts,
             std::string_view votes, Random random);

  // Null: no cluster that this node is, or was, a member of.
  const ring::LayoutHistory* history() const { return history_ ? &*history_ : nullptr; }
  // A member of the newest layout.
  bool IsMember() const { return history_ && history_->newest().Find(self_.id) != nullptr; }
  // Was one, and is none any more.
  bool IsOut() const { return history_ && !IsMember(); }
  const ring::Member& self() const { return self_; }
  // Changes whenever `history` does.
  uint64_t changes() const { return changes_; }
  // What this node waits for before it is a member, for people.
  std::string_view Awaits() const;

  // Orders. kUnavailable: this node is no member; otherwise what MembersAfter says of them, taken
  // together with those that wait already.
  Status Order(std::span<const ring::LayoutChange> changes);
  // Makes the next layout without a vote: for a cluster whose majority is lost for ever. Requires
  // removals alone, of as many members as make the rest a majority of those that are left. If the
  // others are not lost, there may be two layouts of one version, and each side refuses the other.
  Status Force(OpContext& context, std::span<const ring::LayoutChange> changes);
  // The layout that these, and those that wait already, would make.
  Result<ring::Plan> PlanOf(std::span<const ring::LayoutChange> changes) const;
  // What is staged: see node/layout_stage.h. Staged changes are ordered by Commit, at the member
  // that is asked, as one layout; `plan` is the digest of the layout that PlanOf gave for them.
  const LayoutStage& stage() const { return stage_; }
  // What would be, with these.
  LayoutStage StageWith(std::span<const ring::LayoutChange> changes) const;
  // As Order; nothing is staged unless all can be done.
  Status Stage(OpContext& context, std::span<const ring::LayoutChange> changes);
  // kConflict: nothing is staged, or the plan would be another one now.
  Status Commit(OpContext& context, Digest plan);
  void ClearStage(OpContext& context);
  std::vector<ring::Member> Askers() const;
  // Those that wait to be done.
  const std::vector<ring::LayoutChange>& orders() const { return orders_; }

  // This node has come so far, at least; told to the others when it is durable.
  void Reached(ring::LayoutProgress progress);

  void Receive(OpContext& context, PeerIndex from, const wire::JoinRequest& request);
  void Receive(OpContext& context, PeerIndex from, const wire::JoinReply& reply);
  void Receive(OpContext& context, PeerIndex from, const wire::LayoutNews& news);
  void Receive(OpContext& context, PeerIndex from, const wire::LayoutBallot& ballot);
  void Receive(OpContext& context, PeerIndex from, const wire::LayoutVote& vote);
  void PeerUp(OpContext& context, PeerIndex peer);
  void Tick(OpContext& context);

  // A row of Space::kMeta to be written, if one is due; its end is told to RowWritten.
  enum class Row : uint8_t { kLayouts, kVotes };
  std::optional<std::string> NextRow(Row row);
  void RowWritten(OpContext& context, Row row, bool done);

 private:
  // How often it asks to be let in; how often it tells one other member all it knows, since news
  // may be lost.
  static constexpr Duration kAskEvery = std::chrono::milliseconds(500);
  static constexpr Duration kTellEvery = std::chrono::seconds(1);
  // When an acceptor finishes what another proposer has begun and nobody has heard of since.
  static constexpr Duration kFinishAfter = 2 * LayoutProposer::kRoundMax;
  // LayoutStage::told() of what is staged here.
  static constexpr size_t kStageToldMax = 1024;
  static constexpr size_t kVotesMax = 1024;

  struct Vote {
    PeerIndex to;
    wire::LayoutVote vote;
  };

  // The orders that wait, and these.
  Result<std::vector<ring::LayoutChange>> With(std::span<const ring::LayoutChange> changes) const;
  void Found(OpContext& context);
  void AskToJoin(OpContext& context);
  void Remember(const wire::JoinRequest& request);
  void Refuse(OpContext& context, PeerIndex to, uint64_t op, Error error);
  void ReviewOrders();
  void ReviewStage(OpContext& context);
  void StageAsker(OpContext& context, const ring::Member& asker);
  // What another member has staged. True: it lacks something that is staged here.
  bool JoinStage(OpContext& context, const std::string& encoded);
  bool MayPropose() const;
  void Propose(OpContext& context);
  void SendBallot(OpContext& context);
  void OnVote(OpContext& context, NodeId voter, const wire::LayoutVote& vote);
  std::string NextLayout() const;
  void Changed() {
    ++changes_;
    layouts_due_ = true;
  }
  // A cluster that was founded here is not spoken of before that is durable.
  bool IsTold() const { return history_ && !layouts_durable_.empty(); }
  void Tell(OpContext& context, PeerIndex peer) const;
  void TellAll(OpContext& context) const;

  const MembershipOptions options_;
  Random random_;
  ring::Member self_;

  std::optional<ring::LayoutHistory> history_;
  uint64_t changes_ = 0;
  std::optional<MonotonicTime> started_at_;
  MonotonicTime ask_at_;
  MonotonicTime tell_at_;
  size_t next_told_ = 0;

  // Those who asked: to be founders with this node, or to be let in where that takes an order, or
  // cannot be as things are. One of a name.
  struct Asker {
    ring::Member member;
    bool waits = false;
  };
  std::map<NodeId, Asker> askers_;
  // Before there is a cluster.
  bool heard_of_cluster_ = false;
  std::string refusal_;

  std::vector<ring::LayoutChange> orders_;
  LayoutStage stage_;
  uint64_t stage_reviewed_ = 0;  // at which changes_
  LayoutAcceptor acceptor_;
  std::optional<MonotonicTime> accepted_at_;  // about, a value for the next version
  LayoutProposer proposer_;
  wire::LayoutBallot ballot_;  // of its round

  // What is to be durable, what is on its way there, and what waits for it.
  ring::LayoutProgress reached_;
  bool layouts_due_ = false;  // something has changed since the row was last looked at
  std::string layouts_durable_;
  std::string layouts_writing_;  // empty: none is on its way
  ring::LayoutProgress reached_writing_;
  bool votes_due_ = false;
  bool votes_writing_ = false;
  std::deque<Vote> votes_waiting_;
  size_t votes_in_row_ = 0;  // of those, which the row on its way holds
};

}  // namespace eddy::node
