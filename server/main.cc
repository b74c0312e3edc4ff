// eddyd: one node.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "server/command_line.h"
#include "server/daemon.h"
#include "server/log_sink.h"

int main(int argc, char** argv) {
  using eddy::server::ExitCode;
  using eddy::server::LineLog;
  using eddy::server::LogFormat;
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  eddy::server::CommandLine line = eddy::server::ReadCommandLine(argc, argv, environment);
  if (line.exit) {
    fputs(line.text.c_str(), *line.exit == ExitCode::kOk ? stdout : stderr);
    return static_cast<int>(*line.exit);
  }
  const bool json = line.config.log_format == LogFormat::kJson ||
                    (line.config.log_format == LogFormat::kAuto && isatty(STDERR_FILENO) == 0);
  LineLog log({.fd = STDERR_FILENO,
               .form = json ? LineLog::Form::kJson : LineLog::Form::kText,
               .least = line.config.log_level,
               .node = line.config.name});
  for (bool again = false;; again = true) {
    eddy::server::Daemon daemon(line.config, &log, &log, again);
    if (const auto problem = daemon.Start()) {
      log.Log(eddy::LogLevel::kError, problem->text);
      return static_cast<int>(problem->exit);
    }
    const ExitCode exit = daemon.Run();
    if (!daemon.open_again()) return static_cast<int>(exit);
  }
}
