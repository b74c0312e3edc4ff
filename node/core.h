// The inside of a Node: the table of operations, and who handles what. See node/node.h for the
// contract.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <tuple>
#include <variant>
#include <vector>

#include "base/hybrid_clock.h"
#include "node/actor_lease.h"
#include "node/background.h"
#include "node/background_budget.h"
#include "node/fences.h"
#include "node/forward_op.h"
#include "node/get_op.h"
#include "node/gossiper.h"
#include "node/hint_book.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/operation.h"
#include "node/operation_table.h"
#include "node/put_op.h"
#include "node/recent_requests.h"
#include "node/served_op.h"
#include "node/topology.h"
#include "storage/key.h"

namespace eddy::node {

class Node::Core {
 public:
  Core(NodeOptions options, BucketTable buckets, ring::Member self, storage::Identity identity,
       Random random);

  void Coordinate(Now now, const Origin& origin, wire::ClientRequest&& request);
  void Receive(Now now, NodeId from, wire::PeerMessage&& message);
  void ReceivePacket(Now now, const gossip::Address& from, std::string_view packet);
  void Complete(Now now, storage::StoreResult&& result);
  void PeerUp(Now now, PeerIndex peer);
  void PeerDown(Now now, PeerIndex peer);
  void Tick(Now now);
  void BeginStop(Now now);
  Status Force(Now now, std::span<const ring::LayoutChange> changes);
  Status Stage(Now now, std::span<const ring::LayoutChange> changes);
  Status Commit(Now now, Digest plan);
  Status ClearStage(Now now);

  bool Ready(std::string_view* reason) const;

  Effects effects;
  NodeCounters counters;
  Peers peers;
  Membership membership;
  Gossiper gossiper;
  Topology topology;
  HintBook hints;
  BackgroundBudget budget;
  ActorLease lease;
  const BucketTable buckets;
  Background background;
  bool no_room = false;  // the store refuses puts

  size_t operations() const { return operations_.size(); }
  std::array<TableSize, kTables> Tables() const;
  NodeId id() const { return peers.IdOf(kSelf); }

 private:
  // A new block of the lease on its way to the disk.
  struct LeaseRow {
    storage::Lease lease;
  };
  // A row of the membership's, likewise.
  struct MembershipRow {
    Membership::Row row;
  };
  using Operation = std::variant<GetOp, PutOp, ForwardOp, ServedRead, ServedWrite, ServedLease,
                                 LeaseRow, MembershipRow>;

  // What a member has said of our lease.
  struct Witness {
    bool granted = false;
    MonotonicTime announced_at;
  };

  static constexpr Duration kAnnounceEvery = std::chrono::milliseconds(250);
  static constexpr size_t kWitnessedMax = 4096;
  static constexpr size_t kOwnRows = 3;  // lease, layouts, votes

  OpContext Context(Now now) {
    return OpContext{now, options_, peers, counters, clock_, hints, budget, effects};
  }

  void Handle(OpContext& context, PeerIndex from, wire::ReadRequest request);
  void Handle(OpContext& context, PeerIndex from, wire::ReadReply reply);
  void Handle(OpContext& context, PeerIndex from, wire::WriteRequest&& request);
  void Handle(OpContext& context, PeerIndex from, const wire::WriteReply& reply);
  void Handle(OpContext& context, PeerIndex from, wire::ForwardRequest request);
  void Handle(OpContext& context, PeerIndex from, wire::ForwardReply reply);
  void Handle(OpContext& context, PeerIndex from, const wire::LeaseAnnouncement& announced);
  void Handle(OpContext& context, PeerIndex from, const wire::LeaseAnswer& answer);
  // What is about the cluster as a whole.
  void Handle(OpContext& context, PeerIndex from, const wire::LayoutBallot& ballot);
  void Handle(OpContext& context, PeerIndex from, const wire::LayoutVote& vote);
  // What is about forgetting the dead.
  void Handle(OpContext& context, PeerIndex from, const wire::QuietRequest& request);
  void Handle(OpContext& context, PeerIndex from, const wire::QuietReply& reply);
  void Handle(OpContext& context, PeerIndex from, const wire::FencePassed& passed);
  void Handle(OpContext& context, PeerIndex from, wire::ReapRequest request);
  // What is about a partition as a whole.
  template <class Message>
  void Handle(OpContext& context, PeerIndex from, Message message) {
    background.Receive(context, from, std::move(message));
  }

