#include "server/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace eddy::server {

namespace {

namespace fs = std::filesystem;

// "max", or no such file: no limit. Without one, version 1 says nearly 2^63.
std::optional<uint64_t> LimitIn(const fs::path& path) {
  std::ifstream file(path);
  uint64_t bytes = 0;
  if (!(file >> bytes)) return std::nullopt;
  return bytes;
}

// The least limit from the group up to the root of its hierarchy, as a container sees it: the group
// may lie outside of what is mounted there, and then the root is the container's own.
std::optional<uint64_t> LeastLimit(const fs::path& hierarchy, const fs::path& group,
                                   std::string_view file) {
  std::optional<uint64_t> least;
  for (fs::path at = group.relative_path();; at = at.parent_path()) {
    if (const auto limit = LimitIn(hierarchy / at / file)) {
      least = std::min(least.value_or(*limit), *limit);
    }
    if (at.empty()) return least;
  }
}

uint64_t InstalledBytes(const fs::path& root) {
  std::ifstream file(root / "proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  while (file >> name >> kib) {
    if (name == "MemTotal:") return kib * 1024;
    file.ignore(256, '\n');
  }
  return 0;
}

}  // namespace

uint64_t MachineMemoryBytes(const std::filesystem::path& root) {
  uint64_t bytes = InstalledBytes(root);
  const fs::path groups = root / "sys/fs/cgroup";
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/path", "4:memory:/path"
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = line.substr(second + 1);
    std::optional<uint64_t> limit;
    if (controllers == ",,") {
      limit = LeastLimit(groups, group, "memory.max");
    } else if (controllers.find(",memory,") != std::string::npos) {
      limit = LeastLimit(groups / "memory", group, "memory.limit_in_bytes");
    }
    if (limit) bytes = std::min(bytes, *limit);
  }
  return bytes;
}

}  // namespace eddy::server
