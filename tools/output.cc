#include "tools/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/json_lines.h"

namespace eddy::tools {

namespace {

void Write(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace

Output::Output()
    : out_is_terminal_(isatty(STDOUT_FILENO) == 1), err_is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Output::Value(std::string_view bytes) const {
  Write(stdout, bytes);
  if (out_is_terminal_ && !bytes.ends_with('\n')) Write(stdout, "\n");
}

void Output::Line(std::string_view text) const {
  Write(stdout, text);
  Write(stdout, "\n");
}

void Output::Json(const nlohmann::ordered_json& json) const { Line(ToText(json)); }

void Output::Aside(std::string_view text) const {
  Write(stderr, text);
  Write(stderr, "\n");
}

void Output::Note(std::string_view text) const {
  if (!quiet_) Aside(text);
}

ExitCode Output::Fail(const Error& error, ExitCode exit_code) const {
  return Fail(exit_code, CodeName(error.code), error.text);
}

ExitCode Output::Fail(ExitCode exit_code, std::string_view code_name, std::string_view text) const {
  if (json_) {
    Json({{"error",
           {{"code", code_name}, {"exit_code", static_cast<int>(exit_code)}, {"text", text}}}});
  }
  Write(stderr, fmt::format("eddyctl: {}\n", text));
  return exit_code;
}

ExitCode Output::Finish(ExitCode exit_code) const {
  const bool failed = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !failed) return exit_code;
  Write(stderr,
        fmt::format("eddyctl: the answer could not be written: {}\n", std::strerror(errno)));
  return exit_code == ExitCode::kOk ? ExitCode::kFailed : exit_code;
}

}  // namespace eddy::tools
