#include "tools/completion.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace eddy::tools {

namespace {

// One way down the tree, "cluster leave", with what may follow it.
struct Place {
  std::string path;  // words with single spaces; empty: the top
  const CommandTree* tree = nullptr;
};

void Visit(const CommandTree& tree, const std::string& path, std::vector<Place>* places) {
  places->push_back({path, &tree});
  for (const CommandTree& part : tree.parts) {
    Visit(part, path.empty() ? part.name : path + " " + part.name, places);
  }
}

std::vector<Place> PlacesOf(const CommandTree& tree) {
  std::vector<Place> places;
  Visit(tree, "", &places);
  return places;
}

std::vector<std::string> NamesOfParts(const CommandTree& tree) {
  std::vector<std::string> names;
  for (const CommandTree& part : tree.parts) names.push_back(part.name);
  return names;
}

std::vector<std::string> LongNames(const CommandTree& tree) {
  std::vector<std::string> names;
  for (const CommandOption& option : tree.options) {
    for (const std::string& name : option.names) {
      if (name.starts_with("--")) names.push_back(name);
    }
  }
  return names;
}

// Inside single quotes of bash and zsh.
std::string SingleQuoted(std::string_view text) {
  std::string quoted;
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted;
}

// Inside single quotes of fish, which knows \' and \\ there.
std::string FishQuoted(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted;
}

// Options that files follow.
bool TakesFile(const CommandOption& option) { return option.value.contains("FILE"); }

// The names of options that a value follows.
std::vector<std::string> NamesWithValue(const CommandTree& tree, bool files) {
  std::vector<std::string> names;
  for (const Place& place : PlacesOf(tree)) {
    for (const CommandOption& option : place.tree->options) {
      if (option.value.empty() || TakesFile(option) != files) continue;
      names.insert(names.end(), option.names.begin(), option.names.end());
    }
  }
  std::ranges::sort(names);
  const auto same = std::ranges::unique(names);
  names.erase(same.begin(), same.end());
  return names;
}

// Text in man's macros: no line begins with a dot or a quote, and a dash is one that can be copied.
std::string Roff(std::string_view text) {
  std::string escaped;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
    line_begins = c == '\n';
  }
  return escaped;
}

void AppendOptions(const CommandTree& tree, std::string* page) {
  for (const CommandOption& option : tree.options) {
    *page += fmt::format(
        ".TP\n\\fB{}\\fR{}\n{}\n", Roff(fmt::format("{}", fmt::join(option.names, ", "))),
        option.value.empty() ? "" : " \\fI" + Roff(option.value) + "\\fR", Roff(option.about));
  }
}

}  // namespace

std::string BashCompletion(const CommandTree& tree) {
  std::string script =
      "# bash completion for eddyctl: eval \"$(eddyctl completion bash)\"\n"
      "_eddyctl() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path='' word "
      "options parts i\n"
      "  COMPREPLY=()\n";
  script += fmt::format(
      "  case $previous in\n    {}) COMPREPLY=($(compgen -f -- \"$current\")); "
      "return ;;\n    {}) return ;;\n  esac\n",
      fmt::join(NamesWithValue(tree, true), "|"), fmt::join(NamesWithValue(tree, false), "|"));
  script +=
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${COMP_WORDS[i]}\n"
      "    case \"${path:+$path }$word\" in\n";
  std::vector<std::string> paths;
  for (const Place& place : PlacesOf(tree)) {
    if (!place.path.empty()) paths.push_back(fmt::format("'{}'", SingleQuoted(place.path)));
  }
  script += fmt::format("      {}) path=\"${{path:+$path }}$word\" ;;\n", fmt::join(paths, "|"));
  script += "    esac\n  done\n  case $path in\n";
  for (const Place& place : PlacesOf(tree)) {
    std::vector<std::string> options = LongNames(tree);
    if (place.tree != &tree) {
      for (std::string& name : LongNames(*place.tree)) options.push_back(std::move(name));
    }
    std::vector<std::string> parts = NamesOfParts(place.path == "help" ? tree : *place.tree);
    script += fmt::format("    '{}') parts='{}' options='{}' ;;\n", SingleQuoted(place.path),
                          fmt::join(parts, " "), fmt::join(options, " "));
  }
  script +=
      "  esac\n"
      "  if [[ $current == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
      "  elif [[ -n $parts ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$parts\" -- \"$current\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "  fi\n"
      "}\n"
      "complete -F _eddyctl eddyctl\n";
  return script;
}

