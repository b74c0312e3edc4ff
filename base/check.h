// CHECK is for our own mistakes: a broken invariant ends the process at once, in release builds
// too, before it can damage data. Never use it on input.
#pragma once

#include <string_view>

namespace eddy {

[[noreturn]] void CheckFailed(std::string_view condition, std::string_view file, int line);

}  // namespace eddy

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::eddy::CheckFailed(#condition, __FILE__, __LINE__))
