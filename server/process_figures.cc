#include "server/process_figures.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>

// Of jemalloc, where the program is linked with it (cmake/eddy.cmake, eddy_allocator).
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old, size_t* old_size, void* fresh,
                                     size_t fresh_size);

namespace eddy::server {

void ReturnFreedMemory() {
  if (mallctl == nullptr) return;
  mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: of all arenas
}

std::optional<DiskFigures> DiskOf(const std::string& directory) {
  struct statvfs disk{};
  if (statvfs(directory.c_str(), &disk) != 0) return std::nullopt;
  return DiskFigures{.bytes = uint64_t{disk.f_blocks} * disk.f_frsize,
                     .bytes_free = uint64_t{disk.f_bavail} * disk.f_frsize};
}

std::optional<uint64_t> ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  if (!(file >> pages >> resident)) return std::nullopt;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<uint64_t> OpenFiles() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  uint64_t count = 0;
  while (const dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
  closedir(directory);
  return count - 1;  // the directory's own
}

std::optional<uint64_t> OpenFilesMax() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return uint64_t{limit.rlim_cur};
}

uint64_t ProcessorMicroseconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto microseconds = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
  };
  return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

}  // namespace eddy::server
