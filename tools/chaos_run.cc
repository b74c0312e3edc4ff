#include "tools/chaos_run.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/chaos_cluster.h"
#include "tools/chaos_plan.h"
#include "tools/chaos_workload.h"
#include "tools/interrupt.h"

namespace eddy::tools {

namespace {

using State = ChaosNode::State;
using enum ChaosFaultKind;

constexpr auto kStep = std::chrono::milliseconds(50);
constexpr auto kLookEvery = std::chrono::milliseconds(250);
// A fault that has to wait until all is quiet waits so long, and is then left out.
constexpr Duration kQuietMax = std::chrono::seconds(45);
constexpr size_t kMembersMin = 4;
constexpr Duration kDiskFullMin = std::chrono::seconds(2);
constexpr Duration kClockOffsetMax = std::chrono::seconds(5);

class Director {
 public:
  Director(const ChaosOptions& options, ChaosMachines* machines, const ChaosProgress& progress)
      : options_(options),
        progress_(progress),
        cluster_({.nodes = options.nodes}, machines),
        of_nodes_(ChaosPlan::OfNodes(options.seed)),
        of_network_(ChaosPlan::OfNetwork(options.seed, machines->HasCables())) {}

  Result<ChaosOutcome> Run() {
    progress_(fmt::format("starting {} nodes", options_.nodes));
    if (Status ok = cluster_.StartAll(); !ok) return std::unexpected(ok.error());
    began_ = ChaosClock::now();
    ChaosWorkloadOptions load{.nodes = cluster_.AddressesOfMembers(),
                              .cluster = ChaosCluster::kName,
                              .began = began_,
                              .seed = options_.seed,
                              .clients = options_.clients,
                              .rate = options_.rate};
    ChaosWorkload workload(load);
    workload.Start();
    outcome_.history.keys = workload.keys();
    ScheduleNode();
    ScheduleNetwork();
    while (Elapsed() < options_.seconds && !Interrupted()) {
      StepNode();
      StepNetwork();
      Look(workload.counts());
      std::this_thread::sleep_for(kStep);
    }
    workload.Stop();
    outcome_.history.operations = workload.TakeOperations();
    outcome_.faults_ended = Elapsed();
    HealAndWait();
    // Even if they do not converge: what they show then is evidence.
    progress_("reading every key through every node");
    for (size_t i = 0; i < cluster_.nodes().size(); ++i) {
      if (!cluster_.nodes()[i].member) continue;
      auto reads = ReadAllThrough(load, outcome_.history.keys, cluster_.AddressOf(i),
                                  static_cast<uint8_t>(i + 1));
      std::ranges::move(reads, std::back_inserter(outcome_.history.operations));
    }
    NoteCrashes();
    return std::move(outcome_);
  }

 private:
  // One row of the plan.
  struct Row {
    ChaosFault fault;
    Duration begin_at{};
    Duration end_at{};
    Duration waits_since{};
    bool waits = false;  // until all is quiet
    bool active = false;
    std::optional<size_t> node;
    size_t band = 0;
  };

  Duration Elapsed() const {
    return std::chrono::duration_cast<Duration>(ChaosClock::now() - began_);
  }
  std::vector<ChaosNode>& nodes() { return cluster_.nodes(); }

  std::vector<size_t> Members() {
    std::vector<size_t> members;
    for (size_t i = 0; i < nodes().size(); ++i) {
      if (nodes()[i].member) members.push_back(i);
    }
    return members;
  }

  size_t OpenBand(std::string_view kind, std::string what, bool network) {
    outcome_.bands.push_back({.kind = std::string(kind),
                              .what = std::move(what),
                              .network = network,
                              .began = Elapsed(),
                              .ended = Duration(-1)});
    return outcome_.bands.size() - 1;
  }
  void CloseBand(size_t band) { outcome_.bands[band].ended = Elapsed(); }

  // --- what happens to nodes

  void ScheduleNode() {
    row_ = {};
    row_.fault = of_nodes_.Next();
    row_.begin_at = Elapsed() + row_.fault.pause;
  }

  void StepNode() {
    const Duration now = Elapsed();
    if (row_.active) {
      if (now >= row_.end_at) EndNodeFault();
    } else if (now >= row_.begin_at) {
      if (!NeedsQuiet(row_.fault.kind)) return BeginNodeFault();
      if (!row_.waits) {
        row_.waits = true;
        row_.waits_since = now;
      }
      if (IsQuiet()) {
        BeginNodeFault();
      } else if (now - row_.waits_since > kQuietMax) {
        outcome_.notes.push_back(fmt::format(
            "{:.1f} s: a {} was left out, since the replicas were "
            "not found equal within {} s",
            Seconds(now), ChaosFaultName(row_.fault.kind), kQuietMax / std::chrono::seconds(1)));
        ScheduleNode();
      }
    }
  }

