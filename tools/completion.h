// Completion for shells, and the manual page, from the command tree. Pure functions.
#pragma once

#include <string>

#include "tools/command_tree.h"

namespace eddy::tools {

// Scripts for the shell to read.
std::string BashCompletion(const CommandTree& tree);
std::string ZshCompletion(const CommandTree& tree);
std::string FishCompletion(const CommandTree& tree);

// eddyctl(1), in man's macros. `footer`: what help says behind the verbs.
std::string ManualPage(const CommandTree& tree, const std::string& version,
                       const std::string& footer);

}  // namespace eddy::tools
