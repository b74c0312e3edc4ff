// eddyd's command line: flags go over the environment, and that over the configuration file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/config.h"

namespace eddy::server {

// The process's exit codes; --help lists them.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,         // stopped by an error, or before everything was on disk
  kConfig = 2,         // command line, environment or configuration file
  kDoor = 3,           // a door cannot be opened: its port is in use, or its address is not ours
  kDataDirectory = 4,  // of another cluster or node, of a newer format, in use, or unreadable
};

struct CommandLine {
  Config config;            // complete, unless there are errors
  bool check_only = false;  // --check-config
  // Set when nothing is to be started: what to print, and the code to exit with.
  std::optional<ExitCode> exit;
  std::string text;
};

// Reads the flags, the environment ("NAME=value") and the file that --config or EDDY_CONFIG names.
// Errors come back as `exit` and `text`.
CommandLine ReadCommandLine(int argc, const char* const* argv,
                            std::span<const std::string> environment);

}  // namespace eddy::server
