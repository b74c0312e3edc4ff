#include "sim/faults.h"

#include "base/check.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

// How often it is looked whether a restarted node serves, and how many times at the most.
constexpr Duration kRollPeriod = milliseconds(100);
constexpr uint32_t kRollPatience = 50;

bool TakesDown(Fault fault) {
  return fault == Fault::kPowerLoss || fault == Fault::kKill || fault == Fault::kCleanStop ||
         fault == Fault::kWipe;
}

}  // namespace

Faults::Faults(World* world, const Plan& plan, FaultTarget* target, Random random)
    : world_(world), plan_(plan), target_(target), random_(random) {}

void Faults::Begin() {
  for (size_t kind = 0; kind < kFaults; ++kind) ScheduleNext(static_cast<Fault>(kind));
}

void Faults::ScheduleNext(Fault fault) {
  const auto every = plan_.faults.every[static_cast<size_t>(fault)];
  if (!every || healed_) return;
  const Duration wait(random_.Below(2 * static_cast<uint64_t>(every->count())));
  world_->Schedule(wait, Event{.kind = Event::Kind::kFaultBegins,
                               .node = {},
                               .peer = {},
                               .argument = static_cast<uint64_t>(fault)});
}

void Faults::OnEvent(const Event& event) {
  if (healed_) return;
  if (event.kind == Event::Kind::kFaultEnds) {
    const auto found = active_.extract(event.argument);
    Active& active = found.mapped();
    if (active.fault != Fault::kRolling) return Undo(active);
    // As operators do it: the next when this one serves again, or never will.
    const bool again = !target_->node(active.node).ready() && active.waited++ < kRollPatience;
    if (again) return Hold(active, kRollPeriod);
    ++active.node.value;
    active.waited = 0;
    if (RollOn(&active)) Hold(active, kRollPeriod);
    return;
  }
  const auto fault = static_cast<Fault>(event.argument);
  if (Inject(fault)) ++counts_[static_cast<size_t>(fault)];
  ScheduleNext(fault);
}

