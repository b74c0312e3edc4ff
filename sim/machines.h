// The machines of one simulated world, the network between them and the layout that they begin
// with: what is the same whether a seed or a scenario says what happens to them. Brings events and
// messages to whom they concern; what a process shows of itself goes to whoever derives from this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "ring/layout.h"
#include "sim/network.h"
#include "sim/plan.h"
#include "sim/planted_bug.h"
#include "sim/sim_node.h"
#include "sim/world.h"

namespace eddy::sim {

class Machines : public NetworkListener, public SimNodeListener {
 public:
  // The lower half of an id names the machine, whoever it is.
  static NodeIndex IndexOf(NodeId id) { return NodeIndex{static_cast<uint8_t>(id.low - 1)}; }

  // NetworkListener.
  void Deliver(NodeIndex to, NodeIndex from, wire::PeerMessage message) override;
  void DeliverDatagram(NodeIndex to, NodeIndex from, std::string bytes) override;
  void PeerUp(NodeIndex at, NodeIndex peer) override;
  void PeerDown(NodeIndex at, NodeIndex peer) override;
  uint64_t IdentityOf(NodeIndex node) const override { return nodes_[node.value]->births(); }

  // SimNodeListener, in part.
  void Sent(NodeIndex from, NodeId to, wire::PeerMessage message) override;
  void SentDatagram(NodeIndex from, const gossip::Address& to, std::string bytes) override;
  void Overfull(NodeIndex at, const node::TableSize& table) override;

 protected:
  // The founders of the plan are members of the first layout; no process runs yet.
  Machines(Plan plan, PlantedBug bug, Trace::Listener listener);
  ~Machines() override = default;
  Machines(const Machines&) = delete;
  Machines& operator=(const Machines&) = delete;

  // What must never happen has happened.
  virtual void Wrong(std::string what) = 0;

  SimNode& At(NodeIndex index) { return *nodes_[index.value]; }
  const SimNode& At(NodeIndex index) const { return *nodes_[index.value]; }

  // Takes the next event out of the queue, and the time to it. False: it is for a process that
  // stands still, and was put off. Requires that there is one.
  bool TakeEvent(Event* event);
  // Events of the network and of the processes. False: somebody else's.
  bool DispatchToMachines(const Event& event);

  void ScheduleStart(NodeIndex node, Duration after);

  // The newest layout that any process knows; null: none runs.
  const ring::Layout* NewestLayout() const;
  // Every process has found every other machine's well.
  bool KnowEachOther() const;
  // It runs, and waits to be let in.
  bool IsSpare(const SimNode& node) const;

  World world_;
  const Plan plan_;
  Random random_;
  const ring::Layout layout_;
  const node::BucketTable buckets_;
  const PlantedBug bug_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::unique_ptr<Network> network_;
};

}  // namespace eddy::sim
