#include "tools/chaos_cluster.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/interrupt.h"
#include "tools/session.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using State = ChaosNode::State;

constexpr auto kReadyMax = std::chrono::seconds(60);
constexpr auto kLookEvery = std::chrono::milliseconds(100);
constexpr Duration kAnswerMax = std::chrono::milliseconds(1000);

}  // namespace

ChaosCluster::ChaosCluster(ChaosClusterOptions options, ChaosMachines* machines)
    : options_(options), machines_(machines) {
  for (size_t i = 0; i < kNodesMax; ++i) {
    nodes_.push_back({.name = ChaosNodeName(i), .host = machines_->HostOf(i)});
  }
  for (size_t i = 0; i < options_.nodes; ++i) {
    seeds_ += fmt::format("{}{}@{}:{}/{}", i == 0 ? "" : ",", nodes_[i].name, nodes_[i].host,
                          kChaosPeerPort, ChaosZone(i));
  }
}

ChaosCluster::~ChaosCluster() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].state != State::kAbsent) (void)machines_->Kill(i);
  }
}

client::Address ChaosCluster::AddressOf(size_t node) const {
  return {.host = nodes_[node].host, .port = kChaosNativePort};
}

std::vector<client::Address> ChaosCluster::AddressesOfMembers() const {
  std::vector<client::Address> addresses;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].member) addresses.push_back(AddressOf(i));
  }
  return addresses;
}

GlobalOptions ChaosCluster::Global() const {
  GlobalOptions global;
  global.cluster = kName;
  global.timeout = kAnswerMax;
  return global;
}

// --- machines

void ChaosCluster::NoteStarted(size_t index) {
  ChaosNode& node = nodes_[index];
  node.state = State::kRunning;
  node.clock_offset = {};
  node.disk_full = false;
  node.faults_set = faults_.empty();
}

Status ChaosCluster::Start(size_t index) {
  NoteStarted(index);
  Status ok =
      machines_->Start({{.node = index, .seeds = seeds_, .replaces = nodes_[index].replaces}});
  if (!ok) nodes_[index].state = State::kDown;
  return ok;
}

Status ChaosCluster::Kill(size_t index) {
  if (nodes_[index].state != State::kAbsent) nodes_[index].state = State::kDown;
  return machines_->Kill(index);
}

Status ChaosCluster::Terminate(size_t index) {
  nodes_[index].state = State::kDown;
  return machines_->Terminate(index);
}

bool ChaosCluster::Ended(size_t index) { return machines_->Ended(index); }

Status ChaosCluster::Pause(size_t index) {
  nodes_[index].state = State::kPaused;
  return machines_->Pause(index);
}

Status ChaosCluster::Continue(size_t index) {
  nodes_[index].state = State::kRunning;
  return machines_->Continue(index);
}

Status ChaosCluster::DeleteDisk(size_t index) { return machines_->DeleteDisk(index); }

Status ChaosCluster::Unplug(size_t index) {
  nodes_[index].unplugged = true;
  return machines_->Unplug(index);
}

Status ChaosCluster::Plug(size_t index) {
  nodes_[index].unplugged = false;
  return machines_->Plug(index);
}

std::optional<std::string> ChaosCluster::Crashed() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].state != State::kRunning || !Ended(i)) continue;
    nodes_[i].state = State::kDown;
    return fmt::format("{} ended by itself; the end of its log ({}):\n{}", nodes_[i].name,
                       machines_->LogPlace(i), machines_->EndOfLog(i));
  }
  return std::nullopt;
}

Status ChaosCluster::StartAll() {
  std::vector<ChaosStart> starts;
  for (size_t i = 0; i < options_.nodes; ++i) {
    nodes_[i].member = true;
    NoteStarted(i);
    starts.push_back({.node = i, .seeds = seeds_});
  }
  if (Status ok = machines_->Start(starts); !ok) return ok;
  const auto deadline = std::chrono::steady_clock::now() + kReadyMax;
  while (!Ready() || !Settled()) {
    if (auto crashed = Crashed()) return Fail(Code::kUnavailable, *std::move(crashed));
    if (Interrupted()) return Fail(Code::kUnavailable, "stopped before all nodes were ready");
    if (std::chrono::steady_clock::now() > deadline) {
      return Fail(Code::kUnavailable,
                  fmt::format("the nodes are not ready after {} s: see their logs, such as {}",
                              kReadyMax / std::chrono::seconds(1), machines_->LogPlace(0)));
    }
    std::this_thread::sleep_for(kLookEvery);
  }
  return {};
}

// --- the network

void ChaosCluster::SetFaults(std::vector<LinkFault> faults) {
  faults_ = std::move(faults);
  for (ChaosNode& node : nodes_) node.faults_set = node.state == State::kAbsent;
  Tick();
}

