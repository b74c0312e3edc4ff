#include "tools/chaos_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tools/interrupt.h"
#include "tools/session.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using State = ChaosNode::State;

constexpr uint16_t kNativePort = 7400;
constexpr uint16_t kPeerPort = 7401;
constexpr auto kReadyMax = std::chrono::seconds(60);
constexpr auto kLookEvery = std::chrono::milliseconds(100);
constexpr Duration kAnswerMax = std::chrono::milliseconds(1000);

// Whether nobody has the doors' ports there.
bool IsFree(const std::string& host) {
  bool free = true;
  for (const uint16_t port : {kNativePort, kPeerPort}) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    free = free && fd >= 0 &&
           bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    if (fd >= 0) close(fd);
  }
  return free;
}

std::string FreeNetwork(size_t nodes) {
  Random random(static_cast<uint64_t>(getpid()) ^
                static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
  for (;;) {
    const std::string network =
        fmt::format("127.{}.{}", random.Between(20, 219), random.Between(1, 250));
    bool free = true;
    for (size_t k = 1; k <= nodes && free; ++k) free = IsFree(fmt::format("{}.{}", network, k));
    if (free) return network;
  }
}

// Three zones, so that three replicas are in three of them.
std::string ZoneOf(size_t node) { return fmt::format("z{}", node % 3 + 1); }

std::string EndOf(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > 5) lines.erase(lines.begin());
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace

ChaosCluster::ChaosCluster(ChaosClusterOptions options)
    : options_(std::move(options)), network_(FreeNetwork(kNodesMax)) {
  for (size_t i = 0; i < kNodesMax; ++i) {
    nodes_.push_back(
        {.name = fmt::format("n{}", i + 1), .host = fmt::format("{}.{}", network_, i + 1)});
  }
  for (size_t i = 0; i < options_.nodes; ++i) {
    seeds_ += fmt::format("{}{}@{}:{}/{}", i == 0 ? "" : ",", nodes_[i].name, nodes_[i].host,
                          kPeerPort, ZoneOf(i));
  }
}

ChaosCluster::~ChaosCluster() {
  for (size_t i = 0; i < nodes_.size(); ++i) Kill(i);
}

client::Address ChaosCluster::AddressOf(size_t node) const {
  return {.host = nodes_[node].host, .port = kNativePort};
}

std::vector<client::Address> ChaosCluster::AddressesOfMembers() const {
  std::vector<client::Address> addresses;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].member) addresses.push_back(AddressOf(i));
  }
  return addresses;
}

std::string ChaosCluster::LogPath(size_t node) const {
  return fmt::format("{}/{}.log", options_.directory, nodes_[node].name);
}

// A directory of its own for each disk, so that nothing of an old one is there.
std::string ChaosCluster::DataPath(size_t node) const {
  return fmt::format("{}/{}-{}", options_.directory, nodes_[node].name, nodes_[node].disks);
}

GlobalOptions ChaosCluster::Global() const {
  GlobalOptions global;
  global.cluster = kName;
  global.timeout = kAnswerMax;
  return global;
}

// --- processes

Status ChaosCluster::Start(size_t index) {
  ChaosNode& node = nodes_[index];
  std::vector<std::string> words = {options_.eddyd,
                                    "--cluster",
                                    kName,
                                    "--name",
                                    node.name,
                                    "--seeds",
                                    seeds_,
                                    "--data-dir",
                                    DataPath(index),
                                    "--memory-limit",
                                    "32MiB",
                                    "--resp-port",
                                    "0",
                                    "--http-port",
                                    "0",
                                    "--log-format",
                                    "text",
                                    "--enable-fault-injection"};
  if (index >= options_.nodes) {
    words.insert(words.end(), {"--host", node.host, "--zone", ZoneOf(index)});
  }
  if (node.replaces) words.insert(words.end(), {"--replace", node.name});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // In the daemon's environment EDDY_ variables are settings; here all of those are flags.
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("EDDY_")) environment.push_back(*variable);
  }
  environment.push_back(nullptr);

  const pid_t parent = getpid();
  const std::string log = LogPath(index);
  const pid_t pid = fork();
  if (pid < 0) return Fail(Code::kIo, "no process can be started: fork failed");
  if (pid == 0) {
    // In a group of its own, so that Ctrl-C ends it only through us; and not longer than we.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(127);
    execve(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  node.pid = pid;
  node.state = State::kRunning;
  node.clock_offset = {};
  node.disk_full = false;
  node.faults_set = faults_.empty();
  return {};
}

void ChaosCluster::Kill(size_t index) {
  ChaosNode& node = nodes_[index];
  if (node.pid == 0) return;
  kill(node.pid, SIGKILL);
  waitpid(node.pid, nullptr, 0);
  node.pid = 0;
  if (node.state != State::kAbsent) node.state = State::kDown;
}

void ChaosCluster::Terminate(size_t index) {
  if (nodes_[index].pid == 0) return;
  kill(nodes_[index].pid, SIGTERM);
  nodes_[index].state = State::kDown;
}

bool ChaosCluster::Ended(size_t index) {
  ChaosNode& node = nodes_[index];
  if (node.pid != 0 && waitpid(node.pid, nullptr, WNOHANG) == node.pid) node.pid = 0;
  return node.pid == 0;
}

void ChaosCluster::Pause(size_t index) {
  kill(nodes_[index].pid, SIGSTOP);
  nodes_[index].state = State::kPaused;
}

void ChaosCluster::Continue(size_t index) {
  kill(nodes_[index].pid, SIGCONT);
  nodes_[index].state = State::kRunning;
}

void ChaosCluster::DeleteDisk(size_t index) {
  std::error_code failed;
  std::filesystem::remove_all(DataPath(index), failed);
  ++nodes_[index].disks;
}

std::optional<std::string> ChaosCluster::Crashed() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].state != State::kRunning || !Ended(i)) continue;
    nodes_[i].state = State::kDown;
    return fmt::format("{} ended by itself; the end of {}:\n{}", nodes_[i].name, LogPath(i),
                       EndOf(LogPath(i)));
  }
  return std::nullopt;
}

Status ChaosCluster::StartAll() {
  for (size_t i = 0; i < options_.nodes; ++i) {
    nodes_[i].member = true;
    if (Status ok = Start(i); !ok) return ok;
  }
  const auto deadline = std::chrono::steady_clock::now() + kReadyMax;
  while (!Ready() || !Settled()) {
    if (auto crashed = Crashed()) return Fail(Code::kUnavailable, *std::move(crashed));
    if (Interrupted()) return Fail(Code::kUnavailable, "stopped before all nodes were ready");
    if (std::chrono::steady_clock::now() > deadline) {
      return Fail(Code::kUnavailable,
                  fmt::format("the nodes are not ready after {} s: see the logs in {}",
                              kReadyMax / std::chrono::seconds(1), options_.directory));
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
    rules.push_back({{"peer", fmt::format("{}:{}", nodes_[peer].host, kPeerPort)},
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
