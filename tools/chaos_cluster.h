// A throw-away cluster for `eddyctl chaos` and `eddyctl demo` to break: it starts its nodes itself,
// on whatever machines it is given, so it never touches a cluster that somebody uses, and ends them
// when it goes. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/address.h"
#include "tools/chaos_machines.h"
#include "tools/command.h"

namespace eddy::tools {

// One way from one node to another, broken.
struct LinkFault {
  size_t from = 0;
  size_t to = 0;
  bool drop = false;
  uint32_t lose_per_mille = 0;
  uint32_t delay_ms = 0;
};

struct ChaosNode {
  enum class State : uint8_t {
    kAbsent,  // not started yet, or gone for good
    kRunning,
    kPaused,
    kDown,
  };

  std::string name;
  std::string host;
  State state = State::kAbsent;
  bool member = false;     // it is, or is about to be
  bool replaces = false;   // its disk is new, and it comes in its own place
  bool faults_set = true;  // it knows the link faults that there are
  bool unplugged = false;  // it is off the network
  // What is wrong with its machine, until it is told otherwise or ends.
  std::chrono::milliseconds clock_offset{};
  bool disk_full = false;
};

struct ChaosClusterOptions {
  size_t nodes = 5;  // that form the cluster; up to kNodesMax - nodes may join
};

class ChaosCluster {
 public:
  static constexpr size_t kNodesMax = kChaosNodesMax;
  static constexpr const char* kName = kChaosCluster;

  // `machines` outlives it.
  ChaosCluster(ChaosClusterOptions options, ChaosMachines* machines);
  ~ChaosCluster();
  ChaosCluster(const ChaosCluster&) = delete;
  ChaosCluster& operator=(const ChaosCluster&) = delete;

  // All nodes, until they are ready. kUnavailable, with the end of a log, when one does not come.
  [[nodiscard]] Status StartAll();

  std::vector<ChaosNode>& nodes() { return nodes_; }
  client::Address AddressOf(size_t node) const;
  std::vector<client::Address> AddressesOfMembers() const;

  [[nodiscard]] Status Start(size_t node);
  // What these are told fails only where the machines do: then the node may not be so.
  [[nodiscard]] Status Kill(size_t node);       // at once
  [[nodiscard]] Status Terminate(size_t node);  // asks it to stop
  // Whether it ended, so that it may be started again.
  bool Ended(size_t node);
  [[nodiscard]] Status Pause(size_t node);
  [[nodiscard]] Status Continue(size_t node);
  // Requires that it is down.
  [[nodiscard]] Status DeleteDisk(size_t node);
  // Require machines with cables.
  [[nodiscard]] Status Unplug(size_t node);
  [[nodiscard]] Status Plug(size_t node);
  // One that ended without being told to: its name and the end of its log.
  std::optional<std::string> Crashed();

  // These and no others, as far as nodes can be told now; the rest with Tick.
  void SetFaults(std::vector<LinkFault> faults);
  // Of one node's own clock and disk; as above.
  void SetMachine(size_t node, std::chrono::milliseconds clock_offset, bool disk_full);
  // Tells nodes that were away which faults there are.
  void Tick();
  bool FaultsSet() const;

  // Whether all members are there, go by one layout, hold what it gives them, and nobody holds what
  // is others'.
  bool Settled();
  // Orders that the node leaves.
  [[nodiscard]] Status Leave(size_t node);
  // Begins to compare all replicas; false while a member does not answer.
  bool StartRepair();
  // Whether every partition was found equal since.
  bool RepairedEqual();
  // Every member answers and is ready.
  bool Ready();

  const ChaosMachines& machines() const { return *machines_; }

 private:
  void NoteStarted(size_t node);
  GlobalOptions Global() const;
  void TellFaults(size_t node);
  bool HasRun(const ChaosNode& node) const { return node.state == ChaosNode::State::kRunning; }

  const ChaosClusterOptions options_;
  ChaosMachines* const machines_;
  std::string seeds_;
  std::vector<ChaosNode> nodes_;
  std::vector<LinkFault> faults_;
  // When the repair began, by the clocks of the members, in their order.
  std::vector<std::pair<client::Address, int64_t>> repair_began_us_;
};

}  // namespace eddy::tools
