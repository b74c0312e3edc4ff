// What must come right when faults have stopped: phase after phase, each in bounded time.
#include <algorithm>

#include <fmt/core.h>

#include "sim/cluster_world.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long the end may take once faults have stopped: for processes to start and find each other
// and for the last operations to end; for the hints to reach their owners; for each key to become
// equal; for that to be noticed; for the tombstones to go; and for what is left to end.
constexpr Duration kHealMax = seconds(90);
constexpr Duration kDeliverMax = seconds(30);
constexpr Duration kConvergeMax = seconds(60);
constexpr Duration kProveMax = seconds(60);
constexpr Duration kReapMax = seconds(60);
constexpr Duration kDrainMax = seconds(10);
constexpr Duration kPhasePeriod = milliseconds(10);

}  // namespace

void Cluster::EnterPhase(Phase phase, Duration at_most) {
  for (const auto& node : nodes_) {
    if (!node->HintsAreCounted()) {
      checker_.Fail(fmt::format("{} keeps other hints than it counts", node->name()));
    }
  }
  phase_ = phase;
  phase_ends_by_ = world_.now + at_most;
}

void Cluster::OnPhase() {
  BearAgain();
  // A change that some had agreed to when its proposer died may be found and made long after.
  const ring::Layout* newest = NewestLayout();
  if (phase_ > Phase::kHealing && newest != nullptr && newest->version() != healed_as_) {
    world_.trace.Tell(world_.now, "the layout changes once more");
    EnterPhase(Phase::kHealing, kHealMax);
  }
  switch (phase_) {
    case Phase::kBreaking:
      LetIn(false);
      CommitStaged();
      if (world_.now < VirtualTime(length_)) {
        return world_.Schedule(kWatchPeriod,
                               Event{.kind = Event::Kind::kPhase, .node = {}, .peer = {}});
      }
      world_.trace.Tell(world_.now, "faults stop");
      faults_->Heal();
      workload_->Quiesce();
      for (uint8_t i = 0; i < plan_.nodes; ++i) ScheduleStart(NodeIndex{i}, Duration{});
      EnterPhase(Phase::kHealing, kHealMax);
      break;
    case Phase::kHealing:
      LetIn(true);
      if (!Healed()) break;
      healed_as_ = NewestLayout()->version();
      EnterPhase(Phase::kDelivering, kDeliverMax);
      break;
    case Phase::kDelivering:
      if (!Delivered()) break;
      checker_.HintsDelivered();
      for (SimKey& key : keys_) PutOnRing(&key, *NewestLayout());
      workload_->ForgetFinalRead();
      converging_ = {};
      converged_unread_ = false;
      EnterPhase(Phase::kConverging, kConvergeMax);
      break;
    case Phase::kConverging:
      ConvergeNext();
      break;
    case Phase::kProving:
      if (AllProvenEqual()) EnterPhase(Phase::kReaping, kReapMax);
      break;
    case Phase::kReaping:
      if (AllReaped()) EnterPhase(Phase::kDraining, kDrainMax);
      break;
    case Phase::kDraining:
      if (Drained()) EnterPhase(Phase::kOver, Duration{});
      break;
    case Phase::kOver:
      break;
  }
  if (phase_ == Phase::kOver) return;
  if (world_.now > phase_ends_by_) {
    TellDifferences();
    static constexpr std::array<std::string_view, 7> kUnfinished = {
        "",
        "the cluster did not heal",
        "hints were left undelivered",
        "the replicas did not converge",
        "equal replicas were not found equal",
        "tombstones were left behind",
        "operations were left in flight"};
    return checker_.Fail(
        fmt::format("faults have stopped, and {}", kUnfinished[static_cast<size_t>(phase_)]));
  }
  world_.Schedule(kPhasePeriod, Event{.kind = Event::Kind::kPhase, .node = {}, .peer = {}});
}

