#include "sim/scenario_run.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "ring/token.h"
#include "sim/machines.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How often it is looked at whether what is waited for is so: closely at first, since some of it
// passes quickly.
constexpr Duration kLookPeriod = milliseconds(10);
constexpr Duration kLookPeriodAtFirst = milliseconds(1);
constexpr Duration kAtFirst = milliseconds(200);
// How long the cluster may take to come up, and a clean stop to end.
constexpr Duration kUpMax = seconds(60);
constexpr Duration kStopMax = seconds(10);
// How long a client waits beyond its deadline before it gives up.
constexpr Duration kPatience = seconds(1);
// How many names are tried for a key that is to live on certain nodes.
constexpr uint32_t kPlacementTries = 10'000;

// Everything takes the same time always, so that what happens is what the text says.
Plan PlanOf(const Scenario& scenario, uint64_t seed) {
  Plan plan;
  plan.seed = seed;
  plan.nodes = scenario.founders + static_cast<uint32_t>(scenario.spares.size());
  plan.founders = scenario.founders;
  plan.joining = scenario.joining_by_order ? Plan::Joining::kOrdered : Plan::Joining::kFreely;
  plan.zones = scenario.zones;
  plan.node.membership.partition_bits = plan.partition_bits;
  plan.node.anti_entropy_period = scenario.anti_entropy_period;
  plan.node.reap_after = scenario.reap_after;
  plan.node.tree_age_max = Duration{};
  if (scenario.deadline) plan.node.deadline_default = *scenario.deadline;
  plan.buckets = scenario.buckets;
  const auto exactly = [](Duration length) { return Span{length, length}; };
  plan.network.delay = exactly(std::chrono::microseconds(500));
  plan.network.stall_before_reset = exactly(seconds(1));
  plan.network.reconnect = exactly(milliseconds(100));
  plan.disk.sync = exactly(milliseconds(1));
  plan.disk.fetch = exactly(std::chrono::microseconds(100));
  if (scenario.hint_bytes_max) plan.hint_bytes_max = *scenario.hint_bytes_max;
  return plan;
}

// A condition's state: whether it is so, and what is so instead.
struct Finding {
  bool holds = false;
  std::string found;
};

class ScenarioRun final : public Machines {
 public:
  ScenarioRun(const Scenario& scenario, const ScenarioOptions& options);

  ScenarioReport Run();

  // Machines.
  void Wrong(std::string what) override { Fail(std::move(what)); }

