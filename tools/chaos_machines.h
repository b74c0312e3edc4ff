// What a node of a chaos cluster runs on, and what can be done to it from outside: a process of
// this machine (tools/chaos_processes.h) or a container (tools/chaos_docker.h). What happens to the
// cluster when, and what is right, is not known here. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace eddy::tools {

inline constexpr size_t kChaosNodesMax = 9;
inline constexpr const char* kChaosCluster = "chaos";
inline constexpr uint16_t kChaosNativePort = 7400;
inline constexpr uint16_t kChaosPeerPort = 7401;

// Nodes are counted from 0, and named n1, n2 ...
std::string ChaosNodeName(size_t node);
// Three zones, so that three replicas are in three of them.
std::string ChaosZone(size_t node);

// A node that is to be started.
struct ChaosStart {
  size_t node = 0;
  std::string seeds;
  bool replaces = false;  // it comes in its own place
};

class ChaosMachines {
 public:
  virtual ~ChaosMachines() = default;

  // Where the node's doors are, whether it runs or not: a number.
  virtual std::string HostOf(size_t node) const = 0;

  // All of them at once; on the disk that each had, or an empty one.
  [[nodiscard]] virtual Status Start(const std::vector<ChaosStart>& starts) = 0;
  // At once, and until it has ended. Nothing to one that has.
  [[nodiscard]] virtual Status Kill(size_t node) = 0;
  // Asks it to stop. It may take its time: see Ended.
  [[nodiscard]] virtual Status Terminate(size_t node) = 0;
  // Whether it ended, so that it may be started again.
  virtual bool Ended(size_t node) = 0;
  [[nodiscard]] virtual Status Pause(size_t node) = 0;
  [[nodiscard]] virtual Status Continue(size_t node) = 0;
  // Requires that it has ended.
  [[nodiscard]] virtual Status DeleteDisk(size_t node) = 0;

  // Whether a node's cable can be pulled: then nobody reaches it, clients neither.
  virtual bool HasCables() const { return false; }
  // Require HasCables.
  [[nodiscard]] virtual Status Unplug(size_t node);
  [[nodiscard]] virtual Status Plug(size_t node);

  // The last lines that the node has said.
  virtual std::string EndOfLog(size_t node) = 0;
  // The path of all that it has said; it is there at the latest when Collect was called.
  virtual std::string LogPlace(size_t node) const = 0;
  // Has logs and data of all nodes, which need not run, in the directory that this was made with.
  // What is there already stays.
  [[nodiscard]] virtual Status Collect() { return {}; }
  // Ends and takes away what is not in that directory. The destructor does as well, and cannot say
  // that it failed.
  [[nodiscard]] virtual Status Remove() = 0;
};

}  // namespace eddy::tools
