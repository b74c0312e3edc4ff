#include "tools/chaos_processes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/random.h"
#include "tools/run_program.h"

namespace eddy::tools {

namespace {

// Whether nobody has the doors' ports there.
bool IsFree(const std::string& host) {
  bool free = true;
  for (const uint16_t port : {kChaosNativePort, kChaosPeerPort}) {
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

ChaosProcesses::ChaosProcesses(std::string eddyd, std::string directory)
    : eddyd_(std::move(eddyd)),
      directory_(std::move(directory)),
      network_(FreeNetwork(kChaosNodesMax)) {}

ChaosProcesses::~ChaosProcesses() { (void)Remove(); }

Status ChaosProcesses::Remove() {
  for (size_t node = 0; node < processes_.size(); ++node) {
    if (Status ok = Kill(node); !ok) return ok;
  }
  return {};
}

std::string ChaosProcesses::HostOf(size_t node) const {
  return fmt::format("{}.{}", network_, node + 1);
}

std::string ChaosProcesses::LogPlace(size_t node) const {
  return fmt::format("{}/{}.log", directory_, ChaosNodeName(node));
}

std::string ChaosProcesses::EndOfLog(size_t node) { return EndOf(LogPlace(node)); }

// A directory of its own for each disk, so that nothing of an old one is there.
std::string ChaosProcesses::DataPath(size_t node) const {
  return fmt::format("{}/{}-{}", directory_, ChaosNodeName(node), processes_[node].disks);
}

Status ChaosProcesses::Start(const std::vector<ChaosStart>& starts) {
  for (const ChaosStart& start : starts) {
    if (Status ok = StartOne(start); !ok) return ok;
  }
  return {};
}

Status ChaosProcesses::StartOne(const ChaosStart& start) {
  std::vector<std::string> words = {eddyd_,
                                    "--cluster",
                                    kChaosCluster,
                                    "--name",
                                    ChaosNodeName(start.node),
                                    "--host",
                                    HostOf(start.node),
                                    "--zone",
                                    ChaosZone(start.node),
                                    "--seeds",
                                    start.seeds,
                                    "--data-dir",
                                    DataPath(start.node),
                                    "--memory-limit",
                                    "80MiB",
                                    "--resp-port",
                                    "0",
                                    "--http-port",
                                    "0",
                                    "--log-format",
                                    "text",
                                    "--enable-fault-injection"};
  if (start.replaces) words.insert(words.end(), {"--replace", ChaosNodeName(start.node)});
  const ExecArguments arguments(std::move(words));
  const pid_t parent = getpid();
  const std::string log = LogPlace(start.node);
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
    arguments.Exec();
    _exit(127);
  }
  processes_[start.node].pid = pid;
  return {};
}

Status ChaosProcesses::Kill(size_t node) {
  pid_t& pid = processes_[node].pid;
  if (pid == 0) return {};
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  pid = 0;
  return {};
}

Status ChaosProcesses::Terminate(size_t node) {
  if (processes_[node].pid != 0) kill(processes_[node].pid, SIGTERM);
  return {};
}

bool ChaosProcesses::Ended(size_t node) {
  pid_t& pid = processes_[node].pid;
  if (pid != 0 && waitpid(pid, nullptr, WNOHANG) == pid) pid = 0;
  return pid == 0;
}

Status ChaosProcesses::Pause(size_t node) {
  if (processes_[node].pid != 0) kill(processes_[node].pid, SIGSTOP);
  return {};
}

Status ChaosProcesses::Continue(size_t node) {
  if (processes_[node].pid != 0) kill(processes_[node].pid, SIGCONT);
  return {};
}

Status ChaosProcesses::DeleteDisk(size_t node) {
  std::error_code failed;
  const std::string path = DataPath(node);
  std::filesystem::remove_all(path, failed);
  ++processes_[node].disks;
  if (failed)
    return Fail(Code::kIo, fmt::format("{} cannot be deleted: {}", path, failed.message()));
  return {};
}

}  // namespace eddy::tools
