// What every operation shares. An operation is a small value in the node's table: a request under
// way, waiting for results and replies. Its handlers run to completion, emit effects through the
// context, and return whether it has ended; nothing ever calls back into an operation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/hybrid_clock.h"
#include "base/time.h"
#include "node/background_budget.h"
#include "node/bucket.h"
#include "node/counters.h"
#include "node/effects.h"
#include "node/hint_book.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/placement.h"

namespace eddy::node {

// The id of a verb whose result nobody waits for.
inline constexpr uint64_t kNobodyWaits = 0;

// What handlers may look at and act through; lives for one call.
struct OpContext {
  Now now;
  const NodeOptions& options;
  Peers& peers;
  NodeCounters& counters;
  HybridClock& clock;
  HintBook& hints;
  BackgroundBudget& budget;
  Effects& effects;

  // `message`: any that a wire::PeerMessage can hold.
  template <class Message>
  void Send(PeerIndex to, Message message) {
    effects.sends.emplace_back(peers.IdOf(to), std::move(message));
  }
  // A scan found the row of this key bad.
  void Check(std::string key) {
    effects.verbs.push_back(storage::StoreVerb{
        .id = kNobodyWaits, .key = std::move(key), .action = storage::CheckVerb{}});
  }
  // Aims a verb at the hint row for this owner.
  void HintHere(PeerIndex owner, storage::StoreVerb* verb) {
    const NodeId id = peers.IdOf(owner);
    counters.Add(Count::kHintsKept);
    hints.Note(id);
    verb->hint_owner = id;
  }
  // The owners of the key for whom there may be hints here: a stand-in's read joins them in. Not
  // an owner's: it speaks for what it holds itself, and a hint goes when the other one has it.
  std::vector<NodeId> HintOwners(const Placement& placement) const {
    std::vector<NodeId> owners;
    if (hints.empty() || placement.PlaceOf(kSelf) < placement.readers) return owners;
    for (const PeerIndex owner : placement.replicas) {
      const NodeId id = peers.IdOf(owner);
      if (hints.MayHold(id)) owners.push_back(id);
    }
    return owners;
  }
  // Never negative: what is left of a deadline that has passed is nothing.
  Duration Left(MonotonicTime deadline) const {
    return std::max(deadline - now.monotonic, Duration{});
  }
};

// Who asked: a client of this node, or a node that forwarded a client's request.
struct Origin {
  std::optional<PeerIndex> forwarder;
  uint64_t id = 0;         // the client's ticket, or the forwarder's operation
  RequestId request = {};  // goes back in the reply
  MonotonicTime since = {};
};

void Answer(OpContext& context, const Origin& origin, wire::ClientReply reply);
// An answer that carries an error; counts its class.
void AnswerError(OpContext& context, const Origin& origin, Error error, uint8_t needed,
                 uint8_t answered);

// What coordinating needs to know of a request, settled before the operation begins.
struct Coordination {
  uint64_t op = 0;
  Origin origin;
  std::string bucket;
  std::string client_key;
  std::string key;  // encoded
  Quorum quorum;
  Conflict conflict = Conflict::kSiblings;
  storage::Durability durability = storage::Durability::kSync;
  MonotonicTime deadline;
  Placement placement;  // this node is one of the replicas
  uint64_t epoch = 0;   // of the topology that placed it
};

}  // namespace eddy::node
