// What a scenario expects, and what is so instead.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "ring/token.h"
#include "sim/scenario_world.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

// It is looked at more closely at first, since some of what is waited for passes quickly.
constexpr Duration kLookPeriodAtFirst = milliseconds(1);
constexpr Duration kAtFirst = milliseconds(200);

}  // namespace

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

}  // namespace eddy::sim
