#include "sim/scenario_run.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "ring/token.h"
#include "sim/scenario_world.h"
#include "storage/key.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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

}  // namespace

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

ScenarioReport RunScenario(const Scenario& scenario, const ScenarioOptions& options) {
  return ScenarioRun(scenario, options).Run();
}

}  // namespace eddy::sim