bool Faults::Inject(Fault fault) {
  Active active{.fault = fault, .node = DrawNode(), .peer = DrawNode()};
  const auto least = static_cast<uint64_t>(plan_.faults.lasts.least.count());
  const auto most = static_cast<uint64_t>(plan_.faults.lasts.most.count());
  const Duration lasts(random_.Between(least, most));
  SimNode& node = target_->node(active.node);
  const bool linked = active.node != active.peer;
  switch (fault) {
    case Fault::kPowerLoss:
    case Fault::kKill:
    case Fault::kCleanStop:
    case Fault::kWipe:
      if (!TakeDownOne(&active)) return false;
      break;
    case Fault::kPause:
      if (!node.running() || node.paused(world_->now)) return false;
      node.Pause(world_->now + lasts);
      return true;
    case Fault::kSplit:
      active.group = random_.Below(uint64_t{1} << plan_.nodes);
      SetSplit(active.group, true);
      break;
    case Fault::kZone:
      for (uint8_t i = 0; i < plan_.nodes; ++i) {
        const bool within =
            target_->node(NodeIndex{i}).member().zone == target_->node(active.node).member().zone;
        if (within) active.group |= uint64_t{1} << i;
      }
      SetSplit(active.group, true);
      break;
    case Fault::kRolling:
      active.node = {};
      if (!RollOn(&active)) return false;
      Hold(active, kRollPeriod);
      return true;
    case Fault::kDrift: {
      const int64_t most_ppm = plan_.drift_ppm_max;
      node.SetDrift(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(2 * most_ppm + 1))) -
                    most_ppm);
      return true;
    }
    case Fault::kOneWay:
      if (!linked) return false;
      target_->network().Cut(active.node, active.peer);
      break;
    case Fault::kClog:
      if (!linked) return false;
      active.slowed = milliseconds(random_.Between(10, 1'000));
      target_->network().Slow(active.node, active.peer, active.slowed);
      break;
    case Fault::kReset:
      if (!linked) return false;
      target_->network().Reset(active.node, active.peer);
      return true;
    case Fault::kSlowDisk:
      node.SlowDisk(true);
      break;
    case Fault::kIoError:
      if (!node.running()) return false;
      target_->FailStore(active.node);
      return true;
    case Fault::kLeave:
      return target_->Leave(active.node);
    case Fault::kReplace:
      return target_->Replace(active.node);
    case Fault::kDiskFull:
      if (node.disk_full()) return false;
      node.FillDisk(true);
      break;
    case Fault::kRot:
      return target_->Rot(active.node);
    case Fault::kClockJump: {
      if (plan_.clock_skew_max.count() == 0) return false;
      const int64_t most_ms = plan_.clock_skew_max.count();
      node.SetSkew(milliseconds(
          static_cast<int64_t>(random_.Below(static_cast<uint64_t>(2 * most_ms + 1))) - most_ms));
      return true;
    }
    case Fault::kLostReplies:
      target_->workload().LoseReplies(true);
      break;
    case Fault::kStorm: {
      const auto lost = static_cast<uint32_t>(random_.Below(2'000));
      const auto repeated = static_cast<uint32_t>(random_.Below(2'000));
      target_->network().Storm(lost, repeated, milliseconds(random_.Between(1, 500)));
      break;
    }
  }
  Hold(active, lasts);
  if (world_->trace.told()) {
    world_->trace.Tell(world_->now, "{} of n{} (n{}, {:b}) for {} ms",
                       kFaultNames[static_cast<size_t>(fault)], active.node.value,
                       active.peer.value, active.group, lasts.count() / 1'000);
  }
  return true;
}

void Faults::Hold(const Active& active, Duration lasts) {
  const uint64_t number = next_active_++;
  active_.emplace(number, active);
  world_->Schedule(
      lasts,
      Event{.kind = Event::Kind::kFaultEnds, .node = active.node, .peer = {}, .argument = number});
}

bool Faults::RollOn(Active* active) {
  for (; active->node.value < plan_.nodes; ++active->node.value) {
    const SimNode& node = target_->node(active->node);
    if (!node.running() || node.stopping()) continue;
    target_->TakeDown(active->node, Fault::kCleanStop);
    return true;
  }
  return false;
}

bool Faults::TakeDownOne(Active* active) {
  // The first that runs, from a random place on.
  for (uint32_t i = 0; i < plan_.nodes; ++i) {
    const NodeIndex index{static_cast<uint8_t>((active->node.value + i) % plan_.nodes)};
    const SimNode& node = target_->node(index);
    if (!node.running() || node.stopping()) continue;
    const bool wipe = active->fault == Fault::kWipe;
    if (wipe && counts_[static_cast<size_t>(Fault::kWipe)] >= plan_.faults.wipes_max) return false;
    if (wipe && !target_->MayLose()) return false;
    active->node = index;
    target_->TakeDown(index, active->fault);
    return true;
  }
  return false;
}

void Faults::Undo(const Active& active) {
  switch (active.fault) {
    case Fault::kSplit:
    case Fault::kZone:
      return SetSplit(active.group, false);
    case Fault::kRolling:
      return;  // whoever stopped comes back by itself
    case Fault::kOneWay:
      return target_->network().Mend(active.node, active.peer);
    case Fault::kClog:
      return target_->network().Restore(active.node, active.peer, active.slowed);
    case Fault::kSlowDisk:
      return target_->node(active.node).SlowDisk(false);
    case Fault::kDiskFull:
      return target_->node(active.node).FillDisk(false);
    case Fault::kLostReplies:
      return target_->workload().LoseReplies(false);
    case Fault::kStorm:
      return target_->network().Calm();
    default:
      CHECK(TakesDown(active.fault));
      return target_->BringUp(active.node);
  }
}

void Faults::SetSplit(uint64_t group, bool cut) {
  for (uint8_t a = 0; a < plan_.nodes; ++a) {
    for (uint8_t b = 0; b < plan_.nodes; ++b) {
      if ((group >> a & 1) == (group >> b & 1)) continue;
      if (cut) {
        target_->network().Cut(NodeIndex{a}, NodeIndex{b});
      } else {
        target_->network().Mend(NodeIndex{a}, NodeIndex{b});
      }
    }
  }
}

void Faults::Heal() {
  healed_ = true;
  for (const auto& [number, active] : active_) Undo(active);
  active_.clear();
}

}  // namespace eddy::sim
