#include "sim/cluster.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/check.h"
#include "base/random.h"
#include "ring/layout.h"
#include "ring/token.h"
#include "sim/checker.h"
#include "sim/faults.h"
#include "sim/machines.h"
#include "sim/workload.h"
#include "sim/world.h"
#include "storage/key.h"

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
// How often, until then, somebody looks for nodes that were sent away.
constexpr Duration kWatchPeriod = milliseconds(250);

void PutOnRing(SimKey* key, const ring::Layout& layout) {
  key->walk.clear();
  const ring::Token token{storage::TokenOfKey(key->encoded)};
  for (const ring::MemberIndex member : layout.Walk(layout.PartitionOf(token))) {
    key->walk.push_back(Machines::IndexOf(layout.member(member).id));
  }
}

std::vector<SimKey> MakeKeys(const Plan& plan, const ring::Layout& layout) {
  std::vector<SimKey> keys;
  for (uint32_t bucket = 0; bucket < plan.buckets.size(); ++bucket) {
    for (uint32_t i = 0; i < plan.workload.keys_per_bucket; ++i) {
      SimKey key;
      key.bucket = bucket;
      key.key = fmt::format("k{}", i);
      const std::string& name = plan.buckets[bucket].name;
      const ring::Token token = ring::TokenOf(name, key.key);
      key.encoded = storage::EncodeKey({token.value, name, key.key});
      PutOnRing(&key, layout);
      keys.push_back(std::move(key));
    }
  }
  return keys;
}

class Cluster final : public Machines, public Door, public FaultTarget {
 public:
  explicit Cluster(const RunOptions& options);

  Report Run();

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
  enum class Phase : uint8_t {
    kFaults,
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

  Phase phase_ = Phase::kFaults;
  VirtualTime phase_ends_by_;
  uint64_t healed_as_ = 0;  // the version of the layout then
  KeyIndex converging_;
  bool converged_unread_ = false;
  VirtualTime converged_at_;
  uint64_t events_ = 0;
};

Cluster::Cluster(const RunOptions& options)
    : Machines(DrawPlan(options.plan), options.bug, options.listener),
      length_(options.length),
      keys_(MakeKeys(plan_, layout_)),
      checker_(&world_, plan_, keys_) {
  checker_.SetRottenNow([this](KeyIndex key) {
    uint64_t copies = 0;
    for (const auto& node : nodes_) copies += node->RottenCopies(keys_[key.value].encoded);
    return copies;
  });
  workload_ = std::make_unique<Workload>(&world_, plan_, keys_, &checker_, this, random_.Fork());
  faults_ = std::make_unique<Faults>(&world_, plan_, this, random_.Fork());
}

Report Cluster::Run() {
  world_.trace.Tell(world_.now, "{}", DescribePlan(plan_));
  for (uint8_t i = 0; i < plan_.nodes; ++i) {
    const int64_t skew_most = plan_.clock_skew_max.count();
    nodes_[i]->SetSkew(milliseconds(
        static_cast<int64_t>(random_.Below(static_cast<uint64_t>(2 * skew_most + 1))) - skew_most));
    if (plan_.drift_ppm_max > 0) {
      nodes_[i]->SetDrift(static_cast<int64_t>(random_.Below(2 * plan_.drift_ppm_max + 1)) -
                          plan_.drift_ppm_max);
    }
    const Duration most = i < plan_.founders ? milliseconds(100) : length_ / 2;
    ScheduleStart(NodeIndex{i}, Duration(random_.Below(static_cast<uint64_t>(most.count()))));
  }
  workload_->Begin();
  faults_->Begin();
  world_.Schedule(kWatchPeriod, Event{.kind = Event::Kind::kPhase, .node = {}, .peer = {}});

  while (phase_ != Phase::kOver && checker_.violation().empty()) {
    Event event{};
    if (TakeEvent(&event)) Dispatch(event);
    ++events_;
  }

  Report report;
  report.seed = plan_.seed;
  report.violation = checker_.violation();
  report.trace_hash = world_.trace.hash();
  report.simulated = world_.now.time_since_epoch();
  report.nodes = plan_.nodes;
  report.events = events_;
  report.messages = network_->delivered();
  report.operations = workload_->operations();
  report.done = workload_->done();
  report.not_done = workload_->not_done();
  report.unknown = workload_->unknown();
  report.replies_checked = checker_.checked();
  report.faults = faults_->counts();
  for (const auto& node : nodes_) {
    for (const wire::Counter& counter : node->Counters()) {
      report.counters[counter.name] += counter.value;
    }
  }
  return report;
}

void Cluster::Dispatch(const Event& event) {
  if (DispatchToMachines(event)) return;
  switch (event.kind) {
    case Event::Kind::kStart:
      return Start(event.node);
    case Event::Kind::kSubmit:
    case Event::Kind::kClient:
    case Event::Kind::kPatience:
      return workload_->OnEvent(event);
    case Event::Kind::kFaultBegins:
    case Event::Kind::kFaultEnds:
      return faults_->OnEvent(event);
    case Event::Kind::kPhase:
      return OnPhase();
    default:
      CHECK(false);
  }
}

// --- Between the parts

void Cluster::Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) {
  world_.trace.Mix(reply);
  workload_->Answered(at, ticket, std::move(reply));
}

