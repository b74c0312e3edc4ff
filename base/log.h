// The log as a sink that is passed in: the core and the libraries say what happened; who writes it
// where (text on a terminal, JSON lines, the simulator's trace) is the shell's business.
#pragma once

#include <string_view>

namespace eddy {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

class LogSink {
 public:
  virtual ~LogSink() = default;
  // `text` is one sentence without a newline; a warning or error says what to do. Never a key's
  // value or a secret.
  virtual void Log(LogLevel level, std::string_view text) = 0;
};

}  // namespace eddy
