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
  lease_ = storage::Lease{.actor = random->NextId<ActorId>(), .boot = lease_.boot};
  // A new actor has minted nothing that it could have forgotten.
  history_ = lattice::History{};
  next_ = 1;
  asked_ = false;
}

bool LeaseIsFree(const storage::Lease* witnessed, const storage::Lease& announced) {
  if (witnessed == nullptr) return true;
  if (witnessed->boot == announced.boot) return announced.end >= witnessed->end;
  return announced.begin >= witnessed->end;
}

}  // namespace eddy::node
