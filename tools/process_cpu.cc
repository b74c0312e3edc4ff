#include "tools/process_cpu.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

namespace eddy::tools {

Result<Duration> ProcessCpu(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string stat{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // proc(5): the second field is the name in parentheses, which may hold spaces; utime and stime
  // are the 14th and 15th.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return Fail(Code::kInvalidArgument, fmt::format("there is no process {}", pid));
  }
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; field++) fields >> skipped;
  uint64_t user = 0;
  uint64_t system = 0;
  fields >> user >> system;
  const auto ticks_per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return Duration((user + system) * 1'000'000 / ticks_per_second);
}

Result<Duration> ProcessCpu(const std::vector<pid_t>& pids) {
  Duration sum{};
  for (const pid_t pid : pids) {
    const Result<Duration> cpu = ProcessCpu(pid);
    if (!cpu) return cpu;
    sum += *cpu;
  }
  return sum;
}

std::vector<pid_t> FindNodes(const std::string& cluster_dir) {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(cluster_dir, error)) {
    std::ifstream file(entry.path() / "eddyd.pid");
    pid_t pid = 0;
    if (file >> pid && pid > 0 && ProcessCpu(pid)) pids.push_back(pid);
  }
  std::ranges::sort(pids);
  return pids;
}

}  // namespace eddy::tools
