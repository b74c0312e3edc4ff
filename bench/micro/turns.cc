// eddy-turns KIND COUNT: so many coordinator's turns (`put`, `get`), or of a loop to compare them
// with (`reference`), for a program that counts instructions (tests/bench/turn_cost_test.py).
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "bench/micro/coordinator.h"

namespace eddy::bench {
namespace {

constexpr size_t kValueBytes = 100;

// An ordered map of strings: allocations, copies and comparisons, as they come in any program.
uint64_t Reference(uint64_t turns) {
  std::map<std::string, std::string> rows;
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < turns; ++i) {
    std::string& row = rows["key" + std::to_string(i % 4096)];
    row = std::string(kValueBytes, 'v');
    bytes += row.size();
  }
  return bytes;
}

int Main(int argc, char** argv) {
  uint64_t turns = 0;
  if (argc == 3) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), turns);
  const std::string kind = argc == 3 ? argv[1] : "";
  if (turns == 0 || (kind != "put" && kind != "get" && kind != "reference")) {
    std::fputs("usage: eddy-turns put|get|reference COUNT\n", stderr);
    return 2;
  }
  if (kind == "reference") return Reference(turns) == turns * kValueBytes ? 0 : 1;
  Coordinator coordinator(kValueBytes);
  for (uint64_t i = 0; i < turns; ++i) {
    if (kind == "put") {
      coordinator.Put();
    } else {
      coordinator.Get();
    }
  }
  return 0;
}

}  // namespace
}  // namespace eddy::bench

int main(int argc, char** argv) { return eddy::bench::Main(argc, argv); }