  void CoordinateWrite(OpContext& context, const BucketProperties& bucket,
                       Coordination&& coordination, wire::ClientRequest&& request);
  // A retry of a write that is known: true if it was dealt with.
  bool RecogniseRetry(OpContext& context, const Coordination& coordination);
  void BeginPut(OpContext& context, const BucketProperties& bucket, Coordination&& coordination,
                wire::PutAction&& action);
  void BeginDelete(OpContext& context, Coordination&& coordination,
                   const wire::DeleteAction& action);
  void BeginRestore(OpContext& context, Coordination&& coordination, wire::RestoreAction&& action);

  // Makes an operation in the table, under the id that it gives next.
  template <class Op, class... Args>
  Op& Make(Args&&... args) {
    return operations_.Emplace<Op>(std::forward<Args>(args)...);
  }
  // A step of the operation was run: it is erased if that has ended it.
  template <class Op>
  void Settle(uint64_t id, Op& op, bool ended);
  // Runs a handler on an operation of type Op; one that is gone or another kind makes the message
  // late.
  template <class Op, class Run>
  void With(uint64_t id, Run run);
  // After any handler of a write: what retries will be told.
  void RememberOutcome(PutOp& op);

  bool MayBeHintedFor(NodeId owner) const;
  std::vector<NodeId> HintOwnersOf(const OpContext& context, const storage::RecordKey& key) const;

  // After anything that may have changed what the membership knows or wants written.
  void FollowMembership(OpContext& context);
  void Relay(OpContext& context);
  // Which live version reads go by.
  uint64_t ReadingNow() const;
  // Tells how far this node has come with the layouts.
  void ReportProgress(OpContext& context);

  // Nothing is kept here for others, and there is one layout; another number if that was not so
  // meanwhile.
  std::optional<uint64_t> QuietEpoch() const;
  void AnswerQuiet(OpContext& context, PeerIndex to, uint64_t id);
  void PassFence(MonotonicTime now, PeerIndex asker, uint64_t id, uint64_t version);
  void TickReaping(OpContext& context);

  void RenewLease(OpContext& context);
  void AnnounceLease(OpContext& context, PeerIndex to);
  void AnnounceLeaseToAll(OpContext& context);
  void LoseActor(OpContext& context);
  void ConfirmLease(Now now);

  const NodeOptions options_;
  Random random_;
  HybridClock clock_;

  OperationTable<Operation> operations_;
  RecentRequests recent_;
  Fences fences_;

  // Our lease as the other members see it.
  std::map<PeerIndex, Witness> witnesses_;
  uint64_t announcement_;  // names the lease announced last; an answer to another one says nothing
  std::optional<MonotonicTime> started_at_;  // as a member
  bool confirmed_ = false;

  uint64_t layouts_seen_ = 0;  // of membership.changes()
  // Something that was placed by an older topology may be under way still.
  bool draining_ = false;
  uint64_t reading_ = 0;
  // What the topology goes by: the oldest and newest live versions, which of them reads go by, and
  // whether this node is a member.
  std::optional<std::tuple<uint64_t, uint64_t, uint64_t, bool>> going_by_;
  std::optional<uint64_t> filling_;  // the version that this node is being filled for

  // The others' leases as we have witnessed them.
  std::map<ActorId, storage::Lease> witnessed_;
};

}  // namespace eddy::node
