#include "tools/neighbour.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

namespace eddy::tools {

namespace fs = std::filesystem;

std::string NeighbourEddyd() {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  return failed ? "eddyd" : (self.parent_path() / "eddyd").string();
}

Result<std::string> MakeTemporaryDirectory(const std::string& prefix) {
  std::error_code failed;
  std::string name = (fs::temp_directory_path(failed) / (prefix + "-XXXXXX")).string();
  if (failed || mkdtemp(name.data()) == nullptr) {
    return Fail(Code::kIo, "no temporary directory can be made: is TMPDIR one that exists?");
  }
  return name;
}

Result<Ended> RunToEnd(const std::vector<std::string>& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Fail(Code::kIo, "no pipe can be made");
  std::vector<std::string> copies = words;
  std::vector<char*> argv;
  for (std::string& word : copies) argv.push_back(word.data());
  argv.push_back(nullptr);
  // In the daemon's environment EDDY_ variables are settings, and here they are for this program.
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("EDDY_")) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, 0) < 0 || dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0) _exit(127);
    execve(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  close(ends[1]);
  Ended ended;
  char buffer[4096];
  ssize_t count = 0;
  while (pid > 0 && ((count = read(ends[0], buffer, sizeof(buffer))) > 0 || errno == EINTR)) {
    if (count <= 0) continue;
    const auto taken = static_cast<size_t>(count);
    if (ended.out.size() + taken <= kEndedBytesMax) ended.out.append(buffer, taken);
  }
  close(ends[0]);
  if (pid < 0) return Fail(Code::kIo, "no process can be started: fork failed");
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) {
    return Fail(Code::kIo, fmt::format("{} cannot be run: is it there, beside eddyctl?", words[0]));
  }
  ended.exit_code = WEXITSTATUS(status);
  return ended;
}

}  // namespace eddy::tools
