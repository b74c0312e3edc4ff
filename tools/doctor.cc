#include "tools/doctor.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

// Who writes at two nodes within that time may see the earlier write win, where the last writer
// does; and values expire that much too early or late.
constexpr milliseconds kClocksApartWarning{500};
constexpr milliseconds kClocksApartProblem{5'000};
// Of the disk, free: compactions write before they delete.
constexpr uint64_t kDiskPercentWarning = 20;
constexpr uint64_t kDiskPercentProblem = 8;
// Since all replicas were last found equal.
constexpr uint64_t kUnprovenSecondsWarning = 6 * 3600;
// Beside its connections a node has the files of the engine and of the peers.
constexpr uint64_t kOtherFiles = 1000;

class Diagnosis {
 public:
  explicit Diagnosis(const std::vector<NodeFacts>& nodes) : nodes_(nodes) {}

  // One subject: what `examine` finds, or that it is good.
  template <class Examine>
  void Subject(std::string_view name, std::string good, Examine examine) {
    subject_ = name;
    const size_t before = findings_.size();
    examine(good);
    if (findings_.size() == before) findings_.push_back({Weight::kGood, subject_, good, ""});
  }
  void Warning(std::string text, std::string advice) {
    findings_.push_back({Weight::kWarning, subject_, std::move(text), std::move(advice)});
  }
  void Problem(std::string text, std::string advice) {
    findings_.push_back({Weight::kProblem, subject_, std::move(text), std::move(advice)});
  }

  std::vector<Finding> Take() { return std::move(findings_); }
  const std::vector<NodeFacts>& nodes() const { return nodes_; }

 private:
  const std::vector<NodeFacts>& nodes_;
  std::string subject_;
  std::vector<Finding> findings_;
};

std::string Names(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

// A figure that a node gave, or nothing.
std::optional<uint64_t> Figure(const std::optional<Json>& object, const char* name) {
  if (!object) return std::nullopt;
  const auto found = object->find(name);
  if (found == object->end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<uint64_t>();
}

std::string Text(const std::optional<Json>& object, const char* name) {
  if (!object) return {};
  const auto found = object->find(name);
  return found != object->end() && found->is_string() ? found->get<std::string>() : "";
}

void ExamineNodes(Diagnosis* diagnosis, std::string& good) {
  good = fmt::format("all {} answer and are ready", diagnosis->nodes().size());
  for (const NodeFacts& node : diagnosis->nodes()) {
    const wire::MemberStatus& member = node.view.member;
    if (!node.view.status) {
      diagnosis->Problem(
          fmt::format("{}: {}", member.name, node.view.status.error().text),
          "start it again, and what it missed is repaired; if its disk is lost for ever, start its "
          "successor with --replace " +
              member.name);
    } else if (!node.view.status->ready) {
      diagnosis->Problem(fmt::format("{} is not ready: {}", member.name, node.view.status->reason),
                         "its log says since when and why");
    }
  }
}

void ExamineVersions(Diagnosis* diagnosis, std::string_view version, std::string& good) {
  std::map<std::string, std::vector<std::string>> nodes;  // by software
  for (const NodeFacts& node : diagnosis->nodes()) {
    if (node.view.status) nodes[node.view.status->software].push_back(node.view.member.name);
  }
  if (nodes.size() > 1) {
    std::vector<std::string> parts;
    for (const auto& [software, names] : nodes) {
      parts.push_back(fmt::format("{} runs {}", Names(names), software));
    }
    diagnosis->Warning(fmt::format("{}", fmt::join(parts, "; ")),
                       "two versions serve together while a cluster is upgraded: end the upgrade");
  } else if (!nodes.empty()) {
    good = fmt::format("all run {}", nodes.begin()->first);
    if (!nodes.begin()->first.ends_with(fmt::format(" {}", version))) {
      diagnosis->Warning(
          fmt::format("the nodes run {}, and this is eddyctl {}", nodes.begin()->first, version),
          "use the eddyctl that came with the nodes");
    }
  }
}

void ExamineClocks(Diagnosis* diagnosis, std::string& good) {
  const NodeFacts* first = nullptr;
  const NodeFacts* last = nullptr;
  for (const NodeFacts& node : diagnosis->nodes()) {
    if (!node.clock) continue;
    if (first == nullptr || node.clock->ahead < first->clock->ahead) first = &node;
    if (last == nullptr || node.clock->ahead > last->clock->ahead) last = &node;
  }
  if (first == nullptr) return diagnosis->Warning("no node told the time", "upgrade the nodes");
  const milliseconds apart = last->clock->ahead - first->clock->ahead;
  const milliseconds uncertain = first->clock->uncertain + last->clock->uncertain;
  good =
      fmt::format("within {} ms of each other (known to {} ms)", apart.count(), uncertain.count());
  const milliseconds at_least = apart - uncertain;
  if (at_least < kClocksApartWarning) return;
  const std::string text =
      fmt::format("{} is {} ms ahead of {} (known to {} ms)", last->view.member.name, apart.count(),
                  first->view.member.name, uncertain.count());
  const std::string advice =
      "let each machine follow a time server (chrony, or timedatectl set-ntp true): where the last "
      "writer wins the wrong one may win, and values expire too early or late";
  if (at_least < kClocksApartProblem) return diagnosis->Warning(text, advice);
  diagnosis->Problem(text, advice);
}

void ExamineDisks(Diagnosis* diagnosis, std::string& good) {
  uint64_t least_percent = 100;
  bool known = false;
  for (const NodeFacts& node : diagnosis->nodes()) {
    const std::string& name = node.view.member.name;
    if (const std::string refuses = Text(node.process, "store_refuses"); !refuses.empty()) {
      diagnosis->Problem(
          fmt::format("{} refuses writes: {}", name, refuses),
          "look at its disk; if it is going, replace the node with --replace " + name);
    }
    if (node.process && node.process->value("store_stalled", false)) {
      diagnosis->Warning(fmt::format("the disk of {} does not keep up with its writes", name),
                         "send less, add nodes, or give it a faster disk");
    }
    const auto disk = node.process ? node.process->find("disk") : Json::const_iterator();
    if (!node.process || disk == node.process->end() || !disk->is_object()) continue;
    const std::optional<Json> figures = *disk;
    const auto bytes = Figure(figures, "bytes");
    const auto free = Figure(figures, "bytes_free");
    if (!bytes || !free || *bytes == 0) continue;
    known = true;
    const auto percent =
        static_cast<uint64_t>(static_cast<double>(*free) * 100 / static_cast<double>(*bytes));
    least_percent = std::min(least_percent, percent);
    if (percent >= kDiskPercentWarning) continue;
    const std::string text =
        fmt::format("{} has {} free of {} ({}%) at {}", name, FormatBytes(*free),
                    FormatBytes(*bytes), percent, Text(node.process, "data_dir"));
    const std::string advice =
        "make room or give it a larger disk; or let other nodes take more: eddyctl cluster "
        "set-weight";
    percent < kDiskPercentProblem ? diagnosis->Problem(text, advice)
                                  : diagnosis->Warning(text, advice);
  }
  good = known ? fmt::format("at least {}% free everywhere", least_percent)
               : "nothing is kept on disk";
}

void ExamineFiles(Diagnosis* diagnosis, std::string&) {
  for (const NodeFacts& node : diagnosis->nodes()) {
    const auto most = Figure(node.process, "open_files_max");
    if (!most || !node.config) continue;
    uint64_t connections = 0;
    for (const Json& setting : node.config->at("settings")) {
      if (setting.at("key") == "connections_max") {
        connections = setting.at("value").get<uint64_t>();
      }
    }
    if (*most >= connections + kOtherFiles) continue;
    diagnosis->Warning(fmt::format("{} may open {} files, and connections_max alone is {}",
                                   node.view.member.name, *most, connections),
                       "raise the limit (LimitNOFILE= in the unit, ulimit -n in a shell), or lower "
                       "connections_max");
  }
}

void ExamineLayout(Diagnosis* diagnosis, std::string& good) {
  std::set<uint64_t> reading;
  std::set<uint64_t> newest;
  std::map<std::string, uint64_t> weight_of_zone;
  std::vector<std::string> without_zone;
  uint64_t members = 0;
  for (const NodeFacts& node : diagnosis->nodes()) {
    ++members;
    const wire::MemberStatus& member = node.view.member;
    if (member.zone.empty()) without_zone.push_back(member.name);
    weight_of_zone[member.zone] += member.weight;
    if (!node.view.status) continue;
    reading.insert(node.view.status->layout_version);
    newest.insert(node.view.status->layout_newest);
    for (const char* list : {"orders", "askers"}) {
      if (!node.cluster || !node.cluster->contains(list)) continue;
      for (const Json& name : node.cluster->at(list)) {
        const std::string text = name.get<std::string>();
        diagnosis->Warning(
            std::string_view(list) == "orders"
                ? fmt::format("{} has an order that is not done: {}", member.name, text)
                : fmt::format("{} asks to join", text),
            std::string_view(list) == "orders"
                ? "a majority of the members must be up to vote on it"
                : fmt::format("let it in: eddyctl cluster join {}", text));
      }
    }
  }
  if (!newest.empty() &&
      (reading.size() > 1 || newest.size() > 1 || *reading.begin() != *newest.rbegin())) {
    diagnosis->Warning(
        fmt::format("a change is under way: layout {} is being filled, reads go by {}",
                    *newest.rbegin(), fmt::join(reading, " and ")),
        "eddyctl members says who is waited for; eddyctl cluster wait waits");
  }
  if (members < 3) {
    diagnosis->Warning(
        fmt::format("{} member{} cannot keep three copies", members, members == 1 ? "" : "s"),
        "three nodes or more keep three copies of each key: add some");
  } else if (weight_of_zone.size() - weight_of_zone.contains("") == 0) {
    diagnosis->Warning("no member has a zone",
                       "say what fails together, such as racks: eddyctl cluster set-zone NODE "
                       "ZONE");
  } else if (!without_zone.empty()) {
    diagnosis->Warning(fmt::format("{} without a zone, and others with one", Names(without_zone)),
                       "eddyctl cluster set-zone NODE ZONE");
  } else if (weight_of_zone.size() < 3) {
    diagnosis->Warning(fmt::format("{} zones hold three copies of each key: one has two of them",
                                   weight_of_zone.size()),
                       "with three zones or more the loss of a whole zone stops nobody");
  }
  good = fmt::format("version {} everywhere, {} members in {} zones",
                     newest.empty() ? 0 : *newest.begin(), members, weight_of_zone.size());
}

// What all nodes must be told alike, and what is worth a word where it is so.
void ExamineConfiguration(Diagnosis* diagnosis, std::string& good) {
  struct Seen {
    std::map<std::string, std::vector<std::string>> nodes;  // by value
  };
  std::map<std::string, Seen> settings;
  std::set<std::string> buckets;
  size_t nodes = 0;
  for (const NodeFacts& node : diagnosis->nodes()) {
    if (!node.config) continue;
    ++nodes;
    const std::string& name = node.view.member.name;
    for (const Json& setting : node.config->at("settings")) {
      const std::string section = setting.at("section").get<std::string>();
      const std::string key = setting.at("key").get<std::string>();
      const Json& value = setting.at("value");
      const bool alike = section.starts_with("bucket") || section == "limits" ||
                         section == "background" || section == "storage" || key == "auto_join";
      if (alike) settings[section + "." + key].nodes[value.dump()].push_back(name);
      if (section == "storage" && key == "engine" && value == "memory") {
        diagnosis->Warning(fmt::format("{} keeps everything in memory", name),
                           "engine = \"memory\" is for tests: a restart loses what it held");
      }
      if (section == "storage" && key == "durability" && value != "sync") {
        diagnosis->Warning(
            fmt::format("{} acknowledges writes before they are on its disk (durability = {})",
                        name, value.dump()),
            "right only where losing the last moments of several machines at once is acceptable; "
            "else durability = \"sync\"");
      }
      if (key == "anti_entropy_seconds" && value == 0) {
        diagnosis->Warning(fmt::format("{} never compares its replicas", name),
                           "set anti_entropy_seconds in [background], such as 60");
      }
    }
    if (node.config->value("fault_injection", false)) {
      diagnosis->Problem(fmt::format("{} lets whoever reaches it break its network", name),
                         "start it without --enable-fault-injection, unless it is for tests");
    }
  }
  for (const auto& [setting, seen] : settings) {
    size_t said = 0;
    for (const auto& [value, names] : seen.nodes) said += names.size();
    // A bucket that some know and others do not: those go by the defaults.
    const bool missing = setting.starts_with("bucket.") && said < nodes;
    if (seen.nodes.size() < 2 && !missing) continue;
    std::vector<std::string> parts;
    for (const auto& [value, names] : seen.nodes) {
      parts.push_back(fmt::format("{} on {}", value, Names(names)));
    }
    if (missing) parts.push_back("not set on the others");
    const std::string text = fmt::format("{} is {}", setting, fmt::join(parts, ", "));
    if (setting.starts_with("bucket") && setting.ends_with(".n")) {
      diagnosis->Problem(text, "n says who owns a key: give all nodes the same, and restart them");
    } else {
      diagnosis->Warning(text, "give all nodes the same, unless it is meant so");
    }
  }
  good = fmt::format("{} nodes are told the same", nodes);
}

void ExamineReplicas(Diagnosis* diagnosis, std::string& good) {
  std::vector<std::string> unproven;
  std::optional<uint64_t> oldest;
  for (const NodeFacts& node : diagnosis->nodes()) {
    if (!node.view.status) continue;
    if (const auto ago = node.view.status->equal_seconds_ago) {
      oldest = std::max(oldest.value_or(0), *ago);
    } else {
      unproven.push_back(node.view.member.name);
    }
    if (!node.process || !node.process->contains("hints_for")) continue;
    for (const Json& owner : node.process->at("hints_for")) {
      const auto is_owner = [&](const NodeFacts& other) {
        return other.view.member.name == owner && other.view.ready();
      };
      if (std::ranges::none_of(diagnosis->nodes(), is_owner)) continue;
      diagnosis->Warning(fmt::format("{} still keeps writes for {}, which is ready",
                                     node.view.member.name, owner.get<std::string>()),
                         "they are on their way if this was just back; if not, look whether the "
                         "two reach each other: eddyctl members --node " +
                             node.view.member.doors.host);
    }
  }
  if (!unproven.empty() && diagnosis->nodes().size() > 1) {
    diagnosis->Warning(
        fmt::format("{} {} not found everything equal to other owners since {} start",
                    Names(unproven), unproven.size() == 1 ? "has" : "have",
                    unproven.size() == 1 ? "its" : "their"),
        "soon after a start this passes; eddyctl repair status says which partitions, and eddyctl "
        "repair --all --wait compares now");
  } else if (oldest && *oldest > kUnprovenSecondsWarning) {
    diagnosis->Warning(
        fmt::format("not all replicas were found equal for {}", FormatSeconds(*oldest)),
        "eddyctl repair status --partitions says where; mostly an owner is away");
  }
  good = fmt::format("all were found equal {} ago", FormatSeconds(oldest.value_or(0)));
}

void ExamineNetwork(Diagnosis* diagnosis, std::string&) {
  for (const NodeFacts& node : diagnosis->nodes()) {
    if (!node.view.status) continue;
    for (const wire::MemberStatus& seen : node.view.status->members) {
      const auto is_it = [&](const NodeFacts& other) {
        return other.view.member.id == seen.id && other.view.ready();
      };
      if (seen.reachable || std::ranges::none_of(diagnosis->nodes(), is_it)) continue;
      diagnosis->Problem(
          fmt::format("{} cannot reach {}, which is ready", node.view.member.name, seen.name),
          fmt::format("look at the network and the firewall between them: TCP and UDP on port {}",
                      seen.doors.peer));
    }
    uint64_t by_connection = 0;
    for (const wire::Counter& counter : node.view.status->counters) {
      if (counter.name == "gossip_answers_by_connection") by_connection = counter.value;
    }
    if (by_connection == 0) continue;
    diagnosis->Warning(
        fmt::format("{} got {} answers to its probes by TCP alone since its start",
                    node.view.member.name, by_connection),
        "if that grows, UDP is lost on the peer port: open it, and the dead are found sooner");
  }
}

}  // namespace

std::string_view WeightName(Weight weight) {
  switch (weight) {
    case Weight::kGood:
      return "good";
    case Weight::kWarning:
      return "warning";
    case Weight::kProblem:
      return "problem";
  }
  return "";
}

std::vector<Finding> Diagnose(const std::vector<NodeFacts>& nodes, std::string_view version) {
  Diagnosis diagnosis(nodes);
  diagnosis.Subject("nodes", "", [&](std::string& good) { ExamineNodes(&diagnosis, good); });
  diagnosis.Subject("network", "every node reaches every other",
                    [&](std::string& good) { ExamineNetwork(&diagnosis, good); });
  diagnosis.Subject("replicas", "", [&](std::string& good) { ExamineReplicas(&diagnosis, good); });
  diagnosis.Subject("layout", "", [&](std::string& good) { ExamineLayout(&diagnosis, good); });
  diagnosis.Subject("clocks", "", [&](std::string& good) { ExamineClocks(&diagnosis, good); });
  diagnosis.Subject("disk", "", [&](std::string& good) { ExamineDisks(&diagnosis, good); });
  diagnosis.Subject("files", "each node may open as many as its connections need",
                    [&](std::string& good) { ExamineFiles(&diagnosis, good); });
  diagnosis.Subject("versions", "no node told its version",
                    [&](std::string& good) { ExamineVersions(&diagnosis, version, good); });
  diagnosis.Subject("configuration", "",
                    [&](std::string& good) { ExamineConfiguration(&diagnosis, good); });
  return diagnosis.Take();
}

}  // namespace eddy::tools
