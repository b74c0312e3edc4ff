// What every verb of eddyctl is made of: it declares its options on a CLI11 subcommand, and leaves
// a function that does it. The verbs of one subject share a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "tools/exit_code.h"
#include "tools/output.h"

namespace CLI {
class App;
}

namespace eddy::tools {

// The options that stand before or after any verb.
struct GlobalOptions {
  std::vector<std::string> nodes;  // HOST[:PORT]
  std::string cluster;
  Duration timeout = std::chrono::seconds(5);
  Output output;
};

// Declares an option that takes a duration (tools/text.h) and hands it over.
void AddDurationOption(CLI::App* app, const std::string& name, const std::string& description,
                       const std::function<void(std::chrono::milliseconds)>& take);

// Declares an option that takes a number of replicas.
void AddQuorumOption(CLI::App* app, const std::string& name, const std::string& description,
                     std::optional<uint8_t>* quorum);

// Declares the choice between tools/session.h's ways of routing.
void AddDirectFlag(CLI::App* app, bool* direct);

using Command = std::function<ExitCode(const GlobalOptions&)>;
using Commands = std::map<const CLI::App*, Command>;

void AddKeyCommands(CLI::App* app, Commands* commands);       // put, get, del
void AddClusterCommands(CLI::App* app, Commands* commands);   // status, health
void AddRingCommand(CLI::App* app, Commands* commands);       // ring
void AddMemberCommands(CLI::App* app, Commands* commands);    // members
void AddTransfersCommand(CLI::App* app, Commands* commands);  // transfers
void AddChangeCommands(CLI::App* app, Commands* commands);    // cluster ..
void AddRepairCommands(CLI::App* app, Commands* commands);    // repair, repair status
void AddHintCommands(CLI::App* app, Commands* commands);      // hints, hints wait
void AddExplainCommand(CLI::App* app, Commands* commands);    // explain
void AddSiblingsCommand(CLI::App* app, Commands* commands);   // siblings top
void AddImportCommand(CLI::App* app, Commands* commands);
void AddExportCommand(CLI::App* app, Commands* commands);
void AddRestoreCommand(CLI::App* backup, Commands* commands);  // backup restore
void AddBackupCommands(CLI::App* app, Commands* commands);     // backup ..
void AddInspectCommand(CLI::App* app, Commands* commands);
void AddBenchCommand(CLI::App* app, Commands* commands);
void AddChaosCommand(CLI::App* app, Commands* commands);
void AddConfigCommands(CLI::App* app, Commands* commands);  // config .., log-level
void AddDoctorCommand(CLI::App* app, Commands* commands);
void AddTaskCommands(CLI::App* app, Commands* commands);  // tasks list, wait, cancel
void AddTopCommand(CLI::App* app, Commands* commands);
void AddDebugCommands(CLI::App* app, Commands* commands);  // debug bundle
void AddDemoCommand(CLI::App* app, Commands* commands);
// shell, completion, man. `footer`: what the help says behind the verbs.
void AddShellCommands(CLI::App* app, Commands* commands, const std::string& footer);
// The global options as words, for a command line of their own.
std::vector<std::string> GlobalWords(const GlobalOptions& global);
void AddFaultCommands(CLI::App* app, Commands* commands);  // faults set, faults show

}  // namespace eddy::tools
