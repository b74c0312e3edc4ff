// Nodes of a chaos cluster as containers of docker/compose.yml, with docker/chaos.yml over it, in a
// Compose project of its own: its containers, volumes and network are nobody else's. Everything of
// it is taken away when this goes, and also when the process that made it is killed: a second
// process watches for that. Every command to Docker has a time in which it must be done. One
// thread; made before this process has others.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tools/chaos_machines.h"

namespace eddy::tools {

struct ChaosDockerOptions {
  std::string compose_directory = "docker";  // has compose.yml and chaos.yml
  std::string directory;                     // for Collect
};

class ChaosDocker : public ChaosMachines {
 public:
  // kInvalidArgument, with what to do, where there is no docker, no Compose, no image, or not the
  // files. Requires Linux's Docker of this machine: clients go to the containers' own addresses.
  [[nodiscard]] static Result<std::unique_ptr<ChaosDocker>> Open(ChaosDockerOptions options);
  ~ChaosDocker() override;
  ChaosDocker(const ChaosDocker&) = delete;
  ChaosDocker& operator=(const ChaosDocker&) = delete;

  std::string HostOf(size_t node) const override;
  [[nodiscard]] Status Start(const std::vector<ChaosStart>& starts) override;
  [[nodiscard]] Status Kill(size_t node) override;
  [[nodiscard]] Status Terminate(size_t node) override;
  bool Ended(size_t node) override;
  [[nodiscard]] Status Pause(size_t node) override;
  [[nodiscard]] Status Continue(size_t node) override;
  [[nodiscard]] Status DeleteDisk(size_t node) override;
  bool HasCables() const override { return true; }
  [[nodiscard]] Status Unplug(size_t node) override;
  [[nodiscard]] Status Plug(size_t node) override;
  std::string EndOfLog(size_t node) override;
  std::string LogPlace(size_t node) const override;
  [[nodiscard]] Status Collect() override;
  [[nodiscard]] Status Remove() override;

 private:
  struct Container {
    std::string id;  // empty: there is none
    bool replaces = false;
    bool running = false;  // as Docker said when it was asked last
  };

  explicit ChaosDocker(ChaosDockerOptions options);
  [[nodiscard]] Status ChooseNetwork();
  [[nodiscard]] Status Guard();
  [[nodiscard]] Status Create(const std::vector<ChaosStart>& starts);
  void LookAtAll();

  const ChaosDockerOptions options_;
  const std::string project_;
  std::vector<std::string> compose_;  // the words that begin a command to Compose
  std::string subnet_;
  std::string network_;  // the first three numbers of the addresses
  pid_t guard_ = 0;
  int guard_pipe_ = -1;  // it takes everything away when this is closed without a word
  bool removed_ = false;

  std::array<Container, kChaosNodesMax> containers_;
  std::chrono::steady_clock::time_point looked_at_;
};

}  // namespace eddy::tools