  static double Seconds(Duration at) { return std::chrono::duration<double>(at).count(); }

  // Nothing is broken, nothing is moved, and all replicas were found equal since that was so. The
  // other row makes nothing new meanwhile.
  bool IsQuiet() {
    if (network_.active || !cluster_.FaultsSet()) return false;
    const auto now = ChaosClock::now();
    if (now < look_at_) return false;
    look_at_ = now + kLookEvery;
    if (!repair_begun_) {
      if (leaving_ || !cluster_.Ready() || !cluster_.Settled()) return false;
      repair_begun_ = cluster_.StartRepair();
      return false;
    }
    if (!cluster_.RepairedEqual()) return false;
    return cluster_.Settled();
  }

  void BeginNodeFault() {
    repair_begun_ = false;
    const ChaosFault& fault = row_.fault;
    const auto node = ChooseNode(fault);
    if (!node) {
      outcome_.notes.push_back(fmt::format("{:.1f} s: a {} was left out: no node is left for it",
                                           Seconds(Elapsed()), ChaosFaultName(fault.kind)));
      return ScheduleNode();
    }
    row_.node = node;
    row_.active = true;
    row_.end_at = Elapsed() + fault.lasts;
    row_.band = OpenBand(ChaosFaultName(fault.kind), nodes()[*node].name, false);
    switch (fault.kind) {
      case kKill:
        return NoteFailed(cluster_.Kill(*node));
      case kPause:
        return NoteFailed(cluster_.Pause(*node));
      case kRestart:
        return NoteFailed(cluster_.Terminate(*node));
      case kWipe:
        NoteFailed(cluster_.Kill(*node));
        outcome_.history.disk_losses.push_back(Elapsed());
        NoteFailed(cluster_.DeleteDisk(*node));
        nodes()[*node].replaces = true;
        return;
      case kClock: {
        const auto offset = ClockOffsetOf(fault);
        outcome_.bands.back().what += fmt::format(" {:+} ms", offset.count());
        outcome_.history.clock_skew = 2 * kClockOffsetMax;
        return cluster_.SetMachine(*node, offset, false);
      }
      case kDiskFull:
        // It looks once a second.
        row_.end_at += kDiskFullMin;
        return cluster_.SetMachine(*node, {}, true);
      case kJoin:
        nodes()[*node].member = true;
        StartNode(*node);
        return;
      case kLeave:
        if (auto ok = cluster_.Leave(*node)) {
          nodes()[*node].member = false;
          leaving_ = node;
        } else {
          outcome_.notes.push_back(fmt::format("{:.1f} s: {} was not let go: {}",
                                               Seconds(Elapsed()), nodes()[*node].name,
                                               ok.error().text));
        }
        return;
      default:
        return;
    }
  }

  std::optional<size_t> ChooseNode(const ChaosFault& fault) {
    std::vector<size_t> choice;
    for (size_t i = 0; i < nodes().size(); ++i) {
      const ChaosNode& node = nodes()[i];
      const bool fits = fault.kind == kJoin ? node.state == State::kAbsent && !node.member
                                            : node.state == State::kRunning && !node.unplugged;
      const bool stays = fault.kind != kWipe && fault.kind != kLeave ? true : node.member;
      if (fits && stays) choice.push_back(i);
    }
    if (fault.kind == kLeave && Members().size() <= kMembersMin) return std::nullopt;
    if (choice.empty()) return std::nullopt;
    return choice[fault.draw % choice.size()];
  }

  // Either way, from the smallest that tells up to the most: as many small ones as large ones.
  static std::chrono::milliseconds ClockOffsetOf(const ChaosFault& fault) {
    Random random(fault.draw);
    const auto most = static_cast<uint64_t>(kClockOffsetMax / std::chrono::milliseconds(1));
    const auto offset = static_cast<int64_t>(
        std::max<uint64_t>(random.Between(1, most) >> random.Between(0, 8), 1));
    return std::chrono::milliseconds(random.Below(2) == 0 ? offset : -offset);
  }

