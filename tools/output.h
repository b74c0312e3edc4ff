// Where a command's answer goes: values and results to standard output, everything else to standard
// error. A value is written as it is when somebody else reads it, and gets a newline on a terminal.
// With --json standard output carries JSON and nothing else, also for errors. One thread.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"
#include "tools/exit_code.h"

namespace eddy::tools {

class Output {
 public:
  Output();

  void SetJson(bool json) { json_ = json; }
  void SetQuiet(bool quiet) { quiet_ = quiet; }
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  bool out_is_terminal() const { return out_is_terminal_; }
  bool err_is_terminal() const { return err_is_terminal_; }

  // A stored value, byte for byte.
  void Value(std::string_view bytes) const;
  // A line of the answer.
  void Line(std::string_view text) const;
  void Json(const nlohmann::ordered_json& json) const;
  // What was asked for beside the answer, to standard error.
  void Aside(std::string_view text) const;
  // To people: what is going on. Not with --quiet.
  void Note(std::string_view text) const;

  // Says what went wrong (with --json also as an object) and gives the exit code for it.
  ExitCode Fail(const Error& error) const { return Fail(error, ExitCodeOf(error.code)); }
  ExitCode Fail(const Error& error, ExitCode exit_code) const;
  ExitCode Fail(ExitCode exit_code, std::string_view code_name, std::string_view text) const;

  // Ends the answer: kFailed, with a word on standard error, where a part of it could not be
  // written (a full disk, a reader that left).
  [[nodiscard]] ExitCode Finish(ExitCode exit_code) const;

 private:
  const bool out_is_terminal_;
  const bool err_is_terminal_;
  bool json_ = false;
  bool quiet_ = false;
};

}  // namespace eddy::tools
