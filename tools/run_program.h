// Other programs that do a part of the work, run to their end. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace eddy::tools {

using Variables = std::vector<std::pair<std::string, std::string>>;

// What execve takes, made before a fork, since nothing can be allocated safely after one. The
// environment is this program's, less its EDDY_ variables (in the daemon's those are settings, and
// here they are for this program), with `given` in place of those of the same names.
class ExecArguments {
 public:
  explicit ExecArguments(std::vector<std::string> words, const Variables& given = {});
  ExecArguments(const ExecArguments&) = delete;
  ExecArguments& operator=(const ExecArguments&) = delete;

  // Becomes the program words[0], a path; comes back only where that fails.
  void Exec() const;

 private:
  std::vector<std::string> words_;
  std::vector<std::string> variables_;
  std::vector<char*> argv_;
  std::vector<char*> environment_;
};

struct RunOptions {
  Variables environment;  // as `given` of ExecArguments
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
