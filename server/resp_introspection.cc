// COMMAND and its kin: the command table, as clients and redis-cli ask for it.
#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/resp_call.h"
#include "server/resp_command.h"
#include "server/resp_handlers.h"
#include "server/resp_info.h"

namespace eddy::server {

namespace {

std::vector<const RespCommand*> TopCommands() {
  std::vector<const RespCommand*> commands;
  for (const RespCommand& command : RespCommands()) {
    if (!command.IsSubcommand()) commands.push_back(&command);
  }
  return commands;
}

std::vector<const RespCommand*> SubcommandsOf(const RespCommand& command) {
  std::vector<const RespCommand*> subcommands;
  for (const RespCommand& candidate : RespCommands()) {
    if (candidate.name.size() > command.name.size() && candidate.IsSubcommand() &&
        candidate.name.starts_with(command.name) && candidate.name[command.name.size()] == '|') {
      subcommands.push_back(&candidate);
    }
  }
  return subcommands;
}

// By the name that clients use for it: "get", "client|id".
const RespCommand* FindByName(std::string_view name) {
  for (const RespCommand& command : RespCommands()) {
    if (RespWordIs(name, command.name)) return &command;
  }
  return nullptr;
}

void WriteFlags(const RespCommand& command, RespWriter* writer) {
  static constexpr std::pair<RespCommand::Flag, std::string_view> kNames[] = {
      {RespCommand::kWrite, "write"},     {RespCommand::kReadOnly, "readonly"},
      {RespCommand::kDenyOom, "denyoom"}, {RespCommand::kAdmin, "admin"},
      {RespCommand::kFast, "fast"},       {RespCommand::kLoading, "loading"},
      {RespCommand::kStale, "stale"},
  };
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kNames) {
    if ((command.flags & flag) != 0) names.push_back(name);
  }
  writer->Set(names.size());
  for (const std::string_view name : names) writer->Simple(name);
}

void WriteInfo(const RespCommand& command, RespWriter* writer) {
  const auto subcommands = SubcommandsOf(command);
  writer->Array(10);
  writer->Bulk(command.LowerName());
  writer->Integer(command.arity);
  WriteFlags(command, writer);
  writer->Integer(command.first_key);
  writer->Integer(command.last_key);
  writer->Integer(command.key_step);
  writer->Set(0);    // categories of access control
  writer->Array(0);  // tips
  writer->Array(0);  // key specifications
  writer->Array(subcommands.size());
  for (const RespCommand* subcommand : subcommands) WriteInfo(*subcommand, writer);
}

void WriteDocs(const RespCommand& command, RespWriter* writer) {
  const auto subcommands = SubcommandsOf(command);
  writer->Bulk(command.LowerName());
  writer->Map(subcommands.empty() ? 3 : 4);
  writer->Bulk("summary");
  writer->Bulk(command.summary);
  writer->Bulk("since");
  writer->Bulk(command.since);
  writer->Bulk("group");
  writer->Bulk(command.group);
  if (subcommands.empty()) return;
  writer->Bulk("subcommands");
  writer->Map(subcommands.size());
  for (const RespCommand* subcommand : subcommands) WriteDocs(*subcommand, writer);
}

}  // namespace

void RespRunCommand(const RespCall& call) {
  if (call.arguments.size() > 1) return call.Error(RespUnknownCommandText(call.arguments));
  const auto commands = TopCommands();
  RespWriter writer = call.pipeline.Answer();
  writer.Array(commands.size());
  for (const RespCommand* command : commands) WriteInfo(*command, &writer);
}

void RespRunCommandCount(const RespCall& call) {
  call.pipeline.Answer().Integer(static_cast<int64_t>(TopCommands().size()));
}

void RespRunCommandInfo(const RespCall& call) {
  if (call.arguments.size() == 2) {
    const auto commands = TopCommands();
    RespWriter writer = call.pipeline.Answer();
    writer.Array(commands.size());
    for (const RespCommand* command : commands) WriteInfo(*command, &writer);
    return;
  }
  const auto names = call.arguments.subspan(2);
  RespWriter writer = call.pipeline.Answer();
  writer.Array(names.size());
  for (const std::string_view name : names) {
    if (const RespCommand* command = FindByName(name)) {
      WriteInfo(*command, &writer);
    } else {
      writer.Null();
    }
  }
}

void RespRunCommandDocs(const RespCall& call) {
  std::vector<const RespCommand*> commands;
  if (call.arguments.size() == 2) {
    commands = TopCommands();
  } else {
    for (const std::string_view name : call.arguments.subspan(2)) {
      if (const RespCommand* command = FindByName(name)) commands.push_back(command);
    }
  }
  RespWriter writer = call.pipeline.Answer();
  writer.Map(commands.size());
  for (const RespCommand* command : commands) WriteDocs(*command, &writer);
}

void RespRunCommandList(const RespCall& call) {
  auto commands = TopCommands();
  if (call.arguments.size() > 2) {
    if (call.arguments.size() != 5 || !RespWordIs(call.arguments[2], "FILTERBY") ||
        !RespWordIs(call.arguments[3], "PATTERN")) {
      return call.SyntaxError();
    }
    std::erase_if(commands, [&](const RespCommand* command) {
      return !RespGlobMatches(call.arguments[4], command->name);
    });
  }
  RespWriter writer = call.pipeline.Answer();
  writer.Array(commands.size());
  for (const RespCommand* command : commands) writer.Bulk(command->LowerName());
}

void RespRunCommandGetKeys(const RespCall& call) {
  const auto words = call.arguments.subspan(2);
  const RespCommand* command = FindRespCommand(words);
  if (command == nullptr) return call.Error("ERR Invalid command specified");
  if (!command->TakesArguments(words.size())) {
    return call.Error("ERR Invalid number of arguments specified for command");
  }
  if (command->first_key == 0) return call.Error("ERR The command has no key arguments");
  const size_t last = command->last_key < 0 ? words.size() - static_cast<size_t>(-command->last_key)
                                            : static_cast<size_t>(command->last_key);
  std::vector<std::string_view> keys;
  for (size_t at = static_cast<size_t>(command->first_key); at <= last;
       at += static_cast<size_t>(command->key_step)) {
    keys.push_back(words[at]);
  }
  RespWriter writer = call.pipeline.Answer();
  writer.Array(keys.size());
  for (const std::string_view key : keys) writer.Bulk(key);
}

}  // namespace eddy::server
