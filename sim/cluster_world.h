// A whole simulated run: machines, network, clients, faults and the checker brought together, and
// the phases of its end, when faults have stopped and everything has to come right again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ring/layout.h"
#include "sim/checker.h"
#include "sim/cluster.h"
#include "sim/faults.h"
#include "sim/machines.h"
#include "sim/workload.h"

namespace eddy::sim {

class Cluster final : public Machines, public Door, public FaultTarget {
 public:
  explicit Cluster(const RunOptions& options);

  Report Run();

  // Finds its preference list.
  static void PutOnRing(SimKey* key, const ring::Layout& layout);

  // Machines.
  void Wrong(std::string what) override { checker_.Fail(std::move(what)); }

  // SimNodeListener, the rest.
  void Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) override;
  void Applied(NodeIndex at, const AppliedWrite& write) override;
  void Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) override;
  void Learnt(NodeIndex at, const ring::LayoutHistory& layouts) override;
  void Stopped(NodeIndex at, bool clean) override;

  // Door.
  bool Submit(NodeIndex node, uint64_t ticket, wire::ClientRequest request) override;
  uint64_t LifeOf(NodeIndex node) const override { return nodes_[node.value]->life(); }
  std::optional<VirtualTime> AwakeSince(NodeIndex node) const override;

  // FaultTarget.
  Network& network() override { return *network_; }
  SimNode& node(NodeIndex index) override { return *nodes_[index.value]; }
  Workload& workload() override { return *workload_; }
  void TakeDown(NodeIndex node, Fault how) override;
  void BringUp(NodeIndex node) override { ScheduleStart(node, Duration{}); }
  bool MayLose() const override;
  bool Leave(NodeIndex node) override;
  bool Replace(NodeIndex node) override;
  void FailStore(NodeIndex node) override;
  bool Rot(NodeIndex node) override;

 private:
  // How often, until faults stop, somebody looks for nodes that were sent away.
  static constexpr Duration kWatchPeriod = std::chrono::milliseconds(250);

  enum class Phase : uint8_t {
    kBreaking,
    kHealing,
    kDelivering,
    kConverging,
    kProving,
    kReaping,
    kDraining,
    kOver
  };

  void Dispatch(const Event& event);
  void Start(NodeIndex node);
  void ProcessGone(NodeIndex node, bool abrupt);
  // Machines whose node was sent away become other nodes.
  void BearAgain();
  // A running node that is to be told what people want; null: none was found.
  SimNode* DrawOrderTaker();
  // Orders it there, or only stages it.
  bool Tell(SimNode* asked, const ring::LayoutChange& change);
  // Now and then what is staged is committed, or dropped.
  void CommitStaged();
  // Lets nodes in that wait, some of them, or all.
  void LetIn(bool all);
  void CheckSuccession(const ring::Layout& before, const ring::Layout& after);

  void OnPhase();
  void EnterPhase(Phase phase, Duration at_most);
  bool Healed() const;
  bool Delivered() const;
  void ConvergeNext();
  // All replicas hold the same bytes, and nobody else holds any.
  bool IsEverywhere(KeyIndex key);
  // Who holds what of the keys for which that is not so.
  void TellDifferences();
  bool Converged(KeyIndex key);
  bool AllProvenEqual() const;
  bool AllReaped() const;
  bool Drained() const;

  const Duration length_;
  std::vector<SimKey> keys_;
  Checker checker_;
  std::array<uint64_t, kNodesMax> newest_known_{};
  std::map<uint64_t, ring::Layout> layouts_;  // every version that any node has known
  // Who was told to take over from whom, and nothing else since.
  std::map<NodeId, NodeId> successors_;
  std::set<NodeId> called_;  // of those that wait, who was to be let in

  std::unique_ptr<Workload> workload_;
  std::unique_ptr<Faults> faults_;

  Phase phase_ = Phase::kBreaking;
  VirtualTime phase_ends_by_;
  uint64_t healed_as_ = 0;  // the version of the layout then
  KeyIndex converging_;
  bool converged_unread_ = false;
  VirtualTime converged_at_;
  uint64_t events_ = 0;
};

}  // namespace eddy::sim
