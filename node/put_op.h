// A write under way at its coordinator (Dynamo, sections 4.5 and 4.6): a put, a delete, or a record
// that is restored (which needs no verb before it goes to the others).
//
//   Begin ── store verb ──▶ applied ──▶ durable here ───────────┐
//                              │                                ├──▶ w of them: answer, then wait
//                              └── the joined record goes to the│    for the rest, until the
//                                  others: each says durable ───┘    deadline
//                                  │
//                                  └── one that cannot be reached, fails or says nothing for a
//                                      while: a stand-in keeps the record with a hint for it
//
// Each owner has a place in the placement, and a place counts once it is durable at the owner or at
// its stand-in; every live layout must find w of its places. Where no node is left to stand in, the
// coordinator keeps the hint: that brings the owner up to date later and counts for nothing now,
// since it is the same disk again.
//
// A write whose store has not answered by the deadline goes on until it has: only then is it known
// whether there is anything that a retry could complete.
//
// Not done: too few could be reached to begin with, or the verb was refused; nothing was written
// anywhere. From then on a write that finds fewer than w is of unknown outcome: it is stored on
// some replica and may stay.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "node/operation.h"
#include "storage/store.h"

namespace eddy::node {

class PutOp {
 public:
  // How the write ended for its client, for the table of recent requests.
  enum class Outcome : uint8_t { kOpen, kDone, kNotDone, kUnknown };

  // This node is a replica of the key, or stands in for one.
  explicit PutOp(Coordination coordination);

  // One of these starts the operation; true: it has ended already.
  // `shown_context` is the token that the reply carries.
  bool BeginPut(OpContext& context, storage::PutVerb&& verb, std::string shown_context);
  bool BeginDelete(OpContext& context, storage::DeleteVerb verb);
  // An encoded record, to be joined with what every owner holds.
  bool BeginRestore(OpContext& context, std::string record);
  // A client retries a put of unknown outcome: replicate what is stored again, without a new dot.
  // If this store did not keep `dot`, the outcome stays unknown.
  bool BeginAgain(OpContext& context, lattice::Dot dot);

  // Its deadline has passed, and this node's store has not said yet whether it takes the write.
  bool AwaitsStore() const { return outcome_ == Outcome::kUnknown && !replicated_; }
  // A retry of such a write: it has until its own deadline, and gets the answer.
  void Reopen(const Coordination& retry);
  // The same request came again while it is under way: it will get the same answer. Requires that
  // there is none yet.
  void AddOrigin(const Origin& origin) { more_origins_.push_back(origin); }

  bool OnStore(OpContext& context, storage::StoreResult&& result);
  bool OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply);
  bool OnPeerDown(OpContext& context, PeerIndex peer);
  bool OnTick(OpContext& context);

  Outcome outcome() const { return outcome_; }
  // Whether the outcome is another one than when this was asked last, or the operation reopened.
  bool TakeOutcomeNews() { return std::exchange(told_, outcome_) != outcome_; }
  uint64_t epoch() const { return coordination_.epoch; }
  uint64_t id() const { return coordination_.op; }
  RequestId request() const { return coordination_.origin.request; }
  uint8_t needed() const { return coordination_.quorum.w; }
  uint8_t answered() const { return coordination_.placement.Fewest(Acked()); }
  uint8_t primaries() const { return coordination_.placement.Fewest(owners_.acked); }
  const std::string& shown_context() const { return shown_context_; }

 private:
  // Which places were asked and have not answered, and which are durable.
  struct Places {
    PlaceMask asked = 0;
    PlaceMask acked = 0;
  };

  const Placement& placement() const { return coordination_.placement; }
  PlaceMask Acked() const { return owners_.acked | stand_ins_.acked; }
  bool Suffices(PlaceMask owners, PlaceMask stand_ins) const;
  // The places that could be durable if all that can be reached did their part.
  bool CanSuffice(const OpContext& context) const;

  bool Begin(OpContext& context, storage::StoreVerb&& verb);
  // Ends the operation before anything was sent: not done, or, when it was a retry, as unknown as
  // before.
  bool NotDone(OpContext& context, Error error);
  // What the store says after the deadline: the end.
  bool OnStoreLate(const storage::StoreResult& result);
  void Replicate(OpContext& context);
  void Ask(OpContext& context, PeerIndex peer, uint64_t op, NodeId hint_for);
  // Finds somebody to keep the record for the owner of this place. `count`: and counts it.
  void StandIn(OpContext& context, size_t place, bool count);
  PeerIndex NextStandIn(const OpContext& context);
  // The peer's part is durable, or will not be.
  bool PeerSettled(OpContext& context, PeerIndex peer, bool acked);
  bool OwnerSettled(OpContext& context, size_t place, bool acked);
  bool StandInSettled(OpContext& context, size_t place, bool acked);
  bool Progress(OpContext& context);
  void AnswerAll(OpContext& context, const std::optional<Error>& error);

  Coordination coordination_;
  std::vector<Origin> more_origins_;  // of retries that came while under way
  std::string shown_context_;
  std::optional<lattice::Dot> again_;  // the dot of the earlier try
  // Where this node stands: as an owner, or in the first owner's stead. Always the first one's,
  // whoever can be reached: all that a stand-in writes of a key under its own name must be in one
  // row, or a write to another row would claim to have seen it (lattice/record.h, History).
  size_t own_place_;
  bool own_stands_in_;

  Outcome outcome_ = Outcome::kOpen;
  Outcome told_ = Outcome::kOpen;
  bool replicated_ = false;
  std::string record_;  // joined, encoded; once replicated
  MonotonicTime sent_at_;
  Places owners_;
  Places stand_ins_;
  PlaceMask kept_here_ = 0;  // this node keeps a hint for them, uncounted
  bool patient_ = true;      // owners that say nothing have no stand-ins yet
  size_t next_stand_in_ = 0;
  std::array<PeerIndex, Placement::kPlacesMax> stand_in_at_{};  // by place, where one was asked
};

}  // namespace eddy::node
