// Nodes of a chaos cluster as processes of this machine, each on a loopback address of its own;
// they end when this goes, or the process that made it. One thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "tools/chaos_machines.h"

namespace eddy::tools {

class ChaosProcesses : public ChaosMachines {
 public:
  // `eddyd` is the program; data and logs go to `directory`.
  ChaosProcesses(std::string eddyd, std::string directory);
  ~ChaosProcesses() override;
  ChaosProcesses(const ChaosProcesses&) = delete;
  ChaosProcesses& operator=(const ChaosProcesses&) = delete;

  std::string HostOf(size_t node) const override;
  [[nodiscard]] Status Start(const std::vector<ChaosStart>& starts) override;
  [[nodiscard]] Status Kill(size_t node) override;
  [[nodiscard]] Status Terminate(size_t node) override;
  bool Ended(size_t node) override;
  [[nodiscard]] Status Pause(size_t node) override;
  [[nodiscard]] Status Continue(size_t node) override;
  [[nodiscard]] Status DeleteDisk(size_t node) override;
  std::string EndOfLog(size_t node) override;
  std::string LogPlace(size_t node) const override;
  [[nodiscard]] Status Remove() override;

 private:
  struct Process {
    pid_t pid = 0;
    unsigned disks = 0;  // how many it has had
  };

  [[nodiscard]] Status StartOne(const ChaosStart& start);
  std::string DataPath(size_t node) const;

  const std::string eddyd_;
  const std::string directory_;
  const std::string network_;  // the first three numbers of the addresses
  std::array<Process, kChaosNodesMax> processes_;
};

}  // namespace eddy::tools
