#include "tools/health.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace eddy::tools {

namespace {

constexpr size_t kReplicasDefault = 3;

std::vector<std::string> NamesOf(const std::vector<NodeView>& views, auto&& chosen) {
  std::vector<std::string> names;
  for (const NodeView& view : views) {
    if (chosen(view)) names.push_back(view.member.name);
  }
  return names;
}

std::string Plural(size_t count, std::string_view one, std::string_view several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

uint64_t CounterOf(const NodeView& view, std::string_view name) {
  if (!view.status) return 0;
  for (const wire::Counter& counter : view.status->counters) {
    if (counter.name == name) return counter.value;
  }
  return 0;
}

// Whether a member that answered says that it reaches the other; who says nothing says yes.
bool SaysItReaches(const NodeView& view, NodeId other) {
  const auto& members = view.status->members;
  const auto found = std::ranges::find(members, other, &wire::MemberStatus::id);
  return found == members.end() || found->reachable;
}

std::string JoinedNames(const std::vector<NodeView>& views, const std::set<NodeId>& ids) {
  return fmt::format(
      "{}",
      fmt::join(NamesOf(views, [&](const NodeView& view) { return ids.contains(view.member.id); }),
                ", "));
}

void AdviseOnReach(const std::vector<NodeView>& views, Health* health) {
  const std::set<std::set<NodeId>> reach = WithinReach(views);
  if (reach.size() < 2) return;
  std::vector<std::string> sides;
  for (const std::set<NodeId>& side : reach) sides.push_back(JoinedNames(views, side));
  std::ranges::sort(sides);
  health->advice.push_back(
      fmt::format("Within reach of each other are only: {}. Look at the network between them (TCP "
                  "and UDP on the peer port); what is written on one side meanwhile comes to the "
                  "others once it is mended.",
                  fmt::join(sides, " | ")));
}

void Advise(const std::vector<NodeView>& views, Health* health) {
  AdviseOnReach(views, health);
  std::set<uint64_t> layouts;
  for (const NodeView& view : views) {
    if (CounterOf(view, "now_out_of_room") > 0) {
      health->advice.push_back(
          fmt::format("{} has {} % of its disk free and takes no more writes but deletes; other "
                      "nodes keep what is for it. Make room, or add nodes.",
                      view.member.name, CounterOf(view, "now_disk_free_percent")));
    }
    if (const uint64_t damaged = CounterOf(view, "now_damaged_partitions"); damaged > 0) {
      health->advice.push_back(
          fmt::format("{} has lost records of {} to its disk: it does not answer for them until "
                      "they are back from the other replicas, all of which it needs for that. Look "
                      "after its disk.",
                      view.member.name, Plural(damaged, "partition", "partitions")));
    }
    if (!view.status) {
      health->advice.push_back(
          fmt::format("{} ({}:{}): {}. If it is down, start it again; what "
                      "it missed is repaired as it is read.",
                      view.member.name, view.member.doors.host, view.member.doors.native,
                      view.status.error().text));
    } else if (!view.status->ready) {
      health->advice.push_back(
          fmt::format("{} is not ready: {}.", view.member.name, view.status->reason));
    } else {
      layouts.insert(view.status->layout_version);
    }
  }
  if (layouts.size() > 1) {
    health->advice.push_back(fmt::format(
        "The nodes have different layouts ({}): wait, and ask again.", fmt::join(layouts, ", ")));
  }
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSafe:
      return "safe";
    case Verdict::kDegraded:
      return "degraded";
    case Verdict::kImpaired:
      return "impaired";
  }
  return "";
}

std::set<std::set<NodeId>> WithinReach(const std::vector<NodeView>& views) {
  std::set<std::set<NodeId>> reach;
  for (const NodeView& view : views) {
    if (!view.ready()) continue;
    std::set<NodeId> reached = {view.member.id};
    for (const NodeView& other : views) {
      if (other.ready() && SaysItReaches(view, other.member.id) &&
          SaysItReaches(other, view.member.id)) {
        reached.insert(other.member.id);
      }
    }
    reach.insert(std::move(reached));
  }
  if (reach.empty()) reach.insert(std::set<NodeId>());
  return reach;
}

Health Judge(const ring::Layout& layout, const std::vector<NodeView>& views) {
  const std::set<std::set<NodeId>> reach = WithinReach(views);
  const bool cut = reach.size() > 1;
  Health health;
  size_t replicas = 0;
  size_t least_alive = views.size();
  for (uint32_t i = 0; i < layout.partition_count(); i++) {
    const auto list = layout.PreferenceList(ring::PartitionId{i}, kReplicasDefault);
    replicas = list.size();
    // As the node sees it that reaches the fewest.
    size_t alive = list.size();
    for (const std::set<NodeId>& reached : reach) {
      alive = std::min(
          alive, static_cast<size_t>(std::ranges::count_if(list, [&](ring::MemberIndex index) {
            return reached.contains(layout.member(index).id);
          })));
    }
    least_alive = std::min(least_alive, alive);
    if (alive < replicas / 2 + 1) health.partitions_impaired++;
  }
  const size_t majority = replicas / 2 + 1;
  health.failures_tolerated =
      static_cast<uint32_t>(least_alive > majority ? least_alive - majority : 0);

  const auto silent = NamesOf(views, [](const NodeView& view) { return !view.ready(); });
  const auto damaged = NamesOf(
      views, [](const NodeView& view) { return CounterOf(view, "now_damaged_partitions") > 0; });
  const auto full =
      NamesOf(views, [](const NodeView& view) { return CounterOf(view, "now_out_of_room") > 0; });
  std::string who;
  if (!silent.empty()) {
    who = fmt::format("{} of {} {} not ready ({})", silent.size(),
                      Plural(views.size(), "node", "nodes"), silent.size() == 1 ? "is" : "are",
                      fmt::join(silent, ", "));
    if (cut) who += ", and not all of the others reach each other";
  } else {
    who = fmt::format("all {} nodes are ready, but not all reach each other", views.size());
  }
  const std::string more =
      health.failures_tolerated == 0
          ? "no node may fail now"
          : fmt::format("any {} may fail", Plural(health.failures_tolerated, "node", "nodes"));
  if (health.partitions_impaired > 0) {
    health.verdict = Verdict::kImpaired;
    health.headline = fmt::format(
        "NOT SAFE: {}; {} of {} partitions have fewer than {} of {} replicas{}, and their keys "
        "cannot be read {} a majority.",
        who, health.partitions_impaired, layout.partition_count(), majority, replicas,
        cut ? " within reach of each node" : "", cut ? "everywhere with" : "with");
  } else if (silent.empty() && !cut && !full.empty()) {
    health.verdict = Verdict::kDegraded;
    health.headline = fmt::format(
        "DEGRADED: all {} are ready; {} no room left, and other nodes keep what is written to {}.",
        Plural(views.size(), "node", "nodes"),
        full.size() == 1 ? full.front() + " has" : fmt::format("{} have", fmt::join(full, ", ")),
        full.size() == 1 ? "it" : "them");
  } else if (silent.empty() && !cut && !damaged.empty()) {
    health.verdict = Verdict::kDegraded;
    health.headline = fmt::format(
        "DEGRADED: all {} are ready; {} lost records to a bad disk, and mends "
        "them from the others.",
        Plural(views.size(), "node", "nodes"),
        damaged.size() == 1 ? damaged.front() + " has"
                            : fmt::format("{} have", fmt::join(damaged, ", ")));
  } else if (!silent.empty() || cut) {
    health.verdict = Verdict::kDegraded;
    health.headline =
        fmt::format("DEGRADED: {}; every key can be read and written, {}.", who, more);
  } else if (health.failures_tolerated == 0) {
    health.verdict = Verdict::kDegraded;
    health.headline = fmt::format(
        "WORKING, with nothing to spare: {} ready, but {}.",
        views.size() == 1 ? "the only node is" : fmt::format("all {} nodes are", views.size()),
        more);
    health.advice.push_back(
        fmt::format("A cluster of {} keeps {} of each key: three nodes or more keep three.",
                    Plural(views.size(), "node", "nodes"), Plural(replicas, "copy", "copies")));
  } else {
    health.verdict = Verdict::kSafe;
    health.headline = fmt::format(
        "SAFE: all {} nodes are ready; {}, and every key can still be read and written.",
        views.size(), more);
  }
  Advise(views, &health);
  return health;
}

}  // namespace eddy::tools
