// One machine of a simulated cluster: a disk that outlives its processes, and at most one process,
// which is the very Node and Store that eddyd runs. What eddyd does with threads, this does with
// virtual time: verbs are executed in turns, turns are committed, one sync at a time runs beside
// them, records that are not in memory are fetched first. Between any two of these the process can
// stop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "node/node.h"
#include "ring/layout.h"
#include "ring/layout_change.h"
#include "ring/layout_history.h"
#include "sim/clock.h"
#include "sim/plan.h"
#include "sim/planted_bug.h"
#include "sim/world.h"
#include "storage/memory_engine.h"
#include "storage/store.h"

namespace eddy::sim {

// A write as the store of its coordinating replica applied it.
struct AppliedWrite {
  std::string_view key;  // encoded
  bool stands_in = false;
  // The new sibling; null for a delete.
  const lattice::Sibling* sibling = nullptr;
  // It replaced whatever this replica held, not what its client said.
  bool saw_all = false;
  std::string_view record;  // encoded, afterwards
};

// Where what a process does becomes visible. Nothing here may call back into the node.
class SimNodeListener {
 public:
  virtual ~SimNodeListener() = default;
  virtual void Sent(NodeIndex from, NodeId to, wire::PeerMessage message) = 0;
  virtual void SentDatagram(NodeIndex from, const gossip::Address& to, std::string bytes) = 0;
  virtual void Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) = 0;
  virtual void Applied(NodeIndex at, const AppliedWrite& write) = 0;
  // A tombstone is dropped for ever.
  virtual void Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) = 0;
  // What the process knows of the layouts has changed.
  virtual void Learnt(NodeIndex at, const ring::LayoutHistory& layouts) = 0;
  // The process keeps more than it may: what, how much and how much at most.
  virtual void Overfull(NodeIndex at, const node::TableSize& table) = 0;
  // A clean stop has ended, or was given up.
  virtual void Stopped(NodeIndex at, bool clean) = 0;
};

class SimNode {
 public:
  struct Setting {
    World* world = nullptr;
    SimNodeListener* listener = nullptr;
    NodeIndex index;
    ring::Member member;  // as which the machine begins
    const Plan* plan = nullptr;
    const ring::Layout* founding = nullptr;  // the first layout; null: it has to join
    const node::BucketTable* buckets = nullptr;
    PlantedBug bug = PlantedBug::kNone;
  };
  static constexpr std::string_view kClusterName = "sim";

  SimNode(const Setting& setting, Random random);

  // The machine.
  [[nodiscard]] bool Start();  // false: the disk failed; nothing runs
  // Of what no sync has covered yet.
  enum class Tail : uint8_t { kDrawn, kLost, kKept };
  void PowerLoss(Tail tail = Tail::kDrawn);  // requires running()
  void Kill();                               // likewise
  // Requires !running(): the disk is empty, and the node another one, which asks for the place of
  // the one before if that was lost, and otherwise for one of its own.
  void Rebirth(bool lost);
  void BeginStop();  // requires running(); Stopped is called later
  void Pause(VirtualTime until) { paused_until_ = until; }
  void FailNextCalls();
  // A bit flips in one of the records on the disk, or hints of one, for which `may` says so: which
  // one's; nullopt: there is none.
  std::optional<std::string> RotOne(const std::function<bool(const std::string& key)>& may);
  void FailNextCall(storage::MemoryEngine::Call call);
  // Require !running(): the disk, to be put back later; and a record that is gone without a trace.
  storage::MemoryEngine CopyDisk() const;
  void RestoreDisk(storage::MemoryEngine disk);
  void Forget(const std::string& key);
  NodeId id() const { return member_.id; }
  const ring::Member& member() const { return member_; }
  // It is for an order to let this node in: it belongs to no layout before.
  bool waits() const { return waits_; }
  const std::string& name() const { return member_.name; }
  gossip::Address address() const { return {member_.doors.host, member_.doors.peer}; }
  uint64_t births() const { return births_; }
  void SlowDisk(bool slow) { disk_slow_ = slow; }
  void FillDisk(bool full);
  bool disk_full() const { return disk_full_; }
  void SetSkew(std::chrono::milliseconds skew) { skew_ = skew; }
  void Leap(Duration by) { clock_.Leap(by); }
  void SetDrift(int64_t ppm) { clock_.SetDrift(world_->now, ppm); }

  bool running() const { return node_ != nullptr; }
  bool stopping() const { return stopping_; }
  bool paused(VirtualTime now) const { return now < paused_until_; }
  VirtualTime paused_until() const { return paused_until_; }
  bool ready() const;
  // Changes with every process that starts here.
  uint64_t life() const { return life_; }
  size_t operations_in_flight() const;
  // Null: none runs, or it knows of no cluster.
  const ring::LayoutHistory* layouts() const { return running() ? node_->layouts() : nullptr; }
  // Nothing is left to do about layouts: one is live, and whatever this node holds is its own.
  bool Settled() const;
  // The process has found that the other one is well.
  bool Believes(NodeId other) const;
  // Changes of the cluster wait here.
  size_t orders() const { return running() ? node_->orders().size() : 0; }
  [[nodiscard]] Status Order(ring::LayoutChange change);
  [[nodiscard]] bool Stage(const ring::LayoutChange& change);
  // What is staged, as this node knows it.
  std::vector<ring::LayoutChange> staged() const;
  // All of it; false: it was refused, and nothing was ordered.
  [[nodiscard]] bool Commit();
  void ClearStage();