  // SimNodeListener, the rest.
  void Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) override;
  void Applied(NodeIndex at, const AppliedWrite& write) override;
  void Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) override;
  void Learnt(NodeIndex at, const ring::LayoutHistory& layouts) override;
  void Stopped(NodeIndex at, bool clean) override;

 private:
  enum class Class : uint8_t { kDone, kNotDone, kUnknown };
  struct Outcome {
    Class kind = Class::kDone;
    wire::ClientReply reply;
  };
  struct Attempt {
    wire::ClientRequest request;
    std::string keep;
    NodeIndex node;
    uint64_t life = 0;
    bool submitted = false;
    VirtualTime over_at;  // the client's deadline
    std::optional<Outcome> outcome;
  };

  void NameNodes();
  bool PlaceKey(const Placement& placement);
  void Perform(const Step& step);
  void Fail(std::string what);

  void Do(const RequestStep& step);
  void Do(const AwaitStep& step);
  void Do(const RetryStep& step);
  void Do(const CutStep& step);
  void Do(const PartitionStep& step);
  void Do(const HealStep&);
  void Do(const MachineStep& step);
  void Do(const PauseStep& step);
  void Do(const ClockStep& step);
  void Do(const LeapStep& step);
  void Do(const FailStep& step);
  void Do(const ForgetStep& step);
  void Do(const RotStep& step);
  void Do(const CopyStep& step);
  void Do(const OrderStep& step);
  void Do(const WaitStep& step) { RunUntil(world_.now + step.length); }
  void Do(const CheckStep& step);

  // Lives until then.
  void RunUntil(VirtualTime until);
  void Dispatch(const Event& event);
  void Start(NodeIndex node);
  void ProcessGone(NodeIndex node, bool abrupt);
  void Cut(NodeIndex from, NodeIndex to);
  // Null: it does not run, and the step fails.
  SimNode* Running(const std::string& name);

  uint64_t Send(wire::ClientRequest request, const std::string& node, std::string keep);
  void Submit(uint64_t ticket);
  void End(Attempt* attempt, Outcome outcome);
  void Await(uint64_t ticket);
  static Outcome WithoutReply(const wire::ClientRequest& request, Code code, std::string text);

  Finding Find(const Condition& condition);
  Finding FindReply(const Condition& condition) const;
  Finding FindHolds(const Condition& condition);
  Finding FindHints(const Condition& condition);
  Finding FindProcess(const Condition& condition);
  Finding FindLayout(const Condition& condition);
  Finding FindSettled();
  Finding FindHealthy();
  Finding FindNoHints();
  Finding FindConverged();
  Finding FindGone(const KeyName& key);

  NodeIndex IndexOfName(const std::string& name) const { return names_.find(name)->second; }
  // "A (n2)", as the text and the trace name it.
  std::string NameOf(NodeIndex node) const;
  const std::string& EncodedKey(const KeyName& key);
  std::string DescribeHeld(NodeIndex node, const KeyName& key);
  // Running members of the newest layout.
  std::vector<SimNode*> RunningMembers();

  const Scenario& scenario_;
  std::map<std::string, NodeIndex> names_;
  std::map<KeyName, std::string> keys_;    // all that were named, encoded
  std::map<KeyName, std::string> placed_;  // what a placed key is really called
  std::vector<std::pair<NodeIndex, NodeIndex>> cuts_;
  std::map<std::string, storage::MemoryEngine> copies_;

  std::map<uint64_t, Attempt> attempts_;      // by ticket
  std::map<std::string, uint64_t> requests_;  // the last ticket of each name
  std::map<std::string, std::string> contexts_;
  std::optional<Outcome> last_;
  uint64_t tickets_ = 0;

  const Step* step_ = nullptr;  // under way
  ScenarioReport report_;
};

ScenarioRun::ScenarioRun(const Scenario& scenario, const ScenarioOptions& options)
    : Machines(PlanOf(scenario, options.seed), options.bug, options.listener),
      scenario_(scenario) {}

ScenarioReport ScenarioRun::Run() {
  NameNodes();
  for (uint8_t i = 0; i < plan_.founders; ++i) Start(NodeIndex{i});
  const VirtualTime up_by = world_.now + kUpMax;
  while (report_.failure.empty() && !FindHealthy().holds) {
    if (world_.now >= up_by) Fail("the cluster did not come up");
    RunUntil(world_.now + kLookPeriod);
  }
  for (const Step& step : scenario_.steps) {
    if (!report_.failure.empty()) break;
    step_ = &step;
    Perform(step);
    ++report_.steps;
  }
  report_.trace_hash = world_.trace.hash();
  report_.simulated = world_.now.time_since_epoch();
  return std::move(report_);
}

void ScenarioRun::Perform(const Step& step) {
  world_.trace.Tell(world_.now, "== line {}: {}", step.line, step.text);
  std::visit([&](const auto& action) { Do(action); }, step.action);
}

void ScenarioRun::Fail(std::string what) {
  if (!report_.failure.empty()) return;
  report_.line = step_ != nullptr ? step_->line : 1;
  const double now = std::chrono::duration<double>(world_.now.time_since_epoch()).count();
  report_.failure =
      fmt::format("{}:{}: {} (after {:.3f} s)", scenario_.file, report_.line, what, now);
  if (step_ != nullptr) report_.failure += fmt::format("\n  the step: {}", step_->text);
}

// --- Names

