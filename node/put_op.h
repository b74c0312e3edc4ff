// A write under way at its coordinator (Dynamo, section 4.5): a put or a delete.
//
//   Begin ── store verb ──▶ applied ──▶ durable here ───────────┐
//                              │                                ├──▶ w of them: answer, then wait
//                              └── the joined record goes to the│    for the rest, until the
//                                  others: each says durable ───┘    deadline
//
// Not done: too few replicas could be reached, or the verb was refused; nothing was written
// anywhere. From then on a write that finds fewer than w is of unknown outcome: it is stored on
// some replica and may stay.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "node/operation.h"
#include "storage/store.h"

namespace eddy::node {

class PutOp {
 public:
  // How the write ended for its client, for the table of recent requests.
  enum class Outcome : uint8_t { kOpen, kDone, kNotDone, kUnknown };

  explicit PutOp(Coordination coordination);

  // One of these starts the operation; true: it has ended already.
  // `shown_context` is the token that the reply carries.
  bool BeginPut(OpContext& context, storage::PutVerb verb, std::string shown_context);
  bool BeginDelete(OpContext& context, storage::DeleteVerb verb);
  // A client retries a put of unknown outcome: replicate what is stored again, without a new dot.
  // If this store did not keep `dot`, the outcome stays unknown.
  bool BeginAgain(OpContext& context, lattice::Dot dot);

  // The same request came again while it is under way: it will get the same answer. Requires that
  // there is none yet.
  void AddOrigin(const Origin& origin) { more_origins_.push_back(origin); }

  bool OnStore(OpContext& context, storage::StoreResult result);
  bool OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply);
  bool OnPeerDown(OpContext& context, PeerIndex peer);
  bool OnTick(OpContext& context);

  Outcome outcome() const { return outcome_; }
  RequestId request() const { return coordination_.origin.request; }
  uint8_t needed() const { return coordination_.quorum.w; }
  uint8_t answered() const { return acked_; }
  const std::string& shown_context() const { return shown_context_; }

 private:
  enum class Replica : uint8_t { kIdle, kAsked, kAcked, kFailed };

  bool Begin(OpContext& context, storage::StoreVerb verb);
  // Ends the operation before anything was sent: not done, or, when it was a retry, as unknown as
  // before.
  bool NotDone(OpContext& context, Error error);
  void Replicate(OpContext& context, const std::string& record);
  size_t PlaceOf(PeerIndex member) const;
  bool Settle(OpContext& context, size_t place, Replica state);
  bool Progress(OpContext& context);
  void AnswerAll(OpContext& context, const std::optional<Error>& error);

  Coordination coordination_;
  std::vector<Origin> more_origins_;  // of retries that came while under way
  std::string shown_context_;
  std::optional<lattice::Dot> again_;  // the dot of the earlier try
  bool replicated_ = false;
  uint8_t acked_ = 0;
  Outcome outcome_ = Outcome::kOpen;
  MonotonicTime sent_at_;
  std::array<Replica, Placement::kPlacesMax> states_{};  // by place in the preference list
};

}  // namespace eddy::node