  // The process. All require running(); Submit also that the process is not stopping.
  void Submit(uint64_t ticket, wire::ClientRequest request);
  void Receive(NodeId from, wire::PeerMessage message);
  void ReceiveDatagram(const gossip::Address& from, std::string_view bytes);
  void PeerUp(NodeId peer);
  void PeerDown(NodeId peer);
  // kTick to kStopCheck; those of an earlier life do nothing.
  void OnEvent(const Event& event);

  // How many rows with this record on the disk have rotted, known or not: its own, and hints.
  uint64_t RottenCopies(const std::string& key);
  // What a read of this replica would find now, as bytes; for the final comparison. One that has
  // rotted is like no other.
  std::string RecordOf(const std::string& key);

  bool HoldsHints();
  // By owner.
  std::map<NodeId, storage::HintUsage> Hints();
  bool HoldsHintOf(std::string_view key);
  // Whether the store's ledger says of its hints what is there; true while it is not running.
  bool HintsAreCounted();
  bool HoldsTombstones();
  // Since when, in the world's time, this node has known all it shares to be equal; see
  // Node::equal_since.
  std::optional<VirtualTime> EqualSince() const;

  std::vector<wire::Counter> Counters() const;

 private:
  // Now as this process sees it.
  Now ProcessNow() const;
  Duration Draw(const Span& span);
  Duration DrawDisk(const Span& span);
  void ScheduleMine(Duration after, Event::Kind kind);

  // Requires a visitor that bears being begun again: a failure may have been planned for others.
  void ScanAll(storage::Space space, const std::function<void()>& begin,
               const storage::Engine::Visitor& visit);

  void Stop();  // whatever it ended by: the process is no more
  void Perform();
  void ArmTick();
  void CheckTables();
  void CheckHints(const std::map<NodeId, storage::HintUsage>& before);
  void TellReaped(const storage::StoreVerb& verb);
  void TakeVerb(storage::StoreVerb verb);
  void StoreTurn();
  void Execute(storage::StoreVerb verb, storage::Tier tier);
  void ExecuteNow(storage::StoreVerb verb, storage::Tier tier);
  void BeginScan(storage::StoreVerb verb);
  void FetchDone(uint64_t fetch);
  void ScheduleCommit();
  void StoreCommit();
  void BeginSync();
  void SyncDone();
  void StopCheck();
  void CompleteResults();

  // The planted bugs of this seam.
  void PlantInIdentity(storage::Identity* identity);
  bool PlantInVerb(storage::StoreVerb* verb);
  bool PlantInSend(NodeId to, wire::PeerMessage* message);
  bool PlantInAnswer(uint64_t ticket, wire::ClientReply* reply);

  const Setting setting_;
  World* const world_;
  const DiskPlan& disk_;
  Random random_;

  // The machine.
  ring::Member member_;
  uint64_t births_ = 0;
  bool replaces_ = false;
  bool waits_;
  storage::MemoryEngine engine_;
  Clock clock_;
  std::chrono::milliseconds skew_{};  // of its wall clock besides
  bool disk_slow_ = false;
  bool disk_full_ = false;
  VirtualTime paused_until_;
  uint64_t life_ = 0;
  uint64_t fetches_ = 0;

  // The process, while one runs.
  std::unique_ptr<node::Node> node_;
  std::optional<storage::TreeKeeper> trees_;
  std::optional<storage::Store> store_;
  uint64_t layout_changes_ = 0;
  Duration started_at_{};  // by the machine's clock
  VirtualTime tick_at_;
  bool stopping_ = false;
  VirtualTime stop_by_;
  std::vector<storage::StoreVerb> verbs_;  // for the next turn
  bool turn_scheduled_ = false;
  bool commit_scheduled_ = false;
  uint64_t committed_ = 0;  // the last commit that waits for a sync
  uint64_t synced_ = 0;
  bool syncing_ = false;
  uint64_t syncing_commit_ = 0;
  size_t syncing_batches_ = 0;
  // Records being fetched, and the verbs that wait for each.
  std::map<uint64_t, std::string> fetching_;
  std::map<std::string, std::vector<storage::StoreVerb>> awaiting_fetch_;
  std::map<uint64_t, storage::StoreResult> scanned_;  // pages on their way to the node

  // Of the planted bugs.
  std::optional<uint64_t> first_counter_;
  std::map<std::string, std::string> stale_records_;

  node::Effects effects_;  // scratch
  std::vector<storage::StoreResult> results_;
};

}  // namespace eddy::sim