// No hint is left, and no operation that could make another one.
bool Cluster::Delivered() const {
  return std::ranges::all_of(nodes_, [](const auto& node) {
    return node->operations_in_flight() == 0 && !node->HoldsHints();
  });
}

bool Cluster::Healed() const {
  const ring::Layout* newest = NewestLayout();
  const bool all_ready = std::ranges::all_of(nodes_, [&](const auto& node) {
    return node->ready() && !node->stopping() && node->Settled() &&
           node->layouts()->newest() == *newest;
  });
  const bool all_staged = std::ranges::all_of(
      nodes_, [&](const auto& node) { return node->staged() == nodes_.front()->staged(); });
  return all_ready && all_staged && KnowEachOther() && workload_->idle() &&
         newest->members().size() == plan_.nodes &&
         std::ranges::none_of(newest->members(), &ring::Member::leaving);
}

void Cluster::ConvergeNext() {
  if (plan_.converge_unread && !converged_unread_) {
    for (uint32_t key = 0; key < keys_.size(); ++key) {
      if (!IsEverywhere(KeyIndex{key})) return;
    }
    converged_unread_ = true;
    world_.trace.Tell(world_.now, "all replicas are equal, unread");
  }
  // Many keys need no reading: a few are dealt with at each step.
  while (!workload_->FinalReadUnderWay() && phase_ == Phase::kConverging) {
    if (converging_.value == keys_.size()) {
      converged_at_ = world_.now;
      const bool compares = plan_.node.anti_entropy_period > Duration{};
      return compares ? EnterPhase(Phase::kProving, kProveMax)
                      : EnterPhase(Phase::kReaping, kReapMax);
    }
    if (workload_->FinalReadDone() && Converged(converging_)) {
      ++converging_.value;
      workload_->ForgetFinalRead();
      continue;
    }
    const NodeIndex node{static_cast<uint8_t>(random_.Below(plan_.nodes))};
    workload_->FinalRead(converging_, node, checker_.ReplicasOf(converging_));
  }
}

void Cluster::TellDifferences() {
  if (!world_.trace.told()) return;
  for (uint32_t key = 0; key < keys_.size(); ++key) {
    if (IsEverywhere(KeyIndex{key})) continue;
    world_.trace.Tell(world_.now, "{}/{} differs:", plan_.buckets[keys_[key].bucket].name,
                      keys_[key].key);
    for (const auto& node : nodes_) {
      world_.trace.Tell(world_.now, "  at {}: {}", node->name(),
                        DescribeRecord(node->RecordOf(keys_[key].encoded)));
    }
  }
}

bool Cluster::IsEverywhere(KeyIndex key) {
  const SimKey& named = keys_[key.value];
  const std::string record = nodes_[named.walk[0].value]->RecordOf(named.encoded);
  for (uint32_t place = 1; place < named.walk.size(); ++place) {
    const bool owner = place < checker_.ReplicasOf(key);
    const std::string theirs = nodes_[named.walk[place].value]->RecordOf(named.encoded);
    if (theirs != (owner ? record : std::string())) return false;
  }
  return true;
}

bool Cluster::Converged(KeyIndex key) {
  if (!IsEverywhere(key)) return false;
  const SimKey& named = keys_[key.value];
  checker_.CheckFinal(key, nodes_[named.walk[0].value]->RecordOf(named.encoded));
  return true;
}

// Nothing has changed since all was equal, so the trees must say so too.
bool Cluster::AllProvenEqual() const {
  return std::ranges::all_of(nodes_, [&](const auto& node) {
    const auto since = node->EqualSince();
    return since && *since >= converged_at_;
  });
}

bool Cluster::AllReaped() const {
  return plan_.node.reap_after == Duration{} ||
         std::ranges::none_of(nodes_, [](const auto& node) { return node->HoldsTombstones(); });
}

bool Cluster::Drained() const {
  return std::ranges::all_of(nodes_,
                             [](const auto& node) { return node->operations_in_flight() == 0; });
}

}  // namespace eddy::sim