  void EndNodeFault() {
    const size_t node = *row_.node;
    switch (row_.fault.kind) {
      case kKill:
      case kWipe:
        StartNode(node);
        break;
      case kPause:
        NoteFailed(cluster_.Continue(node));
        break;
      case kClock:
      case kDiskFull:
        cluster_.SetMachine(node, {}, false);
        break;
      case kRestart:
        if (!cluster_.Ended(node)) return;  // and looked at again
        StartNode(node);
        break;
      default:
        break;
    }
    CloseBand(row_.band);
    ScheduleNode();
  }

  void StartNode(size_t node) { NoteFailed(cluster_.Start(node)); }

  // What a machine was told, and could not do.
  void NoteFailed(const Status& ok) {
    if (ok) return;
    outcome_.notes.push_back(fmt::format("{:.1f} s: {}", Seconds(Elapsed()), ok.error().text));
  }

  // A node that was told to leave has nothing left: it goes, and its disk with it.
  void RetireLeaver() {
    if (!leaving_ || nodes()[*leaving_].state != State::kRunning) return;
    if (!cluster_.Settled()) return;
    const size_t node = *leaving_;
    NoteFailed(cluster_.Kill(node));
    NoteFailed(cluster_.DeleteDisk(node));
    nodes()[node].state = State::kAbsent;
    nodes()[node].faults_set = true;
    leaving_.reset();
  }

  // --- what happens to the network

  void ScheduleNetwork() {
    network_ = {};
    network_.fault = of_network_.Next();
    network_.begin_at = Elapsed() + network_.fault.pause;
  }

  void StepNetwork() {
    const Duration now = Elapsed();
    if (network_.active) {
      if (now < network_.end_at) return;
      cluster_.SetFaults({});
      PlugAll();
      CloseBand(network_.band);
      ScheduleNetwork();
    } else if (now >= network_.begin_at && !row_.waits) {
      network_.active = true;
      network_.end_at = now + network_.fault.lasts;
      if (network_.fault.kind == kUnplug) return UnplugSome();
      auto [faults, what] = FaultsOf(network_.fault);
      network_.band = OpenBand(ChaosFaultName(network_.fault.kind), std::move(what), true);
      cluster_.SetFaults(std::move(faults));
    }
  }

  // Fewer than half of the nodes: each for itself, since the cable of each is pulled.
  void UnplugSome() {
    std::vector<size_t> choice;
    for (size_t i = 0; i < nodes().size(); ++i) {
      if (nodes()[i].state == State::kRunning) choice.push_back(i);
    }
    Random random(network_.fault.draw);
    for (size_t i = choice.size(); i > 1; --i) {
      std::swap(choice[i - 1], choice[random.Below(i)]);
    }
    const size_t most = std::max<size_t>(1, (Members().size() - 1) / 2);
    choice.resize(std::min(choice.size(), random.Between(1, most)));
    std::vector<std::string> names;
    for (const size_t node : choice) names.push_back(nodes()[node].name);
    network_.band =
        OpenBand(ChaosFaultName(kUnplug), fmt::format("{}", fmt::join(names, " ")), true);
    for (const size_t node : choice) NoteFailed(cluster_.Unplug(node));
  }

  void PlugAll() {
    for (size_t i = 0; i < nodes().size(); ++i) {
      if (nodes()[i].unplugged) NoteFailed(cluster_.Plug(i));
    }
  }

  std::pair<std::vector<LinkFault>, std::string> FaultsOf(const ChaosFault& fault) {
    std::vector<size_t> members = Members();
    if (leaving_) members.push_back(*leaving_);
    Random random(fault.draw);
    for (size_t i = members.size(); i > 1; --i) {
      std::swap(members[i - 1], members[random.Below(i)]);
    }
    // The first `count` of them on one side.
    const size_t count = fault.kind == kIsolate ? 1 : random.Between(1, members.size() / 2);
    std::vector<LinkFault> faults;
    const auto add = [&](size_t from, size_t to) {
      LinkFault link{.from = from, .to = to};
      if (fault.kind == kDelay) {
        link.delay_ms = static_cast<uint32_t>(random.Between(5, 400));
      } else if (fault.kind == kLoss) {
        link.lose_per_mille = static_cast<uint32_t>(random.Between(1, 100));
      } else {
        link.drop = true;
      }
      faults.push_back(link);
    };
    for (size_t i = 0; i < members.size(); ++i) {
      for (size_t j = 0; j < members.size(); ++j) {
        if (i == j) continue;
        const bool crosses = (i < count) != (j < count);
        const bool there = i < count;
        // Delay and loss are of all that one side sends, also within it.
        const bool hit = fault.kind == kDelay || fault.kind == kLoss ? there
                         : fault.kind == kOneWay                     ? crosses && there
                                                                     : crosses;
        if (hit) add(members[i], members[j]);
      }
    }
    std::vector<std::string> side;
    std::vector<std::string> others;
    for (size_t i = 0; i < members.size(); ++i) {
      (i < count ? side : others).push_back(nodes()[members[i]].name);
    }
    const char* sign = fault.kind == kOneWay ? "cannot send to" : "|";
    std::string what = fmt::format("{}", fmt::join(side, " "));
    if (fault.kind == kPartition || fault.kind == kOneWay) {
      what += fmt::format(" {} {}", sign, fmt::join(others, " "));
    }
    return {std::move(faults), std::move(what)};
  }