void ScenarioRun::NameNodes() {
  for (uint8_t i = 0; i < plan_.founders; ++i) names_.emplace(fmt::format("n{}", i), NodeIndex{i});
  for (uint32_t i = 0; i < scenario_.spares.size(); ++i) {
    names_.emplace(scenario_.spares[i], NodeIndex{static_cast<uint8_t>(plan_.founders + i)});
  }
  for (const Placement& placement : scenario_.placements) {
    if (PlaceKey(placement)) continue;
    report_.line = placement.line;
    report_.failure =
        fmt::format("{}:{}: no key lives on {} in this order; leave the names beyond the first out",
                    scenario_.file, placement.line, fmt::join(placement.nodes, " "));
    return;
  }
  if (!world_.trace.told()) return;
  for (const auto& [name, node] : names_) {
    if (name != fmt::format("n{}", node.value)) {
      world_.trace.Tell(world_.now, "{} is n{}", name, node.value);
    }
  }
}

// Names that are not given yet are; the others must fit, and a key of another name may.
bool ScenarioRun::PlaceKey(const Placement& placement) {
  for (uint32_t tries = 0; tries < kPlacementTries; ++tries) {
    const std::string key =
        tries == 0 ? placement.key.key : fmt::format("{}.{}", placement.key.key, tries);
    const ring::Token token = ring::TokenOf(placement.key.bucket, key);
    const auto walk = layout_.Walk(layout_.PartitionOf(token));
    if (walk.size() < placement.nodes.size()) return false;
    std::map<std::string, NodeIndex> names = names_;
    bool fits = true;
    for (size_t place = 0; fits && place < placement.nodes.size(); ++place) {
      const NodeIndex node = IndexOf(layout_.member(walk[place]).id);
      const auto [named, fresh] = names.emplace(placement.nodes[place], node);
      fits = fresh || named->second == node;
    }
    if (!fits) continue;
    names_ = std::move(names);
    placed_[placement.key] = key;
    return true;
  }
  return false;
}

std::string ScenarioRun::NameOf(NodeIndex node) const {
  const std::string plain = fmt::format("n{}", node.value);
  for (const auto& [name, index] : names_) {
    if (index == node && name != plain) return fmt::format("{} ({})", name, plain);
  }
  return plain;
}

const std::string& ScenarioRun::EncodedKey(const KeyName& key) {
  const auto [found, fresh] = keys_.try_emplace(key);
  if (fresh) {
    const auto placed = placed_.find(key);
    const std::string& name = placed == placed_.end() ? key.key : placed->second;
    const ring::Token token = ring::TokenOf(key.bucket, name);
    found->second = storage::EncodeKey({token.value, key.bucket, name});
  }
  return found->second;
}

// --- The world

void ScenarioRun::RunUntil(VirtualTime until) {
  while (report_.failure.empty() && !world_.queue.empty() && world_.queue.next_time() <= until) {
    Event event{};
    if (TakeEvent(&event)) Dispatch(event);
  }
  world_.now = std::max(world_.now, until);
}

void ScenarioRun::Dispatch(const Event& event) {
  if (DispatchToMachines(event)) return;
  CHECK(event.kind == Event::Kind::kSubmit);
  Submit(event.argument);
}

void ScenarioRun::Applied(NodeIndex at, const AppliedWrite& write) {
  if (!world_.trace.told()) return;
  world_.trace.Tell(world_.now, "n{} applies {}: {}", at.value,
                    write.sibling != nullptr ? Describe(write.sibling->dot) : "a delete",
                    DescribeRecord(write.record));
}

void ScenarioRun::Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) {
  if (!world_.trace.told()) return;
  world_.trace.Tell(world_.now, "n{} drops {}, {}", at.value, storage::DecodeKey(key)->key,
                    DescribeRecord(tombstone));
}

void ScenarioRun::Learnt(NodeIndex at, const ring::LayoutHistory& layouts) {
  if (!world_.trace.told()) return;
  world_.trace.Tell(world_.now, "n{} knows {}", at.value, Describe(layouts));
}

void ScenarioRun::Stopped(NodeIndex at, bool clean) {
  world_.trace.Tell(world_.now, "n{} has stopped{}", at.value, clean ? "" : ", but not in order");
  ProcessGone(at, false);
}

void ScenarioRun::Start(NodeIndex node) {
  if (!At(node).Start()) {
    return world_.trace.Tell(world_.now, "n{} cannot start on this disk", node.value);
  }
  world_.trace.Tell(world_.now, "n{} starts", node.value);
  network_->ProcessUp(node);
}

