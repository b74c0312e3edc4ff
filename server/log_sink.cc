#include "server/log_sink.h"

#include <unistd.h>

#include <chrono>

#include <fmt/chrono.h>
#include <fmt/core.h>

namespace eddy::server {

namespace {

// The inside of a JSON string. What is not UTF-8 is escaped byte by byte as if it were Latin-1, so
// a line is always valid JSON.
void AppendEscaped(std::string_view text, bool json, std::string* out) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (json && (c == '"' || c == '\\')) {
      *out += '\\';
      *out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      *out += json ? fmt::format("\\u{:04x}", byte) : fmt::format("\\x{:02x}", byte);
    } else {
      *out += c;
    }
  }
}

}  // namespace

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::optional<LogLevel> LogLevelFromName(std::string_view name) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (LogLevelName(level) == name) return level;
  }
  return std::nullopt;
}

std::string FormatLogLine(LineLog::Form form, WallTime at, LogLevel level, std::string_view node,
                          std::string_view text) {
  const int64_t ms = at.time_since_epoch().count();
  const std::string time = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                                       fmt::gmtime(static_cast<time_t>(ms / 1000)), ms % 1000);
  const bool json = form == LineLog::Form::kJson;
  std::string line = json ? fmt::format(R"({{"time":"{}","level":"{}")", time, LogLevelName(level))
                          : fmt::format("{} {:<7}", time, LogLevelName(level));
  if (!node.empty()) {
    line += json ? R"(,"node":")" : " ";
    AppendEscaped(node, json, &line);
    if (json) line += '"';
  }
  line += json ? R"(,"text":")" : "  ";
  AppendEscaped(text, json, &line);
  if (json) line += "\"}";
  return line;
}

void LineLog::Log(LogLevel level, std::string_view text) {
  if (level < least_) return;
  const std::lock_guard lock(mutex_);
  const auto wall =
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  line_ =
      FormatLogLine(options_.form, WallTime(wall.time_since_epoch()), level, options_.node, text);
  line_ += '\n';
  // One write, so that lines of several processes on one pipe do not mix. A log that cannot be
  // written is no reason to stop serving.
  [[maybe_unused]] const ssize_t written = ::write(options_.fd, line_.data(), line_.size());
}

void LimitedLog::Log(MonotonicTime now, std::string_view cause, LogLevel level,
                     std::string_view text) {
  if (!causes_.contains(cause) && causes_.size() >= kCausesMax) cause = "";
  const auto [found, fresh] = causes_.try_emplace(std::string(cause));
  Cause& state = found->second;
  if (!fresh && now - state.logged_at < kPeriod) {
    ++state.held_back;
    return;
  }
  if (state.held_back == 0) {
    sink_->Log(level, text);
  } else {
    sink_->Log(level, fmt::format("{} (and {} more like it since the last such line)", text,
                                  state.held_back));
  }
  state = Cause{.logged_at = now};
}

}  // namespace eddy::server
