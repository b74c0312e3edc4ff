// A throw-away cluster of eddyd processes on loopback, for `eddyctl chaos` to break: it starts them
// itself, so it never touches a cluster that somebody uses, and ends them when it goes. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/address.h"
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
  unsigned disks = 0;      // how many it has had
  pid_t pid = 0;
  // What is wrong with its machine, until it is told otherwise or ends.
  std::chrono::milliseconds clock_offset{};
  bool disk_full = false;
};

struct ChaosClusterOptions {
  std::string eddyd;      // the program
  std::string directory;  // for data and logs
  size_t nodes = 5;       // that form the cluster; up to kNodesMax - nodes may join
};

class ChaosCluster {
 public:
  static constexpr size_t kNodesMax = 9;
  static constexpr const char* kName = "chaos";

  explicit ChaosCluster(ChaosClusterOptions options);
  ~ChaosCluster();
  ChaosCluster(const ChaosCluster&) = delete;
  ChaosCluster& operator=(const ChaosCluster&) = delete;

  // All nodes, until they are ready. kUnavailable, with the end of a log, when one does not come.
  [[nodiscard]] Status StartAll();

  std::vector<ChaosNode>& nodes() { return nodes_; }
  client::Address AddressOf(size_t node) const;
  std::vector<client::Address> AddressesOfMembers() const;

  [[nodiscard]] Status Start(size_t node);
  void Kill(size_t node);       // at once
  void Terminate(size_t node);  // asks it to stop
  // Whether it ended, so that it may be started again.
  bool Ended(size_t node);
  void Pause(size_t node);
  void Continue(size_t node);
  // Requires that it is down.
  void DeleteDisk(size_t node);
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

  std::string LogPath(size_t node) const;

 private:
  std::string DataPath(size_t node) const;
  GlobalOptions Global() const;
  void TellFaults(size_t node);
  bool HasRun(const ChaosNode& node) const { return node.state == ChaosNode::State::kRunning; }

  const ChaosClusterOptions options_;
  std::string network_;  // the first three numbers of the addresses
  std::string seeds_;
  std::vector<ChaosNode> nodes_;
  std::vector<LinkFault> faults_;
  // When the repair began, by the clocks of the members, in their order.
  std::vector<std::pair<client::Address, int64_t>> repair_began_us_;
};

}  // namespace eddy::tools