void Cluster::Applied(NodeIndex at, const AppliedWrite& write) {
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} applies {}: {}", at.value,
                      write.sibling != nullptr ? Describe(write.sibling->dot) : "a delete",
                      DescribeRecord(write.record));
  }
  checker_.Applied(at, nodes_[at.value]->life(), write);
}

void Cluster::Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) {
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} drops {}, {}", at.value, storage::DecodeKey(key)->key,
                      DescribeRecord(tombstone));
  }
  checker_.Reaped(key, tombstone);
}

void Cluster::Learnt(NodeIndex at, const ring::LayoutHistory& layouts) {
  uint64_t& newest_before = newest_known_[at.value];
  if (newest_before < layouts.newest().version()) checker_.HistoryMayBegin();
  newest_before = layouts.newest().version();
  for (const ring::Layout& layout : layouts.live()) {
    const auto [known, fresh] = layouts_.emplace(layout.version(), layout);
    if (known->second.digest() != layout.digest()) {
      checker_.Fail(
          fmt::format("n{} knows another layout {} than others", at.value, layout.version()));
    }
    if (!fresh) continue;
    for (const ring::Member& member : layout.members()) {
      const SimNode& node = *nodes_[IndexOf(member.id).value];
      if (node.id() != member.id || !node.waits() || called_.contains(member.id)) continue;
      checker_.Fail(fmt::format("{} waits, and was let in by no order", member.name));
    }
    const auto before = layouts_.find(layout.version() - 1);
    if (before != layouts_.end()) CheckSuccession(before->second, layout);
  }
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} knows {}", at.value, Describe(layouts));
  }
}

// Where one node was told to take over from another one, with its weight and zone, and nothing else
// has changed, the one owns what the other did, and nothing else has moved.
void Cluster::CheckSuccession(const ring::Layout& before, const ring::Layout& after) {
  const ring::Member* went = nullptr;
  const ring::Member* came = nullptr;
  for (const ring::Member& member : before.members()) {
    const ring::Member* now = after.Find(member.id);
    if (now != nullptr && now->weight == member.weight && now->zone == member.zone) continue;
    if (went != nullptr || (now != nullptr && now->weight != 0)) return;
    went = &member;
  }
  for (const ring::Member& member : after.members()) {
    if (before.Find(member.id) != nullptr) continue;
    if (came != nullptr) return;
    came = &member;
  }
  if (went == nullptr || came == nullptr) return;
  const auto told = successors_.find(went->id);
  const bool lost = IndexOf(went->id) == IndexOf(came->id);  // and its machine came back
  if (!lost && (told == successors_.end() || told->second != came->id)) return;
  if (went->weight != came->weight || went->zone != came->zone) return;
  for (uint32_t i = 0; i < before.partition_count(); ++i) {
    const ring::PartitionId partition{i};
    const NodeId owned = before.member(before.OwnerOf(partition)).id;
    const NodeId owns = after.member(after.OwnerOf(partition)).id;
    if (owns == (owned == went->id ? came->id : owned)) continue;
    return checker_.Fail(
        fmt::format("{} came for {}, and partition {} went elsewhere", came->name, went->name, i));
  }
}

bool Cluster::Submit(NodeIndex node, uint64_t ticket, wire::ClientRequest request) {
  SimNode& target = *nodes_[node.value];
  if (!target.running() || target.stopping()) return false;
  target.Submit(ticket, std::move(request));
  return true;
}

std::optional<VirtualTime> Cluster::AwakeSince(NodeIndex node) const {
  const SimNode& target = *nodes_[node.value];
  if (target.paused(world_.now)) return std::nullopt;
  return target.paused_until();
}

