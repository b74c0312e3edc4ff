// An interactive shell: lines are eddyctl's command lines without its name, edited with history and
// completion on a terminal, and read as they come from anything else. Each command runs as a
// process of its own, so Ctrl-C ends it and not the shell. One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tools/command_tree.h"
#include "tools/exit_code.h"
#include "tools/output.h"

namespace eddy::tools {

inline constexpr size_t kShellLineBytesMax = 1024 * 1024;

struct ShellOptions {
  std::string prompt = "eddy> ";
  // What stands before every command, such as --node.
  std::vector<std::string> globals;
  CommandTree tree;
  // Commands beside those of eddyctl, which begin with a backslash: their names, and what runs one
  // (nullopt: it is none of them).
  std::vector<std::string> own_names;
  std::function<std::optional<ExitCode>(const std::vector<std::string>&)> own;
  std::string greeting;
  std::string history;  // a file; empty: none is kept
};

// The words of a line, as a shell of Unix splits it: single and double quotes, and backslashes.
// kInvalidArgument for a quote that is not closed.
[[nodiscard]] Result<std::vector<std::string>> SplitWords(std::string_view line);

// Until the input ends, or `exit`: then the exit code of the last command.
ExitCode RunShell(const ShellOptions& options, const Output& output);

}  // namespace eddy::tools