std::string ZshCompletion(const CommandTree& tree) {
  // `path` would be zsh's own.
  std::string script =
      "#compdef eddyctl\n"
      "# zsh completion for eddyctl: eddyctl completion zsh >DIR/_eddyctl, where DIR is in $fpath; "
      "or eval it\n"
      "# behind compinit.\n"
      "_eddyctl() {\n"
      "  local place='' word\n"
      "  local -a parts options\n"
      "  for word in ${words[2,CURRENT-1]}; do\n"
      "    case \"${place:+$place }$word\" in\n";
  std::vector<std::string> paths;
  for (const Place& place : PlacesOf(tree)) {
    if (!place.path.empty()) paths.push_back(fmt::format("'{}'", SingleQuoted(place.path)));
  }
  script += fmt::format("      {}) place=\"${{place:+$place }}$word\" ;;\n", fmt::join(paths, "|"));
  script += "    esac\n  done\n  case $place in\n";
  const auto described = [](std::string_view name, std::string_view about) {
    std::string escaped;
    for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
    return fmt::format("'{}:{}'", SingleQuoted(escaped), SingleQuoted(about));
  };
  for (const Place& place : PlacesOf(tree)) {
    std::vector<std::string> parts;
    for (const CommandTree& part : (place.path == "help" ? tree : *place.tree).parts) {
      parts.push_back(described(part.name, part.about));
    }
    std::vector<std::string> options;
    for (const CommandTree* level : {&tree, place.tree}) {
      if (level == place.tree && level == &tree && !options.empty()) break;
      for (const CommandOption& option : level->options) {
        for (const std::string& name : option.names) {
          if (name.starts_with("--")) options.push_back(described(name, option.about));
        }
      }
    }
    script += fmt::format("    '{}')\n      parts=({})\n      options=({})\n      ;;\n",
                          SingleQuoted(place.path), fmt::join(parts, " "), fmt::join(options, " "));
  }
  script +=
      "  esac\n"
      "  if [[ $words[CURRENT] == -* ]]; then\n"
      "    _describe option options\n"
      "  elif (( $#parts )); then\n"
      "    _describe command parts\n"
      "  else\n"
      "    _files\n"
      "  fi\n"
      "}\n"
      "if [[ $funcstack[1] == _eddyctl ]]; then _eddyctl \"$@\"; else compdef _eddyctl eddyctl; "
      "fi\n";
  return script;
}

std::string FishCompletion(const CommandTree& tree) {
  std::string script =
      "# fish completion for eddyctl: eddyctl completion fish "
      ">~/.config/fish/completions/eddyctl.fish\n"
      "function __eddyctl_place\n"
      "  set -l place\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch (string join ' ' $place $word)\n";
  std::vector<std::string> paths;
  for (const Place& place : PlacesOf(tree)) {
    if (!place.path.empty()) paths.push_back(fmt::format("'{}'", FishQuoted(place.path)));
  }
  script += fmt::format("      case {}\n        set -a place $word\n", fmt::join(paths, " "));
  script +=
      "    end\n"
      "  end\n"
      "  test \"$place\" = \"$argv\"\n"
      "end\n";
  for (const Place& place : PlacesOf(tree)) {
    const std::string condition = fmt::format("-n '__eddyctl_place {}'", FishQuoted(place.path));
    for (const CommandTree& part : (place.path == "help" ? tree : *place.tree).parts) {
      script += fmt::format("complete -c eddyctl -f {} -a '{}' -d '{}'\n", condition,
                            FishQuoted(part.name), FishQuoted(part.about));
    }
    for (const CommandOption& option : place.tree->options) {
      std::string names;
      for (const std::string& name : option.names) {
        names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      script += fmt::format("complete -c eddyctl{}{}{} -d '{}'\n",
                            place.path.empty() ? "" : " " + condition, names,
                            option.value.empty() ? "" : (TakesFile(option) ? " -r" : " -x"),
                            FishQuoted(option.about));
    }
  }
  return script;
}

std::string ManualPage(const CommandTree& tree, const std::string& version,
                       const std::string& footer) {
  std::string page = fmt::format(
      ".TH EDDYCTL 1 \"\" \"Eddy {}\" \"Eddy\"\n.SH NAME\neddyctl \\- the command line of Eddy, a "
      "replicated key\\-value store\n.SH SYNOPSIS\n.B eddyctl\n.RI [ options ]\n.I verb\n.RI [ "
      "arguments ]\n.SH DESCRIPTION\n{} It asks the nodes at their native door (port 7400).\n.SH "
      "OPTIONS\nThey may stand before or behind the verb. Behind \\fB\\-\\-\\fR nothing is an "
      "option any more.\n",
      Roff(version), Roff(tree.about));
  AppendOptions(tree, &page);
  page += ".SH VERBS\n";
  for (const Place& place : PlacesOf(tree)) {
    if (place.tree == &tree) continue;
    std::string arguments;
    for (const CommandOption& argument : place.tree->arguments) {
      arguments += " \\fI" + Roff(argument.value) + "\\fR";
    }
    page +=
        fmt::format(".SS \\fB{}\\fR{}\n{}\n", Roff(place.path), arguments, Roff(place.tree->about));
    for (const CommandOption& argument : place.tree->arguments) {
      page += fmt::format(".TP\n\\fI{}\\fR\n{}\n", Roff(argument.value), Roff(argument.about));
    }
    CommandTree own = *place.tree;
    std::erase_if(own.options, [](const CommandOption& option) {
      return std::ranges::find(option.names, "--help") != option.names.end();
    });
    AppendOptions(own, &page);
  }
  page += fmt::format(".SH EXIT STATUS\n.nf\n{}\n.fi\n", Roff(footer));
  page +=
      ".SH ENVIRONMENT\n.TP\n\\fBEDDY_NODE\\fR\nThe nodes to ask, where \\fB\\-\\-node\\fR does "
      "not "
      "say it.\n.TP\n\\fBNO_COLOR\\fR\nWhere it is set, there are no colours on a terminal "
      "either.\n.SH FILES\n.TP\n\\fI~/.eddyctl_history\\fR\nThe lines that were typed to the "
      "shell, "
      "but for those that begin with a space.\n.SH SEE ALSO\n.BR eddyd (8)\n";
  return page;
}

}  // namespace eddy::tools