void ScenarioRun::ProcessGone(NodeIndex node, bool abrupt) {
  network_->ProcessDown(node, abrupt);
  for (auto& [ticket, attempt] : attempts_) {
    if (attempt.node != node || !attempt.submitted || attempt.outcome) continue;
    End(&attempt, WithoutReply(attempt.request, Code::kUnavailable, "the node is gone"));
  }
}

SimNode* ScenarioRun::Running(const std::string& name) {
  SimNode& node = At(IndexOfName(name));
  if (node.running() && !node.stopping()) return &node;
  Fail(fmt::format("{} does not run", NameOf(IndexOfName(name))));
  return nullptr;
}

// --- Requests

void ScenarioRun::Do(const RequestStep& step) {
  wire::ClientRequest request;
  request.bucket = step.key.bucket;
  request.key = storage::DecodeKey(EncodedKey(step.key))->key;
  request.quorum = step.quorum;
  request.deadline = step.deadline.value_or(Duration{});
  std::string context;
  if (!step.seen.empty()) {
    const auto kept = contexts_.find(step.seen);
    if (kept == contexts_.end()) {
      return Fail(fmt::format("the context '{}' has not been brought by any reply", step.seen));
    }
    context = kept->second;
  }
  if (step.kind == RequestStep::Kind::kPut) {
    wire::PutAction put{.value = step.value, .context = std::move(context)};
    if (step.expires_in) {
      const auto now = std::chrono::duration_cast<milliseconds>(world_.now.time_since_epoch());
      put.expires_at = kWallAtStart + now + *step.expires_in;
    }
    request.action = std::move(put);
  } else if (step.kind == RequestStep::Kind::kDelete) {
    request.action = wire::DeleteAction{.context = std::move(context)};
  }
  request.id = {.client = 1, .sequence = tickets_ + 1};
  const uint64_t ticket = Send(std::move(request), step.node, step.keep);
  if (!step.name.empty()) requests_[step.name] = ticket;
  if (step.awaited) Await(ticket);
}

void ScenarioRun::Do(const RetryStep& step) {
  const uint64_t ticket = requests_.find(step.name)->second;
  const Attempt& before = attempts_.find(ticket)->second;
  Await(Send(before.request, step.node, before.keep));
}

void ScenarioRun::Do(const AwaitStep& step) { Await(requests_.find(step.name)->second); }

uint64_t ScenarioRun::Send(wire::ClientRequest request, const std::string& node, std::string keep) {
  const uint64_t ticket = ++tickets_;
  const Duration deadline =
      request.deadline > Duration{} ? request.deadline : plan_.node.deadline_default;
  const NodeIndex index = IndexOfName(node);
  attempts_.emplace(ticket, Attempt{.request = std::move(request),
                                    .keep = std::move(keep),
                                    .node = index,
                                    .life = 0,
                                    .submitted = false,
                                    .over_at = world_.now + deadline,
                                    .outcome = std::nullopt});
  world_.Schedule(
      Duration{},
      Event{.kind = Event::Kind::kSubmit, .node = index, .peer = {}, .argument = ticket});
  return ticket;
}

void ScenarioRun::Submit(uint64_t ticket) {
  Attempt& attempt = attempts_.find(ticket)->second;
  if (attempt.outcome) return;  // its client has gone
  SimNode& node = At(attempt.node);
  if (!node.running() || node.stopping()) {
    wire::ClientReply reply;
    reply.error = Error{Code::kUnavailable, "nobody listens there"};
    return End(&attempt, {Class::kNotDone, std::move(reply)});
  }
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "client -> n{} {}", attempt.node.value,
                      Describe(attempt.request));
  }
  attempt.submitted = true;
  attempt.life = node.life();
  node.Submit(ticket, attempt.request);
}

void ScenarioRun::Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) {
  world_.trace.Mix(reply);
  if (world_.trace.told()) {
    world_.trace.Tell(world_.now, "n{} -> client {}", at.value, Describe(reply));
  }
  Attempt& attempt = attempts_.find(ticket)->second;
  if (attempt.outcome && attempt.life == At(at).life() && world_.now <= attempt.over_at) {
    return Fail("a request was answered twice");
  }
  Class kind = Class::kDone;
  if (reply.error) {
    kind = reply.error->code == Code::kUnknownOutcome ? Class::kUnknown : Class::kNotDone;
  }
  if (!attempt.outcome) End(&attempt, {kind, std::move(reply)});
}