  // --- watching

  void NoteCrashes() {
    while (auto crash = cluster_.Crashed()) outcome_.crashes.push_back(*std::move(crash));
  }

  void Look(const ChaosWorkload::Counts& counts) {
    NoteCrashes();
    const auto now = ChaosClock::now();
    if (now < tell_at_) return;
    tell_at_ = now + std::chrono::seconds(1);
    cluster_.Tick();
    RetireLeaver();
    std::vector<std::string> broken;
    for (const ChaosBand& band : outcome_.bands) {
      if (band.ended < Duration::zero()) broken.push_back(band.kind + " " + band.what);
    }
    if (row_.waits && !row_.active) broken.emplace_back("(waiting for equal replicas)");
    const uint64_t done = counts.done;
    progress_(fmt::format(
        "{:4.0f} s  {:5} op/s  {} done  {} not done  {} unknown  {}", Seconds(Elapsed()),
        done - done_before_, done, counts.not_done.load(), counts.unknown.load(),
        broken.empty() ? std::string("all is well") : fmt::format("{}", fmt::join(broken, ", "))));
    done_before_ = done;
  }

  void HealAndWait() {
    const auto healed = ChaosClock::now();
    const auto deadline = healed + options_.converge_max;
    cluster_.SetFaults({});
    if (row_.active && nodes()[*row_.node].state == State::kPaused) {
      NoteFailed(cluster_.Continue(*row_.node));
    }
    PlugAll();
    for (size_t i = 0; i < nodes().size(); ++i) {
      const ChaosNode& node = nodes()[i];
      if (node.clock_offset.count() != 0 || node.disk_full) cluster_.SetMachine(i, {}, false);
    }
    for (ChaosBand& band : outcome_.bands) {
      if (band.ended < Duration::zero()) band.ended = Elapsed();
    }
    repair_begun_ = false;
    while (ChaosClock::now() < deadline) {
      for (size_t i = 0; i < nodes().size(); ++i) {
        if (nodes()[i].state == State::kDown && cluster_.Ended(i)) StartNode(i);
      }
      NoteCrashes();
      cluster_.Tick();
      RetireLeaver();
      if (!repair_begun_) {
        const bool settled =
            !leaving_ && cluster_.FaultsSet() && cluster_.Ready() && cluster_.Settled();
        repair_begun_ = settled && cluster_.StartRepair();
      } else if (cluster_.RepairedEqual()) {
        outcome_.converged_in = std::chrono::duration_cast<Duration>(ChaosClock::now() - healed);
        return;
      }
      progress_(fmt::format("healed, {:.0f} s ago: waiting until {}",
                            std::chrono::duration<double>(ChaosClock::now() - healed).count(),
                            repair_begun_ ? "all replicas are equal" : "the cluster is settled"));
      std::this_thread::sleep_for(kLookEvery);
    }
  }

  const ChaosOptions options_;
  const ChaosProgress& progress_;
  ChaosCluster cluster_;
  ChaosPlan of_nodes_;
  ChaosPlan of_network_;
  ChaosClock::time_point began_;
  ChaosOutcome outcome_;

  Row row_;      // of nodes
  Row network_;  // of the network
  std::optional<size_t> leaving_;
  bool repair_begun_ = false;
  ChaosClock::time_point look_at_;
  ChaosClock::time_point tell_at_;
  uint64_t done_before_ = 0;
};

}  // namespace

Result<ChaosOutcome> RunChaos(const ChaosOptions& options, ChaosMachines* machines,
                              const ChaosProgress& progress) {
  return Director(options, machines, progress).Run();
}

}  // namespace eddy::tools
