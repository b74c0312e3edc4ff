// The source of dots: counters of this node's actor, leased ahead in durable blocks, so that a
// crash skips numbers and never repeats one (design, section 4). The other members witness each
// lease; when a copy or an old backup of this directory starts, a witness finds that its counters
// were given out before, and it takes a new actor.
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "lattice/record.h"
#include "storage/identity.h"

namespace eddy::node {

class ActorLease {
 public:
  ActorLease(storage::Lease lease, lattice::History history);

  // A fresh dot's counter; nullopt while the next block is not durable yet.
  std::optional<uint64_t> Mint();
  // No counter beyond this was minted by this actor.
  uint64_t last_minted() const { return next_ - 1; }
  ActorId actor() const { return lease_.actor; }
  lattice::History history() const { return history_; }
  const storage::Lease& lease() const { return lease_; }
  // False: a new actor whose first block is not durable yet.
  bool HasBlock() const { return lease_.begin < lease_.end; }

  // This store may have forgotten something: nothing minted so far may be extended.
  void BeginHistory() { history_.begin = next_; }

  // The block to make durable next (half of the present one is used up, or the actor is new), once:
  // the caller writes its row, then calls Extend. Nullopt: nothing to do.
  std::optional<storage::Lease> WantsBlock();
  // The row of `lease` is durable: its counters may be minted. A row of an actor that was given up
  // since is ignored.
  void Extend(const storage::Lease& lease);
  // The row could not be written: ask again.
  void ExtendFailed() { asked_ = false; }

  // Somebody else used this actor: start anew as another one, whose first block WantsBlock asks
  // for.
  void TakeNewActor(Random* random);

 private:
  storage::Lease lease_;
  lattice::History history_;
  uint64_t next_;
  bool asked_ = false;
};

// As a witness: whether `announced` may be granted, given what was witnessed of its actor before
// (null: nothing). The same start may announce again and extend; another start must begin where
// every earlier one had ended.
bool LeaseIsFree(const storage::Lease* witnessed, const storage::Lease& announced);

}  // namespace eddy::node