// --- Processes

void Cluster::Start(NodeIndex node) {
  SimNode& target = *nodes_[node.value];
  if (target.running()) return;
  checker_.HistoryMayBegin();
  if (!target.Start()) return ScheduleStart(node, milliseconds(300));
  if (plan_.mixed) {
    network_->SetVersion(node, random_.Chance(1, 2) ? Version::kNext : Version::kThis);
  }
  world_.trace.Tell(world_.now, "n{} starts", node.value);
  network_->ProcessUp(node);
}

void Cluster::TakeDown(NodeIndex node, Fault how) {
  SimNode& target = *nodes_[node.value];
  world_.trace.Tell(world_.now, "n{} goes down: {}", node.value,
                    kFaultNames[static_cast<size_t>(how)]);
  switch (how) {
    case Fault::kCleanStop:
      return target.BeginStop();
    case Fault::kKill:
      target.Kill();
      checker_.ProcessLost(node);
      return ProcessGone(node, false);
    case Fault::kPowerLoss:
      target.PowerLoss();
      checker_.PowerLost(node);
      return ProcessGone(node, true);
    case Fault::kWipe:
      target.PowerLoss();
      checker_.DiskLost(node);
      ProcessGone(node, true);
      return target.Rebirth(true);
    default:
      CHECK(false);
  }
}

void Cluster::Stopped(NodeIndex at, bool clean) {
  world_.trace.Tell(world_.now, "n{} has stopped{}", at.value, clean ? "" : ", but not in order");
  if (!clean) checker_.ProcessLost(at);
  ProcessGone(at, false);
  const auto least = static_cast<uint64_t>(plan_.faults.lasts.least.count());
  ScheduleStart(at, Duration(random_.Between(least, 4 * least)));
}

void Cluster::ProcessGone(NodeIndex node, bool abrupt) {
  network_->ProcessDown(node, abrupt);
  workload_->ProcessGone(node, nodes_[node.value]->life());
}

// Not while the place of one that was lost is empty still.
bool Cluster::MayLose() const {
  const ring::Layout* newest = NewestLayout();
  if (newest == nullptr || newest->members().size() < 3) return false;
  // Nor while only few know of the newest layout, or where too many would be live at once.
  size_t knowing = 0;
  for (const ring::Member& member : newest->members()) {
    const SimNode& node = *nodes_[IndexOf(member.id).value];
    if (node.id() != member.id) return false;
    const ring::LayoutHistory* layouts = node.layouts();
    if (layouts == nullptr || layouts->newest().version() != newest->version()) continue;
    if (layouts->live().size() > 2) return false;
    ++knowing;
  }
  // Without the lost one, those that know must be a majority still.
  return (knowing - 1) * 2 > newest->members().size();
}

bool Cluster::Leave(NodeIndex node) {
  const ring::Layout* newest = NewestLayout();
  SimNode& target = *nodes_[node.value];
  if (newest == nullptr || newest->Find(target.id()) == nullptr || !target.running()) return false;
  const auto staying = std::ranges::count_if(
      newest->members(), [](const ring::Member& member) { return !member.leaving; });
  // One that is ordered and not yet decided counts as well.
  size_t ordered = 0;
  for (const auto& other : nodes_) ordered += other->orders();
  if (static_cast<size_t>(staying) <= 3 + ordered) return false;
  SimNode* asked = DrawOrderTaker();
  if (asked == nullptr) return false;
  successors_.erase(target.id());
  return Tell(asked, {.kind = ring::LayoutChange::Kind::kLeave, .id = target.id(), .member = {}});
}

SimNode* Cluster::DrawOrderTaker() {
  for (uint32_t tries = 0; tries < plan_.nodes; ++tries) {
    SimNode& asked = *nodes_[random_.Below(plan_.nodes)];
    if (asked.ready() && !asked.stopping()) return &asked;
  }
  return nullptr;
}

bool Cluster::Replace(NodeIndex node) {
  const ring::Layout* newest = NewestLayout();
  const SimNode& target = *nodes_[node.value];
  const ring::Member* old = newest == nullptr ? nullptr : newest->Find(target.id());
  if (old == nullptr || old->leaving || !target.running()) return false;
  const auto spare = std::ranges::find_if(nodes_, [&](const auto& each) { return IsSpare(*each); });
  if (spare == nodes_.end()) return false;
  SimNode* asked = DrawOrderTaker();
  if (asked == nullptr) return false;
  called_.insert((*spare)->id());
  successors_[target.id()] = (*spare)->id();
  return Tell(asked, {.kind = ring::LayoutChange::Kind::kTakeOver,
                      .id = target.id(),
                      .member = (*spare)->member()});
}

