// A read under way at its coordinator (Dynamo, section 4.5), with read repair (section 5).
//
//   Begin ── read here, and ask r - 1 others, saying what we hold
//     │      one is slow: hedge to one more; one fails: ask the next, and where too few owners can
//     │      be reached, those who stand in for them; no more to ask: not done
//     ▼
//   r answered ── all the same ──────────────────────────────────────────▶ answer
//     └── they differ ── write the join back until r replicas hold it ───▶ answer
//                                                                           │
//                                                                           ▼
//                 late replies count too: repair whoever is behind, until the deadline
//
// Writing back before the answer keeps what a quorum read has shown from vanishing when its writer
// died half-way. A read with r = 1 makes no such promise and repairs afterwards only.
//
// While a newer layout is being filled, its owners (the heirs) are not read from, but what a read
// with r > 1 shows must not vanish when they take over: so the join is brought to r of their list
// as well, as far as they answer in time. The reply says how many owners hold it where fewest do.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/hash.h"
#include "lattice/record.h"
#include "node/operation.h"
#include "storage/store.h"

namespace eddy::node {

class GetOp {
 public:
  GetOp(Coordination coordination, bool all_siblings);

  // True from any of these: the operation has ended.
  bool Begin(OpContext& context);
  bool OnStore(OpContext& context, storage::StoreResult result);
  bool OnReadReply(OpContext& context, PeerIndex from, wire::ReadReply reply);
  bool OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply);
  bool OnPeerDown(OpContext& context, PeerIndex peer);
  bool OnTick(OpContext& context);

  uint64_t epoch() const { return coordination_.epoch; }

 private:
  enum class Phase : uint8_t { kReading, kWritingBack, kAnswered };
  enum class State : uint8_t { kIdle, kAsked, kAnswered, kFailed };

  struct Replica {
    State state = State::kIdle;
    bool writing_back = false;  // was sent a join, and the answer waits for its acknowledgement
    MonotonicTime asked_at;
    Digest holds;  // of its record, once it answered
    Digest sent;   // of the join that it was sent last
  };

  size_t PlaceOf(PeerIndex peer) const {
    return static_cast<size_t>(std::ranges::find(candidates_, peer) - candidates_.begin());
  }
  bool IsOwner(size_t place) const { return place < coordination_.placement.readers; }
  bool IsStandIn(size_t place) const { return !IsOwner(place) && place < heirs_begin_; }
  size_t CountOf(State state) const { return CountOf(state, heirs_begin_); }
  size_t OwnersOf(State state) const { return CountOf(state, coordination_.placement.readers); }
  size_t CountOf(State state, size_t places) const;
  size_t HoldersOfJoin(size_t places) const;
  // Whether so many replicas, so many of them owners, are what the request asked for.
  bool Suffice(size_t replicas, size_t owners) const {
    return replicas >= coordination_.quorum.r && owners >= coordination_.quorum.pr;
  }
  // The best candidate not asked yet that can be reached; nullopt if there is none.
  std::optional<size_t> NextToAsk(const OpContext& context, bool owners_only) const;
  // Asks until enough are under way. False: there are too few.
  bool AskEnough(OpContext& context);
  // The places of the placement that stand behind the answer: that hold the join, or of a read with
  // r = 1 have answered.
  PlaceMask HoldingPlaces() const;
  size_t CandidateOf(size_t place) const;
  // Whether so many of each newer list hold the join as it takes; asks more of them where that
  // helps.
  bool HeirsHold(OpContext& context);
  // The owner in whose stead a stand-in keeps what is written back to it.
  PeerIndex OwnerBehind() const;
  void Ask(OpContext& context, size_t place);
  // What the replica at `place` holds: joins it. False if it cannot be decoded.
  bool Take(size_t place, std::string record);
  // Sends the join to every replica that answered and is behind; `wait`: the answer waits for them.
  void RepairAllBehind(OpContext& context, bool wait);
  void Repair(OpContext& context, size_t place, bool wait);
  void WrittenBack(size_t place, bool done);
  bool Progress(OpContext& context);
  void AnswerJoin(OpContext& context);
  void AnswerWith(OpContext& context, Error error);
  Duration HedgeAfter(const OpContext& context) const;

  Coordination coordination_;
  const bool all_siblings_;
  Phase phase_ = Phase::kReading;
  // The preference list, then its stand-ins if they may count, then the heirs; a place in here is
  // what follows.
  static constexpr size_t kHeirsMax = 8;
  InlineVector<PeerIndex, ring::kWalkMax + kHeirsMax> candidates_;
  std::array<Replica, ring::kWalkMax + kHeirsMax> replicas_{};
  size_t heirs_begin_;
  bool without_heirs_ = false;  // they take too long
  MonotonicTime hedge_at_;

  // What this node read here, and said to the others that it holds.
  Digest said_;

  // The join of all answers so far, its encoding and the digest of that; nullopt before the first.
  std::optional<lattice::Record> join_;
  std::string encoded_;
  Digest digest_;
};

}  // namespace eddy::node
