#include "tools/command_tree.h"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace eddy::tools {

namespace {

CommandOption OptionOf(const CLI::Option& option) {
  CommandOption result;
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  if (option.get_type_size() != 0) {
    const std::string text = option.get_option_text();
    // What stands behind it is the default, which is for the help.
    result.value = text.substr(0, text.find(" ["));
    if (result.names.empty()) result.value = option.get_name();
    if (result.value.empty()) result.value = "VALUE";
  }
  result.about = option.get_description();
  return result;
}

}  // namespace

const CommandTree* CommandTree::Find(const std::string& part) const {
  const auto found = std::ranges::find(parts, part, &CommandTree::name);
  return found == parts.end() ? nullptr : &*found;
}

CommandTree TreeOf(const CLI::App& app) {
  CommandTree tree{.name = app.get_name(),
                   .about = app.get_description(),
                   .options = {},
                   .arguments = {},
                   .parts = {}};
  for (const CLI::Option* option : app.get_options()) {
    CommandOption made = OptionOf(*option);
    (made.names.empty() ? tree.arguments : tree.options).push_back(std::move(made));
  }
  for (const CLI::App* part : app.get_subcommands(nullptr)) tree.parts.push_back(TreeOf(*part));
  return tree;
}

std::vector<std::string> CompletionsOf(const CommandTree& tree,
                                       const std::vector<std::string>& words,
                                       const std::string& partial) {
  const CommandTree* at = &tree;
  std::vector<const CommandTree*> levels = {at};
  for (const std::string& word : words) {
    // `help` is followed by what it explains.
    if (at->name == "help" && at->parts.empty()) at = &tree;
    const CommandTree* part = at->Find(word);
    if (part == nullptr) continue;
    at = part;
    levels.push_back(at);
  }
  if (at->name == "help" && at->parts.empty()) at = &tree;
  std::vector<std::string> found;
  if (partial.starts_with('-')) {
    for (const CommandTree* level : levels) {
      for (const CommandOption& option : level->options) {
        for (const std::string& name : option.names) {
          if (name.starts_with("--") && name.starts_with(partial)) found.push_back(name);
        }
      }
    }
  } else {
    for (const CommandTree& part : at->parts) {
      if (part.name.starts_with(partial)) found.push_back(part.name);
    }
  }
  std::ranges::sort(found);
  const auto same = std::ranges::unique(found);
  found.erase(same.begin(), same.end());
  return found;
}

}  // namespace eddy::tools