ScenarioRun::Outcome ScenarioRun::WithoutReply(const wire::ClientRequest& request, Code code,
                                               std::string text) {
  wire::ClientReply reply;
  reply.error = Error{request.IsWrite() ? Code::kUnknownOutcome : code, std::move(text)};
  return {request.IsWrite() ? Class::kUnknown : Class::kNotDone, std::move(reply)};
}

void ScenarioRun::End(Attempt* attempt, Outcome outcome) {
  if (outcome.kind == Class::kDone && !attempt->keep.empty()) {
    contexts_[attempt->keep] = outcome.reply.context;
  }
  attempt->outcome = std::move(outcome);
}

void ScenarioRun::Await(uint64_t ticket) {
  Attempt& attempt = attempts_.find(ticket)->second;
  const VirtualTime give_up_at = attempt.over_at + kPatience;
  while (!attempt.outcome && report_.failure.empty() && !world_.queue.empty() &&
         world_.queue.next_time() <= give_up_at) {
    Event event{};
    if (TakeEvent(&event)) Dispatch(event);
  }
  if (!attempt.outcome) {
    world_.now = std::max(world_.now, give_up_at);
    const SimNode& node = At(attempt.node);
    // One that stands still will answer somebody who has gone.
    if (attempt.submitted && !node.paused(world_.now) && node.paused_until() < attempt.over_at) {
      Fail("a request got no answer");
    }
    End(&attempt, WithoutReply(attempt.request, Code::kTimeout, "the client has given up"));
  }
  last_ = attempt.outcome;
}

// --- What goes wrong

void ScenarioRun::Cut(NodeIndex from, NodeIndex to) {
  network_->Cut(from, to);
  cuts_.emplace_back(from, to);
}

void ScenarioRun::Do(const CutStep& step) {
  for (const std::string& from : step.from) {
    for (const std::string& to : step.to) Cut(IndexOfName(from), IndexOfName(to));
  }
}

void ScenarioRun::Do(const PartitionStep& step) {
  for (const auto& group : step.groups) {
    for (const auto& other : step.groups) {
      if (&group != &other) Do(CutStep{group, other});
    }
  }
}

void ScenarioRun::Do(const HealStep&) {
  for (const auto& [from, to] : cuts_) network_->Mend(from, to);
  cuts_.clear();
}

void ScenarioRun::Do(const MachineStep& step) {
  using What = MachineStep::What;
  for (const std::string& name : step.nodes) {
    const NodeIndex index = IndexOfName(name);
    SimNode& node = At(index);
    switch (step.what) {
      case What::kKill:
        if (Running(name) == nullptr) return;
        node.Kill();
        ProcessGone(index, false);
        break;
      case What::kLosePower:
      case What::kLosePowerKeepingTail:
        if (Running(name) == nullptr) return;
        node.PowerLoss(step.what == What::kLosePower ? SimNode::Tail::kLost : SimNode::Tail::kKept);
        ProcessGone(index, true);
        break;
      case What::kStop:
        if (Running(name) == nullptr) return;
        node.BeginStop();
        for (const VirtualTime by = world_.now + kStopMax; node.running() && world_.now < by;) {
          RunUntil(world_.now + kLookPeriod);
        }
        if (node.running()) return Fail(fmt::format("{} does not stop", NameOf(index)));
        break;
      case What::kWipe:
      case What::kWipeAsStranger:
        if (node.running()) {
          node.PowerLoss(SimNode::Tail::kLost);
          ProcessGone(index, true);
        }
        node.Rebirth(step.what == What::kWipe);
        break;
      case What::kStart:
        if (node.running()) return Fail(fmt::format("{} runs already", NameOf(index)));
        Start(index);
        break;
      case What::kSlowDisk:
      case What::kQuickDisk:
        node.SlowDisk(step.what == What::kSlowDisk);
        break;
      case What::kFullDisk:
      case What::kFreeDisk:
        node.FillDisk(step.what == What::kFullDisk);
        break;
    }
  }
}

