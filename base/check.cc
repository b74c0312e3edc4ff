#include "base/check.h"

#include <cstdlib>

#include <fmt/core.h>

namespace eddy {

void CheckFailed(std::string_view condition, std::string_view file, int line) {
  fmt::print(stderr, "{}:{}: CHECK failed: {}\n", file, line, condition);
  std::abort();
}

}  // namespace eddy
