// eddyctl: the command line of Eddy. Here stand the options that every verb has and what is said to
// a command line that is wrong; the verbs are in the files named *_commands.cc.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "tools/command.h"
#include "tools/text.h"
#include "wire/hello.h"

namespace eddy::tools {
namespace {

constexpr const char* kVerbFooter = R"(
Every verb takes --node, --cluster, --timeout, --json and --quiet too: see eddyctl help)";

constexpr const char* kFooter = R"(
Exit codes:
  0 done                        5 unknown: the write may or may not be stored
  1 failed on this side         6 several siblings, and one value was asked for
  2 the command line is wrong   7 partly done: import, export
  3 nothing under this key      8 a node does not answer or is not ready
  4 not done, try again         9 refused: another cluster, or a conflict
                               10 chaos: a promise was broken

One verb's options: eddyctl help VERB)";

void AddGlobalOptions(CLI::App* app, GlobalOptions* options, bool* json, bool* quiet) {
  options->nodes = {"127.0.0.1"};
  app->add_option(
         "--node", options->nodes,
         "A node to ask, HOST[:PORT]; several (repeated, or with commas) are tried in turn")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->envname("EDDY_NODE")
      ->option_text("HOST[:PORT] [127.0.0.1:7400] (env EDDY_NODE)");
  app->add_option("--cluster", options->cluster,
                  "The cluster's name: nodes of another one are refused")
      ->option_text("NAME");
  AddDurationOption(app, "--timeout", "How long to wait for each request [5s]",
                    [options](std::chrono::milliseconds timeout) { options->timeout = timeout; });
  app->add_flag("--json", *json, "Answer in JSON, errors too");
  app->add_option_function<std::string>(
         "-o,--output", [json](const std::string& form) { *json = form == "json"; },
         "table or json: the same as --json, or as without")
      ->check(CLI::IsMember({"table", "json"}))
      ->option_text("table|json");
  app->add_flag("-q,--quiet", *quiet, "Nothing but results and errors");
}

std::vector<std::string> Names(const CLI::App& app, const CLI::App* verb) {
  std::vector<std::string> names;
  for (const CLI::App* level : {&app, verb}) {
    if (level == nullptr) continue;
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::vector<std::string> Verbs(const CLI::App& app) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) verbs.push_back(verb->get_name());
  return verbs;
}

// As it is typed: a part of a verb stands behind it.
std::string NameOf(const CLI::App& verb) {
  const CLI::App* parent = verb.get_parent();
  const bool is_part = parent != nullptr && parent->get_parent() != nullptr;
  return is_part ? NameOf(*parent) + " " + verb.get_name() : verb.get_name();
}

const CLI::App* FindVerb(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : app.get_subcommands(nullptr)) {
    if (NameOf(*verb) == name) return verb;
    if (const CLI::App* part = FindVerb(*verb, name)) return part;
  }
  return nullptr;
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& known) {
  const std::optional<std::string> nearest = Nearest(word, known);
  return nearest ? fmt::format("; did you mean {}?", *nearest) : std::string();
}

// What is wrong with words that no option and no verb took; empty when there are none.
std::string ExplainExtras(const CLI::App& app, const CLI::App* verb) {
  std::vector<std::string> extras = app.remaining(true);
  std::erase(extras, "--");
  if (extras.empty()) return {};
  const std::string& word = extras.front();
  if (word.size() > 1 && word.starts_with('-')) {
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("unknown option {}{}{}", Quoted(name), DidYouMean(name, Names(app, verb)),
                       name.starts_with("--") ? "" : " (a value that begins with - goes after --)");
  }
  if (verb == nullptr) {
    return fmt::format("unknown verb {}{}", Quoted(word), DidYouMean(word, Verbs(app)));
  }
  return fmt::format("{} is one word too many for {}: put quotes around a value with spaces",
                     Quoted(word), NameOf(*verb));
}

ExitCode UsageError(const Output& output, const CLI::App* verb, const std::string& text) {
  return output.Fail(ExitCode::kUsage, CodeName(Code::kInvalidArgument),
                     fmt::format("{}\nSee: eddyctl help{}{}", text, verb == nullptr ? "" : " ",
                                 verb == nullptr ? "" : NameOf(*verb)));
}

ExitCode ShowHelp(const CLI::App& app, const std::string& verb_name, const Output& output) {
  if (verb_name.empty()) {
    // Not app.help(), which would be that of the verb `help`.
    output.Line(app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal));
    return ExitCode::kOk;
  }
  if (const CLI::App* verb = FindVerb(app, verb_name)) {
    output.Line(verb->get_formatter()->make_help(verb, "eddyctl " + NameOf(*verb),
                                                 CLI::AppFormatMode::Normal));
    return ExitCode::kOk;
  }
  return UsageError(
      output, nullptr,
      fmt::format("unknown verb {}{}", Quoted(verb_name), DidYouMean(verb_name, Verbs(app))));
}

