#include "node/actor_lease.h"

namespace eddy::node {

ActorLease::ActorLease(storage::Lease lease, lattice::History history)
    : lease_(lease), history_(history), next_(lease.begin + 1) {}

std::optional<uint64_t> ActorLease::Mint() {
  if (next_ > lease_.end) return std::nullopt;
  return next_++;
}

std::optional<storage::Lease> ActorLease::WantsBlock() {
  const uint64_t left = lease_.end - last_minted();
  if (asked_ || left >= storage::kLeaseBlock / 2) return std::nullopt;
  asked_ = true;
  storage::Lease next = lease_;
  next.end += storage::kLeaseBlock;
  return next;
}

void ActorLease::Extend(const storage::Lease& lease) {
  if (lease.actor != lease_.actor) return;
  lease_.end = lease.end;
  asked_ = false;
}

void ActorLease::TakeNewActor(Random* random) {
  // The counters go on beyond all that this directory has leased, so that what its records say of
  // since when they are remembered holds for the new actor's dots too. Begun at 1 again, they would
  // seem older than every record, and none of them could extend an interval: contexts would grow
  // with each write.
  lease_ = storage::Lease{.actor = random->NextId<ActorId>(),
                          .begin = lease_.end,
                          .end = lease_.end,
                          .boot = lease_.boot};
  history_.begin = lease_.begin + 1;
  next_ = lease_.begin + 1;
  asked_ = false;
}

bool LeaseIsFree(const storage::Lease* witnessed, const storage::Lease& announced) {
  if (witnessed == nullptr) return true;
  if (witnessed->boot == announced.boot) return announced.end >= witnessed->end;
  return announced.begin >= witnessed->end;
}

}  // namespace eddy::node
