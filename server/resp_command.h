// The commands of the RESP door as one sorted table: it dispatches, checks the number of arguments,
// and answers COMMAND, so what is said of a command cannot part from what it does. Beside it, the
// Redis commands that Eddy does not have, each with the reason and what to do instead.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/resp_writer.h"

namespace eddy::server {

struct RespCall;
using RespHandler = void (*)(const RespCall& call);

struct RespCommand {
  // As COMMAND shows them.
  enum Flag : uint16_t {
    kWrite = 1 << 0,
    kReadOnly = 1 << 1,
    kDenyOom = 1 << 2,
    kAdmin = 1 << 3,
    kFast = 1 << 4,
    kLoading = 1 << 5,  // answered by a node that is still starting
    kStale = 1 << 6,
  };

  std::string_view name;  // in capitals; CLIENT|ID for a subcommand
  int arity;              // of words, the name's included; negative: at least so many
  uint16_t flags;
  // Where its keys are among the words: from first to last (negative: from the end), each step.
  int first_key;
  int last_key;
  int key_step;
  RespHandler handler;  // null for one that has subcommands only
  std::string_view group;
  std::string_view since;
  std::string_view summary;

  bool TakesArguments(size_t words) const;
  bool IsSubcommand() const { return name.find('|') != name.npos; }
  std::string LowerName() const;
};

// Sorted by name; a command's subcommands follow it.
std::span<const RespCommand> RespCommands();

// The command or subcommand that the words name, without regard to case; null if there is none.
// Requires at least one word.
const RespCommand* FindRespCommand(std::span<const std::string_view> words);

// The error for words that name no command: of a command that Redis has and Eddy has not, it says
// why.
std::string RespUnknownCommandText(std::span<const std::string_view> words);

}  // namespace eddy::server
