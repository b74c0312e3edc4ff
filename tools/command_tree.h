// The command line as a value: what completion, the shell and the manual page are made of.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace eddy::tools {

struct CommandOption {
  std::vector<std::string> names;  // "--node", "-q"
  std::string value;               // "HOST[:PORT]"; empty: a flag
  std::string about;
};

struct CommandTree {
  std::string name;
  std::string about;
  std::vector<CommandOption> options;
  std::vector<CommandOption> arguments;  // by place; no names, the value is what help calls it
  std::vector<CommandTree> parts;        // the verbs, or the parts of a verb

  const CommandTree* Find(const std::string& part) const;
};

CommandTree TreeOf(const CLI::App& app);

// What may stand in place of `partial` behind these words, in order: the verbs and parts, or the
// options where it begins with a dash. Words that are no verb are passed over.
std::vector<std::string> CompletionsOf(const CommandTree& tree,
                                       const std::vector<std::string>& words,
                                       const std::string& partial);

}  // namespace eddy::tools