void ScenarioRun::Do(const PauseStep& step) {
  if (SimNode* node = Running(step.node)) node->Pause(world_.now + step.length);
}

void ScenarioRun::Do(const ClockStep& step) { At(IndexOfName(step.node)).SetSkew(step.ahead); }

void ScenarioRun::Do(const LeapStep& step) {
  for (const auto& node : nodes_) node->Leap(step.length);
}

void ScenarioRun::Do(const FailStep& step) { At(IndexOfName(step.node)).FailNextCall(step.call); }

void ScenarioRun::Do(const ForgetStep& step) {
  SimNode& node = At(IndexOfName(step.node));
  if (node.running()) return Fail("a disk is changed only while its node is down");
  node.Forget(EncodedKey(step.key));
}

void ScenarioRun::Do(const RotStep& step) {
  const NodeIndex index = IndexOfName(step.node);
  const std::string& encoded = EncodedKey(step.key);
  if (At(index).RotOne([&](const std::string& key) { return key == encoded; })) return;
  Fail(fmt::format("{} holds no record that could rot", NameOf(index)));
}

void ScenarioRun::Do(const CopyStep& step) {
  SimNode& node = At(IndexOfName(step.node));
  if (node.running()) return Fail("a disk is copied and put back only while its node is down");
  if (step.restore) return node.RestoreDisk(copies_.find(step.name)->second);
  copies_.insert_or_assign(step.name, node.CopyDisk());
}

void ScenarioRun::Do(const OrderStep& step) {
  SimNode* at = Running(step.at);
  if (at == nullptr) return;
  ring::LayoutChange change{.kind = step.kind, .id = {}, .member = {}};
  if (!step.member.empty()) change.id = At(IndexOfName(step.member)).id();
  if (!step.newcomer.empty()) change.member = At(IndexOfName(step.newcomer)).member();
  if (step.kind == ring::LayoutChange::Kind::kJoin) change.id = change.member.id;
  const Status ordered = at->Order(std::move(change));
  last_ = Outcome{};
  if (ordered) return;
  last_->kind = Class::kNotDone;
  last_->reply.error = ordered.error();
}

// --- What is expected

void ScenarioRun::Do(const CheckStep& step) {
  Finding finding = Find(step.condition);
  const VirtualTime begun = world_.now;
  const VirtualTime by = begun + step.within.value_or(Duration{});
  while (!finding.holds && world_.now < by && report_.failure.empty()) {
    RunUntil(world_.now + (world_.now < begun + kAtFirst ? kLookPeriodAtFirst : kLookPeriod));
    finding = Find(step.condition);
  }
  if (!finding.holds) Fail(fmt::format("not as expected: {}", finding.found));
}

Finding ScenarioRun::Find(const Condition& condition) {
  using Kind = Condition::Kind;
  if (condition.IsOfReply()) return FindReply(condition);
  switch (condition.kind) {
    case Kind::kHolds:
      return FindHolds(condition);
    case Kind::kHints:
      return FindHints(condition);
    case Kind::kMembers:
    case Kind::kLayout:
      return FindLayout(condition);
    case Kind::kSettled:
      return FindSettled();
    case Kind::kHealthy:
      return FindHealthy();
    case Kind::kNoHints:
      return FindNoHints();
    case Kind::kConverged:
      return FindConverged();
    case Kind::kGone:
      return FindGone(condition.key);
    default:
      return FindProcess(condition);
  }
}

