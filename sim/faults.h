// What goes wrong, when and for how long: drawn from the seed, within the plan's bounds. Decides
// and undoes; the cluster performs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "base/random.h"
#include "sim/network.h"
#include "sim/plan.h"
#include "sim/sim_node.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace eddy::sim {

// What faults are done to.
struct FaultTarget {
  virtual ~FaultTarget() = default;
  virtual Network& network() = 0;
  virtual SimNode& node(NodeIndex index) = 0;
  virtual Workload& workload() = 0;
  // Ends a running process in one of the ways of kPowerLoss, kKill, kCleanStop and kWipe.
  virtual void TakeDown(NodeIndex node, Fault how) = 0;
  // Starts one where none runs.
  virtual void BringUp(NodeIndex node) = 0;
  // Whether the cluster can bear to lose a machine now.
  virtual bool MayLose() const = 0;
  // Tells a member to leave; false: none can be spared.
  virtual bool Leave(NodeIndex node) = 0;
  // Tells a node that waits to take over from this member; false: none does.
  virtual bool Replace(NodeIndex node) = 0;
  // Whatever this node's store is doing, some of it may fail.
  virtual void FailStore(NodeIndex node) = 0;
  // A record that this machine stores goes bad; false: it stores none.
  virtual bool Rot(NodeIndex node) = 0;
};

class Faults {
 public:
  // Borrows the world, the plan and the target.
  Faults(World* world, const Plan& plan, FaultTarget* target, Random random);

  void Begin();
  // Ends every fault, and lets none begin any more.
  void Heal();

  // kFaultBegins, kFaultEnds.
  void OnEvent(const Event& event);

  const std::array<uint64_t, kFaults>& counts() const { return counts_; }

 private:
  // A fault that has begun and will end.
  struct Active {
    Fault fault;
    NodeIndex node;
    NodeIndex peer;
    uint64_t group = 0;   // kSplit: a bit a node
    Duration slowed{};    // kClog
    uint32_t waited = 0;  // kRolling: for this node
  };

  void ScheduleNext(Fault fault);
  // False: nothing to do it to.
  bool Inject(Fault fault);
  bool TakeDownOne(Active* active);
  void Undo(const Active& active);
  void SetSplit(uint64_t group, bool cut);
  // From this node on, the next that runs is told to stop; false: none is left.
  bool RollOn(Active* active);
  void Hold(const Active& active, Duration lasts);
  NodeIndex DrawNode() { return NodeIndex{static_cast<uint8_t>(random_.Below(plan_.nodes))}; }

  World* const world_;
  const Plan& plan_;
  FaultTarget* const target_;
  Random random_;

  bool healed_ = false;
  std::map<uint64_t, Active> active_;
  uint64_t next_active_ = 1;
  std::array<uint64_t, kFaults> counts_{};
};

}  // namespace eddy::sim
