// shell, completion, man: eddyctl for people who type.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/command.h"
#include "tools/command_tree.h"
#include "tools/completion.h"
#include "tools/shell.h"

namespace eddy::tools {

namespace {

std::string HistoryFile() {
  const char* const home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? "" : std::string(home) + "/.eddyctl_history";
}

ExitCode Complete(const Output& output, const CLI::App& app, const std::string& shell) {
  const CommandTree tree = TreeOf(app);
  if (shell == "bash") {
    output.Value(BashCompletion(tree));
  } else if (shell == "zsh") {
    output.Value(ZshCompletion(tree));
  } else {
    output.Value(FishCompletion(tree));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddShellCommands(CLI::App* app, Commands* commands, const std::string& footer) {
  CLI::App* shell = app->add_subcommand(
      "shell", "Type commands one after the other, with history and completion");
  (*commands)[shell] = [app](const GlobalOptions& global) {
    ShellOptions options;
    options.tree = TreeOf(*app);
    options.globals = GlobalWords(global);
    options.history = HistoryFile();
    options.greeting =
        fmt::format("Asking {}. Type help, or Ctrl-D to leave.", fmt::join(global.nodes, ", "));
    return RunShell(options, global.output);
  };

  CLI::App* completion =
      app->add_subcommand("completion", "Print the completion script for a shell");
  const auto name = std::make_shared<std::string>();
  completion->add_option("SHELL", *name, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->option_text(" ");
  (*commands)[completion] = [app, name](const GlobalOptions& global) {
    return Complete(global.output, *app, *name);
  };

  CLI::App* man = app->add_subcommand("man", "Print the manual page: eddyctl man | man -l -");
  (*commands)[man] = [app, footer](const GlobalOptions& global) {
    global.output.Value(ManualPage(TreeOf(*app), EDDY_VERSION, footer));
    return ExitCode::kOk;
  };
}

std::vector<std::string> GlobalWords(const GlobalOptions& global) {
  std::vector<std::string> words = {
      "--node", fmt::format("{}", fmt::join(global.nodes, ",")), "--timeout",
      fmt::format("{}ms", global.timeout / std::chrono::milliseconds(1))};
  if (!global.cluster.empty()) words.insert(words.end(), {"--cluster", global.cluster});
  if (global.output.json()) words.emplace_back("--json");
  if (global.output.quiet()) words.emplace_back("--quiet");
  return words;
}

}  // namespace eddy::tools