ExitCode ShowVersion(const Output& output) {
  if (output.json()) {
    output.Json({{"version", EDDY_VERSION},
                 {"protocol", wire::kProtocolVersion},
                 {"protocol_oldest", wire::kProtocolVersionOldest}});
  } else {
    output.Line(
        fmt::format("eddyctl {} (native protocol {})", EDDY_VERSION, wire::kProtocolVersion));
  }
  return ExitCode::kOk;
}

bool AsksForJson(std::span<char* const> words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool form = i > 0 && (std::string_view(words[i - 1]) == "-o" ||
                                std::string_view(words[i - 1]) == "--output");
    if (word == "--json" || word == "-ojson" || word == "--output=json" ||
        (form && word == "json")) {
      return true;
    }
  }
  return false;
}

ExitCode Main(int argc, char** argv) {
  CLI::App app("Talks to a cluster of Eddy: keys and values, health, import and export.",
               "eddyctl");
  GlobalOptions options;
  bool json = false;
  bool quiet = false;
  AddGlobalOptions(&app, &options, &json, &quiet);
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  bool version_flag = false;
  app.add_flag("--version", version_flag, "Print the version and exit");

  Commands commands;
  AddKeyCommands(&app, &commands);
  AddClusterCommands(&app, &commands);
  AddRingCommand(&app, &commands);
  AddMemberCommands(&app, &commands);
  AddChangeCommands(&app, &commands);
  AddTransfersCommand(&app, &commands);
  AddDoctorCommand(&app, &commands);
  AddTopCommand(&app, &commands);
  AddConfigCommands(&app, &commands);
  AddRepairCommands(&app, &commands);
  AddHintCommands(&app, &commands);
  AddTaskCommands(&app, &commands);
  AddExplainCommand(&app, &commands);
  AddSiblingsCommand(&app, &commands);
  AddImportCommand(&app, &commands);
  AddExportCommand(&app, &commands);
  AddBackupCommands(&app, &commands);
  AddInspectCommand(&app, &commands);
  AddBenchCommand(&app, &commands);
  AddChaosCommand(&app, &commands);
  AddFaultCommands(&app, &commands);
  AddDebugCommands(&app, &commands);
  AddDemoCommand(&app, &commands);
  AddShellCommands(&app, &commands, kFooter);
  CLI::App* version = app.add_subcommand("version", "Print the version");
  commands[version] = [](const GlobalOptions& given) { return ShowVersion(given.output); };
  CLI::App* help = app.add_subcommand("help", "Explain a verb");
  std::vector<std::string> help_verb;
  help->add_option("VERB", help_verb, "The verb to explain; all of them when it is missing");
  commands[help] = [&](const GlobalOptions& given) {
    return ShowHelp(app, fmt::format("{}", fmt::join(help_verb, " ")), given.output);
  };
  for (CLI::App* verb : app.get_subcommands(nullptr)) {
    verb->fallthrough()->allow_extras()->footer(kVerbFooter);
    for (CLI::App* part : verb->get_subcommands(nullptr)) {
      part->fallthrough()->allow_extras()->footer(kVerbFooter);
    }
  }
  app.allow_extras();

  const Output& output = options.output;
  const auto verb = [&]() -> CLI::App* {
    CLI::App* last = nullptr;
    for (auto verbs = app.get_subcommands(); !verbs.empty(); verbs = last->get_subcommands()) {
      last = verbs.front();
    }
    return last;
  };
  std::string wrong;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return ShowHelp(app, verb() == nullptr ? "" : NameOf(*verb()), output);
  } catch (const CLI::ParseError& error) {
    wrong = error.what();
  }
  // Where parsing ended early the flag was not seen, and yet the error is to be in the form that
  // was asked for.
  const std::span words(argv, static_cast<size_t>(argc));
  options.output.SetJson(json || AsksForJson(words));
  options.output.SetQuiet(quiet);
  if (const std::string extras = ExplainExtras(app, verb()); !extras.empty()) wrong = extras;
  if (!wrong.empty()) return UsageError(output, verb(), wrong);
  if (version_flag) return ShowVersion(output);
  if (verb() == nullptr) {
    return UsageError(output, nullptr, "no verb: say what to do, such as eddyctl status");
  }
  return output.Finish(commands.at(verb())(options));
}

}  // namespace
}  // namespace eddy::tools

int main(int argc, char** argv) {
  // A reader that leaves shows as an error of writing, which says more than a signal.
  std::signal(SIGPIPE, SIG_IGN);
  return static_cast<int>(eddy::tools::Main(argc, argv));
}
