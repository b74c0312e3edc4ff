// What this process takes of its machine, as the system says. Reads /proc: for looks, not for every
// turn of the loop. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace eddy::server {

struct DiskFigures {
  uint64_t bytes = 0;       // of the file system
  uint64_t bytes_free = 0;  // for this user
};

// nullopt where the system does not say.
std::optional<DiskFigures> DiskOf(const std::string& directory);
std::optional<uint64_t> ResidentBytes();
std::optional<uint64_t> OpenFiles();
std::optional<uint64_t> OpenFilesMax();
// Of all threads, user and system, in microseconds.
uint64_t ProcessorMicroseconds();

// Gives the machine back what the process has freed and the allocator keeps for the next request;
// nothing happens where that is not jemalloc. Takes milliseconds, and what is needed again costs a
// page fault each.
void ReturnFreedMemory();

}  // namespace eddy::server
