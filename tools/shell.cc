#include "tools/shell.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <editline/readline.h>
#include <fmt/format.h>

#include "base/nearest.h"

namespace eddy::tools {

namespace {

constexpr int kHistoryLinesMax = 1000;

constexpr std::string_view kHelp =
    "A line is a command of eddyctl without its name, such as: get greeting, status, help put\n"
    "  help [VERB]   explain eddyctl, or one verb\n"
    "  use NODE,..   ask other nodes from here on\n"
    "  exit          or Ctrl-D\n"
    "Quotes are as in a shell. A line that begins with a space is not kept in the history.";

// What libedit's callbacks, which take no argument, look at: there is one shell at a time.
const ShellOptions* completing = nullptr;

char* NextCompletion(const char* text, int state) {
  static std::vector<std::string> found;
  if (state == 0) {
    found.clear();
    const std::string_view line(rl_line_buffer, static_cast<size_t>(rl_point));
    const std::string partial(text);
    const std::string_view before =
        line.substr(0, line.size() - std::min(line.size(), partial.size()));
    const auto words = SplitWords(before);
    if (words) found = CompletionsOf(completing->tree, *words, partial);
    if (words && words->empty()) {
      for (const std::string& name : completing->own_names) {
        if (name.starts_with(partial)) found.push_back(name);
      }
    }
    std::ranges::reverse(found);
  }
  if (found.empty()) return nullptr;
  char* const next = strdup(found.back().c_str());
  found.pop_back();
  return next;
}

// One command in a process of its own; 126 and more where it did not run.
int RunCommand(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid < 0) return static_cast<int>(ExitCode::kFailed);
  if (pid == 0) {
    std::signal(SIGINT, SIG_DFL);
    execv("/proc/self/exe", argv.data());
    _exit(static_cast<int>(ExitCode::kFailed));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(ExitCode::kInterrupted);
}

class Shell {
 public:
  Shell(const ShellOptions& options, const Output& output)
      : options_(options), output_(output), globals_(options.globals) {}

  ExitCode Run() {
    interactive_ = isatty(STDIN_FILENO) == 1;
    const auto before = std::signal(SIGINT, SIG_IGN);
    if (interactive_) Begin();
    int last = 0;
    while (auto line = NextLine()) {
      const auto words = SplitWords(*line);
      if (!words) {
        last = static_cast<int>(output_.Fail(words.error()));
        continue;
      }
      if (words->empty()) continue;
      if (words->front() == "exit" || words->front() == "quit") break;
      last = Do(*words);
      // Whoever is at the other end of a pipe may wait for it before the next line.
      std::fflush(stdout);
    }
    if (interactive_) End();
    std::signal(SIGINT, before);
    return static_cast<ExitCode>(last);
  }

 private:
  void Begin() {
    completing = &options_;
    rl_readline_name = "eddyctl";
    rl_completion_entry_function = NextCompletion;
    // Words are what SplitWords splits at.
    static char breaks[] = " \t\n";
    rl_completer_word_break_characters = breaks;
    using_history();
    stifle_history(kHistoryLinesMax);
    if (!options_.history.empty()) read_history(options_.history.c_str());
    output_.Note(options_.greeting);
  }

  void End() {
    output_.Aside("");
    if (options_.history.empty()) return;
    // Nobody else's business.
    const int file = open(options_.history.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || fchmod(file, 0600) != 0 || write_history(options_.history.c_str()) != 0) {
      output_.Note(fmt::format("the history could not be written to {}", options_.history));
    }
    if (file >= 0) close(file);
  }

  std::optional<std::string> NextLine() {
    if (interactive_) {
      char* const read = readline(options_.prompt.c_str());
      if (read == nullptr) return std::nullopt;
      std::string line(read);
      std::free(read);
      if (!line.empty() && line.front() != ' ') add_history(line.c_str());
      return line;
    }
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    if (line.size() > kShellLineBytesMax) {
      output_.Note("a line over the limit of 1 MiB was left out");
      return "";
    }
    if (line.starts_with('#')) return "";
    return line;
  }

  int Do(const std::vector<std::string>& words) {
    const std::string& verb = words.front();
    if (options_.own != nullptr && verb.starts_with('\\')) {
      if (const auto done = options_.own(words)) return static_cast<int>(*done);
      const auto nearest = Nearest(verb, options_.own_names);
      return static_cast<int>(
          output_.Fail({Code::kInvalidArgument,
                        fmt::format("there is no {}{}; \\help lists what there is", verb,
                                    nearest ? fmt::format(", did you mean {}?", *nearest) : "")}));
    }
    if (verb == "help" && words.size() == 1) output_.Line(kHelp);
    if (verb == "use") return Use(words);
    if (verb == "shell" || verb == "demo") {
      return static_cast<int>(
          output_.Fail({Code::kInvalidArgument, "this is a shell already; exit leaves it"}));
    }
    std::vector<std::string> command = {"eddyctl"};
    command.insert(command.end(), globals_.begin(), globals_.end());
    // The command's own go over those of the shell.
    command.insert(command.end(), words.begin(), words.end());
    return RunCommand(std::move(command));
  }

  int Use(const std::vector<std::string>& words) {
    if (words.size() != 2) {
      return static_cast<int>(
          output_.Fail({Code::kInvalidArgument, "use NODE,..: name the nodes to ask"}));
    }
    const auto at = std::ranges::find(globals_, "--node");
    if (at != globals_.end()) globals_.erase(at, at + 2);
    globals_.insert(globals_.end(), {"--node", words[1]});
    return 0;
  }

  const ShellOptions& options_;
  const Output& output_;
  std::vector<std::string> globals_;
  bool interactive_ = false;
};

}  // namespace

Result<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  // A command of the shell's own begins with a backslash, which then escapes nothing.
  const size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  for (size_t i = begin; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\'') {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\\' && i > begin) {
      // Inside double quotes it escapes only what would mean something there.
      if (i + 1 == line.size()) {
        return Fail(Code::kInvalidArgument, "the line ends with a backslash that escapes nothing");
      }
      if (quote == '"' && line[i + 1] != '"' && line[i + 1] != '\\') word += c;
      word += line[++i];
      in_word = true;
    } else if (quote == '"') {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) {
    return Fail(Code::kInvalidArgument, fmt::format("a quote {} is not closed", quote));
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

ExitCode RunShell(const ShellOptions& options, const Output& output) {
  return Shell(options, output).Run();
}

}  // namespace eddy::tools