bool Cluster::Tell(SimNode* asked, const ring::LayoutChange& change) {
  return random_.Chance(1, 2) ? asked->Order(change).has_value() : asked->Stage(change);
}

void Cluster::CommitStaged() {
  using Kind = ring::LayoutChange::Kind;
  if (!plan_.MembersChange() || !random_.Chance(1, 8)) return;
  SimNode* asked = DrawOrderTaker();
  const std::vector<ring::LayoutChange> staged =
      asked == nullptr ? std::vector<ring::LayoutChange>() : asked->staged();
  if (staged.empty()) return;
  // Enough must stay, as where they leave at once.
  const auto staying = std::ranges::count_if(
      NewestLayout()->members(), [](const ring::Member& member) { return !member.leaving; });
  size_t going =
      static_cast<size_t>(std::ranges::count(staged, Kind::kLeave, &ring::LayoutChange::kind));
  for (const auto& other : nodes_) going += other->orders();
  if (random_.Chance(1, 8) || static_cast<size_t>(staying) < 3 + going) return asked->ClearStage();
  for (const ring::LayoutChange& change : staged) {
    if (change.kind == Kind::kLeave) continue;
    called_.insert(change.member.id);
    if (change.kind != Kind::kJoin) continue;
    std::erase_if(successors_, [&](const auto& pair) { return pair.second == change.id; });
  }
  static_cast<void>(asked->Commit());
}

void Cluster::LetIn(bool all) {
  if (plan_.joining == Plan::Joining::kFreely) return;
  for (const auto& node : nodes_) {
    if (!IsSpare(*node) || !(all || random_.Chance(1, 16))) continue;
    SimNode* asked = DrawOrderTaker();
    if (asked == nullptr) return;
    called_.insert(node->id());
    std::erase_if(successors_, [&](const auto& pair) { return pair.second == node->id(); });
    static_cast<void>(asked->Order(
        {.kind = ring::LayoutChange::Kind::kJoin, .id = node->id(), .member = node->member()}));
  }
}

void Cluster::BearAgain() {
  for (uint8_t i = 0; i < plan_.nodes; ++i) {
    SimNode& node = *nodes_[i];
    const ring::LayoutHistory* layouts = node.layouts();
    if (layouts == nullptr || layouts->newest().Find(node.id()) != nullptr) continue;
    // It is patient: of two members, one could not find out by itself that the other has gone.
    const bool known = std::ranges::any_of(nodes_, [&](const auto& other) {
      return other->layouts() != nullptr && other->id() != node.id() &&
             other->layouts()->newest().Find(node.id()) == nullptr &&
             other->layouts()->newest().Find(other->id()) != nullptr;
    });
    if (!known) continue;
    world_.trace.Tell(world_.now, "n{} is out, and becomes another node", i);
    node.Kill();
    ProcessGone(NodeIndex{i}, false);
    node.Rebirth(false);
    ScheduleStart(NodeIndex{i}, Duration(random_.Below(2'000'000)));
  }
}

void Cluster::FailStore(NodeIndex node) {
  world_.trace.Tell(world_.now, "n{}'s disk will fail", node.value);
  checker_.HistoryMayBegin();
  nodes_[node.value]->FailNextCalls();
}

bool Cluster::Rot(NodeIndex node) {
  // Where there is one replica only, nobody could mend it.
  const auto key = nodes_[node.value]->RotOne([&](const std::string& encoded) {
    const auto named = std::ranges::find(keys_, encoded, &SimKey::encoded);
    return named != keys_.end() &&
           checker_.ReplicasOf(KeyIndex{static_cast<uint32_t>(named - keys_.begin())}) > 1;
  });
  if (!key) return false;
  const auto named = storage::DecodeKey(*key);
  world_.trace.Tell(world_.now, "n{}'s record of {}/{} rots", node.value, named->bucket,
                    named->key);
  checker_.RecordLost(*key);
  return true;
}

// --- The end

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
    case Phase::kFaults:
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

}  // namespace

Report RunWorld(const RunOptions& options) { return Cluster(options).Run(); }

}  // namespace eddy::sim
