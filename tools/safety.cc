#include "tools/safety.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/text.h"

namespace eddy::tools {

namespace {

constexpr size_t kReplicasDefault = 3;

std::string ZoneOf(const ring::Member& member) {
  return member.zone.empty() ? "without a zone: " + member.id.ToHex() : member.zone;
}

// How many of these groups, the largest first, may go so that `needed` are left.
uint32_t GroupsToSpare(const std::map<std::string, size_t>& groups, size_t needed) {
  std::vector<size_t> sizes;
  size_t left = 0;
  for (const auto& [name, size] : groups) {
    sizes.push_back(size);
    left += size;
  }
  std::ranges::sort(sizes, std::greater());
  uint32_t spare = 0;
  for (const size_t size : sizes) {
    if (left < needed + size) break;
    left -= size;
    ++spare;
  }
  return spare;
}

Tolerance ToleranceOf(const std::map<std::string, size_t>& alive_by_zone, size_t alive,
                      size_t needed) {
  return {.nodes = static_cast<uint32_t>(alive > needed ? alive - needed : 0),
          .zones = GroupsToSpare(alive_by_zone, needed)};
}

void Lower(const Tolerance& other, Tolerance* to) {
  to->nodes = std::min(to->nodes, other.nodes);
  to->zones = std::min(to->zones, other.zones);
}

std::string Plural(uint32_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// "any 1 node, or any 1 zone of 3": what may go. One node is within one zone, so of two zones that
// may go as many nodes may.
std::string SayTolerance(const Tolerance& tolerance, uint32_t zones, std::string_view more) {
  if (tolerance.nodes == 0) return fmt::format("no {}node", more);
  std::string text = fmt::format("any {}{}", more, Plural(tolerance.nodes, "node"));
  if (tolerance.zones > 0 && zones > 1) {
    text += fmt::format(", or any {} of {}", Plural(tolerance.zones, "zone"), zones);
  } else if (zones > 1) {
    text += ", but no whole zone";
  }
  return text;
}

}  // namespace

Safety JudgeSafety(const ring::Layout& layout, const std::vector<NodeView>& views) {
  Safety safety;
  // Reads and writes are served as far as each node reaches; kept is what is there, whoever reaches
  // it now.
  const std::set<std::set<NodeId>> reach = WithinReach(views);
  std::set<NodeId> ready;
  std::set<std::string> zones;
  bool proven = !views.empty();
  for (const NodeView& view : views) {
    if (view.ready()) ready.insert(view.member.id);
    if (view.status && view.status->equal_seconds_ago) {
      safety.equal_seconds_ago =
          std::max(safety.equal_seconds_ago.value_or(0), *view.status->equal_seconds_ago);
    } else {
      proven = false;
      safety.unproven.push_back(view.member.name);
    }
  }
  // One that shares nothing has nothing to be proven.
  if (views.size() == 1) proven = true, safety.equal_seconds_ago = 0, safety.unproven.clear();
  if (!proven) safety.equal_seconds_ago.reset();
  for (const ring::Member& member : layout.members()) zones.insert(member.zone);
  zones.erase("");
  safety.zones = static_cast<uint32_t>(zones.size());

  bool first = true;
  for (uint32_t i = 0; i < layout.partition_count(); i++) {
    const auto list = layout.PreferenceList(ring::PartitionId{i}, kReplicasDefault);
    const auto tolerance = [&](const std::set<NodeId>& alive, size_t needed) {
      std::map<std::string, size_t> by_zone;
      size_t count = 0;
      for (const ring::MemberIndex index : list) {
        const ring::Member& member = layout.member(index);
        if (!alive.contains(member.id)) continue;
        ++count;
        ++by_zone[ZoneOf(member)];
      }
      return ToleranceOf(by_zone, count, needed);
    };
    const size_t majority = list.size() / 2 + 1;
    const Tolerance serving = tolerance(*reach.begin(), majority);
    // The majority that stored a write may be without so many of those that are ready.
    const Tolerance kept = tolerance(ready, list.size() - majority + 1);
    const Tolerance kept_proven = tolerance(ready, 1);
    if (first) safety.serving = serving, safety.kept = kept, safety.kept_proven = kept_proven;
    first = false;
    for (const std::set<NodeId>& reached : reach) {
      Lower(tolerance(reached, majority), &safety.serving);
    }
    Lower(kept, &safety.kept);
    Lower(kept_proven, &safety.kept_proven);
  }
  return safety;
}

std::string SayServing(const Safety& safety) {
  return safety.serving.nodes == 0 ? "no node more may fail"
                                   : SayTolerance(safety.serving, safety.zones, "") +
                                         " may fail, and every key is still read and written";
}

std::string SayKept(const Safety& safety) {
  std::string text =
      SayTolerance(safety.kept, safety.zones, "") + " may be lost for ever with nothing lost";
  if (safety.equal_seconds_ago && safety.kept_proven != safety.kept &&
      safety.kept_proven.nodes > 0) {
    text += fmt::format("; {} of what is proven below",
                        SayTolerance(safety.kept_proven, safety.zones, ""));
  }
  return text;
}

std::string SayProven(const Safety& safety) {
  if (safety.equal_seconds_ago) {
    return fmt::format("every partition was equal on all its owners {} ago",
                       FormatSeconds(*safety.equal_seconds_ago));
  }
  return fmt::format(
      "not all, since {} cannot say so of all {} since {} start: 'eddyctl repair status' shows "
      "more",
      fmt::join(safety.unproven, ", "), safety.unproven.size() == 1 ? "it holds" : "they hold",
      safety.unproven.size() == 1 ? "its" : "their");
}

std::string SayHints(const std::vector<HintsAt>& hints) {
  std::map<std::string, std::vector<std::string>> holders;  // by owner
  for (const HintsAt& at : hints) {
    for (const std::string& owner : at.owners) holders[owner].push_back(at.node);
  }
  if (holders.empty()) return "none";
  std::vector<std::string> parts;
  for (const auto& [owner, nodes] : holders) {
    parts.push_back(fmt::format("for {} at {}", owner, fmt::join(nodes, " and ")));
  }
  return fmt::format("{}; delivered once it can be reached", fmt::join(parts, ", "));
}

}  // namespace eddy::tools
