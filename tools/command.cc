#include "tools/command.h"

#include <CLI/CLI.hpp>

#include "tools/text.h"

namespace eddy::tools {

void AddDurationOption(CLI::App* app, const std::string& name, const std::string& description,
                       const std::function<void(std::chrono::milliseconds)>& take) {
  // The check runs first, so that the callback has a duration.
  const auto wrong = [](const std::string& text) {
    const auto duration = ParseDuration(text);
    return duration ? std::string() : duration.error().text;
  };
  app->add_option_function<std::string>(
         name, [take](const std::string& text) { take(*ParseDuration(text)); }, description)
      ->check(wrong)
      ->option_text("DURATION");
}

void AddQuorumOption(CLI::App* app, const std::string& name, const std::string& description,
                     std::optional<uint8_t>* quorum) {
  app->add_option_function<unsigned>(
         name, [quorum](unsigned count) { *quorum = static_cast<uint8_t>(count); }, description)
      ->check(CLI::Range(0U, 255U).description(""))
      ->option_text("COUNT");
}

void AddDirectFlag(CLI::App* app, bool* direct) {
  app->add_flag("--direct", *direct,
                "Send everything to the nodes given with --node, not to replicas of the key");
}

}  // namespace eddy::tools
