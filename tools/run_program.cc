#include "tools/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace eddy::tools {

namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> EnvironmentWith(const Variables& given) {
  std::vector<std::string> all;
  const auto is_given = [&](std::string_view variable) {
    return std::ranges::any_of(
        given, [&](const auto& each) { return variable.starts_with(each.first + "="); });
  };
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("EDDY_") && !is_given(text)) all.emplace_back(text);
  }
  for (const auto& [name, value] : given) all.push_back(fmt::format("{}={}", name, value));
  return all;
}

std::vector<char*> PointersOf(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// All that it says, until it says no more; false when it is too late for that.
bool ReadAll(int from, std::optional<Clock::time_point> deadline, std::string* out) {
  char buffer[4096];
  for (;;) {
    int wait_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      if (left.count() <= 0) return false;
      wait_ms = static_cast<int>(left.count());
    }
    pollfd ready{.fd = from, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, wait_ms) <= 0) continue;  // too late, or interrupted
    const ssize_t count = read(from, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    const auto taken = static_cast<size_t>(count);
    if (out->size() + taken <= kEndedBytesMax) out->append(buffer, taken);
  }
}

}  // namespace

ExecArguments::ExecArguments(std::vector<std::string> words, const Variables& given)
    : words_(std::move(words)),
      variables_(EnvironmentWith(given)),
      argv_(PointersOf(&words_)),
      environment_(PointersOf(&variables_)) {}

void ExecArguments::Exec() const { execve(argv_[0], argv_.data(), environment_.data()); }

std::optional<std::string> FindProgram(const std::string& name) {
  const char* path = getenv("PATH");
  std::string_view left = path == nullptr ? "/usr/bin:/bin" : path;
  while (!left.empty()) {
    const std::string_view directory = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(left.size(), directory.size() + 1));
    std::string file = fmt::format("{}/{}", directory, name);
    if (!directory.empty() && access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

Result<Ended> RunToEnd(const std::vector<std::string>& words, const RunOptions& options) {
  std::vector<std::string> copies = words;
  if (!words[0].contains('/')) {
    auto found = FindProgram(words[0]);
    if (!found) return Fail(Code::kIo, fmt::format("there is no program {} in PATH", words[0]));
    copies[0] = *std::move(found);
  }
  const ExecArguments arguments(std::move(copies), options.environment);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Fail(Code::kIo, "no pipe can be made");
  const pid_t pid = fork();
  if (pid == 0) {
    if (options.max) setpgid(0, 0);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, 0) < 0 || dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0) _exit(127);
    arguments.Exec();
    _exit(127);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return Fail(Code::kIo, "no process can be started: fork failed");
  }
  if (options.max) setpgid(pid, pid);  // as the child does: whoever is first
  std::optional<Clock::time_point> deadline;
  if (options.max) deadline = Clock::now() + *options.max;
  Ended ended;
  const bool in_time = ReadAll(ends[0], deadline, &ended.out);
  close(ends[0]);
  if (!in_time) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return Fail(Code::kTimeout,
                fmt::format("{} had not ended after {:.1f} s", fmt::join(words, " "),
                            std::chrono::duration<double>(*options.max).count()));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) {
    return Fail(Code::kIo, fmt::format("{} cannot be run: is it there, beside eddyctl?", words[0]));
  }
  ended.exit_code = WEXITSTATUS(status);
  return ended;
}

}  // namespace eddy::tools