Finding ScenarioRun::FindReply(const Condition& condition) const {
  using Kind = Condition::Kind;
  if (!last_) return {false, "nothing was asked before"};
  const wire::ClientReply& reply = last_->reply;
  std::vector<std::string> values;
  for (const wire::ShownSibling& sibling : reply.siblings) values.push_back(sibling.value);
  std::ranges::sort(values);
  std::string found = Describe(reply);
  if (last_->kind == Class::kDone && condition.kind == Kind::kValues) {
    found = values.empty() ? "no value" : fmt::format("the value {}", fmt::join(values, " "));
  } else if (last_->kind == Class::kDone) {
    found += fmt::format("; {} siblings, {} primaries", values.size(), reply.primaries);
  }
  const bool done = last_->kind == Class::kDone;
  switch (condition.kind) {
    case Kind::kDone:
      return {done, found};
    case Kind::kNotDone:
      return {last_->kind == Class::kNotDone &&
                  (condition.name.empty() || CodeName(reply.error->code) == condition.name),
              found};
    case Kind::kUnknown:
      return {last_->kind == Class::kUnknown, found};
    case Kind::kValues:
      return {done && values == condition.values, found};
    case Kind::kSiblings:
      return {done && condition.count.Admits(values.size()), found};
    default:
      CHECK(condition.kind == Kind::kPrimaries);
      return {done && condition.count.Admits(reply.primaries), found};
  }
}

std::string ScenarioRun::DescribeHeld(NodeIndex node, const KeyName& key) {
  return fmt::format("{} holds {}", NameOf(node),
                     DescribeRecord(At(node).RecordOf(EncodedKey(key))));
}

Finding ScenarioRun::FindHolds(const Condition& condition) {
  const NodeIndex node = IndexOfName(condition.node);
  const std::string stored = At(node).RecordOf(EncodedKey(condition.key));
  std::vector<std::string> values;
  bool tombstone = false;
  if (!stored.empty()) {
    const auto record = storage::DecodeRecord(stored);
    if (!record) {
      values.emplace_back("rotten");
    } else {
      tombstone = record->IsTombstone();
      for (const lattice::Sibling& sibling : record->siblings()) values.push_back(sibling.value);
      std::ranges::sort(values);
    }
  }
  return {values == condition.values && tombstone == condition.tombstone,
          DescribeHeld(node, condition.key)};
}

Finding ScenarioRun::FindHints(const Condition& condition) {
  const NodeIndex node = IndexOfName(condition.node);
  uint64_t hints = 0;
  for (const auto& [owner, usage] : At(node).Hints()) {
    if (!condition.other.empty() && owner != At(IndexOfName(condition.other)).id()) continue;
    hints += usage.rows;
  }
  return {condition.count.Admits(hints), fmt::format("{} keeps {}", NameOf(node), hints)};
}

Finding ScenarioRun::FindProcess(const Condition& condition) {
  using Kind = Condition::Kind;
  const NodeIndex index = IndexOfName(condition.node);
  const SimNode& node = At(index);
  const bool waiting = IsSpare(node);
  const std::string_view is = !node.running() ? "down"
                              : waiting       ? "waiting"
                              : node.ready()  ? "ready"
                                              : "starting";
  std::string found = fmt::format("{} is {}", NameOf(index), is);
  switch (condition.kind) {
    case Kind::kReady:
      return {is == "ready", std::move(found)};
    case Kind::kStarting:
      return {is == "starting", std::move(found)};
    case Kind::kWaiting:
      return {is == "waiting", std::move(found)};
    case Kind::kDown:
      return {is == "down", std::move(found)};
    case Kind::kBelieves:
      return {node.Believes(At(IndexOfName(condition.other)).id()), "it does not"};
    default:
      break;
  }
  CHECK(condition.kind == Kind::kCounter);
  for (const wire::Counter& counter : node.Counters()) {
    if (counter.name != condition.name) continue;
    return {condition.count.Admits(counter.value),
            fmt::format("{} counts {} {}", NameOf(index), condition.name, counter.value)};
  }
  return {false, fmt::format("{}, and has no counter of this name", found)};
}

Finding ScenarioRun::FindLayout(const Condition& condition) {
  const NodeIndex node = IndexOfName(condition.node);
  const ring::LayoutHistory* layouts = At(node).layouts();
  if (layouts == nullptr) return {false, fmt::format("{} knows of no cluster", NameOf(node))};
  const bool members = condition.kind == Condition::Kind::kMembers;
  const uint64_t number =
      members ? layouts->newest().members().size() : layouts->newest().version();
  return {condition.count.Admits(number),
          fmt::format("{} knows {}", NameOf(node), Describe(*layouts))};
}

