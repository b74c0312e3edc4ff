// Other programs that do a part of the work, run to their end. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace eddy::tools {

struct RunOptions {
  // Beside what this program was given, less its EDDY_ variables: in the daemon's environment those
  // are settings, and here they are for this program.
  std::vector<std::pair<std::string, std::string>> environment;
  // When it has not ended by then it is killed, and all that it has started in its process group.
  std::optional<std::chrono::milliseconds> max;
};

struct Ended {
  int exit_code = 0;
  std::string out;  // both streams, at most kEndedBytesMax
};
inline constexpr size_t kEndedBytesMax = 4 * 1024 * 1024;

// words[0] is the program's path, or its name where PATH has it; its input is empty, and Ctrl-C at
// the terminal does not reach it where `max` is given. kIo where it cannot be run or was killed,
// kTimeout where that was for its time.
[[nodiscard]] Result<Ended> RunToEnd(const std::vector<std::string>& words,
                                     const RunOptions& options = {});

// Where PATH has it; nothing where it does not.
std::optional<std::string> FindProgram(const std::string& name);

}  // namespace eddy::tools