void ChaosCluster::SetMachine(size_t node, std::chrono::milliseconds clock_offset, bool disk_full) {
  nodes_[node].clock_offset = clock_offset;
  nodes_[node].disk_full = disk_full;
  nodes_[node].faults_set = false;
  Tick();
}

void ChaosCluster::Tick() {
  std::vector<size_t> untold;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].faults_set && nodes_[i].state == State::kRunning) untold.push_back(i);
  }
  for (const size_t node : untold) TellFaults(node);
}

bool ChaosCluster::FaultsSet() const {
  return std::ranges::all_of(nodes_, [](const ChaosNode& node) {
    return node.faults_set || node.state != State::kRunning;
  });
}

void ChaosCluster::TellFaults(size_t index) {
  Json rules = Json::array();
  const auto add = [&](const LinkFault& fault, size_t peer, const char* way) {
    rules.push_back({{"peer", fmt::format("{}:{}", nodes_[peer].host, kChaosPeerPort)},
                     {"way", way},
                     {"drop", fault.drop},
                     {"lose_per_mille", fault.lose_per_mille},
                     {"delay_ms", fault.delay_ms}});
  };
  for (const LinkFault& fault : faults_) {
    // Where it leaves; and what is on its way when the fault begins is dropped where it arrives.
    if (fault.from == index) add(fault, fault.to, "out");
    if (fault.to == index && fault.drop) add(fault, fault.from, "in");
  }
  GlobalOptions global = Global();
  global.timeout = std::chrono::milliseconds(300);
  const auto said = AskAdminOfAll(global, {AddressOf(index)}, "fault.set",
                                  Json{{"rules", std::move(rules)},
                                       {"clock_offset_ms", nodes_[index].clock_offset.count()},
                                       {"disk_full", nodes_[index].disk_full}}
                                      .dump());
  nodes_[index].faults_set = said[0].has_value();
}

// --- how the cluster is

bool ChaosCluster::Ready() {
  for (const auto& status : AskStatusOfAll(Global(), AddressesOfMembers())) {
    if (!status || !status->ready) return false;
  }
  return true;
}

bool ChaosCluster::Settled() {
  const auto addresses = AddressesOfMembers();
  std::optional<uint64_t> version;
  for (const auto& said : AskAdminOfAll(Global(), addresses, "cluster.show", "{}")) {
    if (!said) return false;
    const Json shown = Json::parse(*said, nullptr, false);
    try {
      if (!shown.at("member").get<bool>() || shown.at("versions").size() != 1 ||
          !shown.at("orders").empty() || !shown.at("handed_over").get<bool>() ||
          shown.at("members").size() != addresses.size()) {
        return false;
      }
      const auto newest = shown.at("versions").back().get<uint64_t>();
      if (version.value_or(newest) != newest) return false;
      version = newest;
      for (const Json& member : shown.at("members")) {
        if (member.at("reading").get<uint64_t>() != newest || member.at("leaving").get<bool>()) {
          return false;
        }
      }
    } catch (const Json::exception&) {
      return false;
    }
  }
  // Whoever came in place of another is in.
  for (ChaosNode& node : nodes_) node.replaces = false;
  return true;
}

Status ChaosCluster::Leave(size_t index) {
  const Json arguments = {
      {"changes", Json::array({{{"kind", "leave"}, {"node", nodes_[index].name}}})}};
  const auto said = AskAdminOfAll(Global(), {AddressOf(index)}, "cluster.order", arguments.dump());
  if (!said[0]) return std::unexpected(said[0].error());
  return {};
}

bool ChaosCluster::StartRepair() {
  repair_began_us_.clear();
  const auto addresses = AddressesOfMembers();
  const auto answers = AskAdminOfAll(Global(), addresses, "repair.start", "{}");
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (!answers[i]) return false;
    const Json json = Json::parse(*answers[i], nullptr, false);
    if (!json.is_object()) return false;
    repair_began_us_.emplace_back(addresses[i], json.value("begun_at_us", int64_t{0}));
  }
  return true;
}

bool ChaosCluster::RepairedEqual() {
  std::vector<client::Address> addresses;
  for (const auto& [address, began_us] : repair_began_us_) addresses.push_back(address);
  const auto answers = AskAdminOfAll(Global(), addresses, "repair.status", "{}");
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (!answers[i]) return false;
    const Json json = Json::parse(*answers[i], nullptr, false);
    try {
      for (const Json& row : json.at("partitions")) {
        // Of two owners one begins, and it alone can tell what came after it was told to begin.
        const auto at = row.find("begun_equal_at_us");
        if (at == row.end()) continue;
        if (at->is_null() || at->get<int64_t>() < repair_began_us_[i].second) return false;
      }
    } catch (const Json::exception&) {
      return false;
    }
  }
  return !addresses.empty();
}

}  // namespace eddy::tools