std::vector<SimNode*> ScenarioRun::RunningMembers() {
  std::vector<SimNode*> running;
  const ring::Layout* newest = NewestLayout();
  for (const auto& node : nodes_) {
    const bool member = newest != nullptr && newest->Find(node->id()) != nullptr;
    if (member && node->running()) running.push_back(node.get());
  }
  return running;
}

Finding ScenarioRun::FindSettled() {
  const ring::Layout* newest = NewestLayout();
  if (newest == nullptr) return {false, "no node runs"};
  for (const ring::Member& member : newest->members()) {
    if (member.leaving) return {false, fmt::format("{} is leaving still", member.name)};
    if (At(IndexOf(member.id)).id() == member.id) continue;
    return {false, fmt::format("{} is lost, and nobody came in its place", member.name)};
  }
  for (SimNode* node : RunningMembers()) {
    const ring::LayoutHistory* layouts = node->layouts();
    if (layouts == nullptr) return {false, fmt::format("{} knows of no cluster", node->name())};
    if (node->Settled() && layouts->newest() == *newest) continue;
    return {false, fmt::format("{} is not settled: it knows {}, and {} orders wait", node->name(),
                               Describe(*layouts), node->orders())};
  }
  return {true, "settled"};
}

Finding ScenarioRun::FindHealthy() {
  const std::vector<SimNode*> running = RunningMembers();
  if (running.empty()) return {false, "no member runs"};
  for (SimNode* node : running) {
    if (!node->ready()) return {false, fmt::format("{} is not ready", node->name())};
    for (SimNode* other : running) {
      if (node == other || node->Believes(other->id())) continue;
      return {false, fmt::format("{} has not found {} well", node->name(), other->name())};
    }
  }
  return {true, "healthy"};
}

Finding ScenarioRun::FindNoHints() {
  for (const auto& node : nodes_) {
    uint64_t hints = 0;
    for (const auto& [owner, usage] : node->Hints()) hints += usage.rows;
    if (hints > 0) return {false, fmt::format("{} keeps {}", node->name(), hints)};
  }
  return {true, "no hints"};
}

// All owners hold the same bytes of every key that was named, and nobody else holds any.
Finding ScenarioRun::FindConverged() {
  const ring::Layout* newest = NewestLayout();
  if (newest == nullptr) return {false, "no node runs"};
  for (const auto& [key, encoded] : keys_) {
    const ring::Token token{storage::TokenOfKey(encoded)};
    const auto owners =
        newest->PreferenceList(newest->PartitionOf(token), buckets_.Find(key.bucket).n);
    std::set<NodeId> ids;
    for (const ring::MemberIndex owner : owners) ids.insert(newest->member(owner).id);
    std::optional<NodeIndex> first;
    size_t found = 0;
    for (uint8_t i = 0; i < plan_.nodes; ++i) {
      const NodeIndex index{i};
      const std::string record = At(index).RecordOf(encoded);
      const bool owns = ids.contains(At(index).id());
      if (!owns && !record.empty()) {
        return {false, fmt::format("{} of {}/{}, and does not own it", DescribeHeld(index, key),
                                   key.bucket, key.key)};
      }
      if (!owns) continue;
      ++found;
      if (!first) first = index;
      if (record == At(*first).RecordOf(encoded)) continue;
      return {false, fmt::format("of {}/{} {}; {}", key.bucket, key.key, DescribeHeld(*first, key),
                                 DescribeHeld(index, key))};
    }
    if (found < ids.size()) return {false, "an owner is lost, and nobody came in its place"};
  }
  return {true, "converged"};
}

Finding ScenarioRun::FindGone(const KeyName& key) {
  const std::string& encoded = EncodedKey(key);
  for (uint8_t i = 0; i < plan_.nodes; ++i) {
    const NodeIndex index{i};
    if (!At(index).RecordOf(encoded).empty()) return {false, DescribeHeld(index, key)};
    if (At(index).HoldsHintOf(encoded)) {
      return {false, fmt::format("{} keeps a hint of it", NameOf(index))};
    }
  }
  return {true, "gone"};
}

}  // namespace

ScenarioReport RunScenario(const Scenario& scenario, const ScenarioOptions& options) {
  return ScenarioRun(scenario, options).Run();
}

}  // namespace eddy::sim
