#include "tools/neighbour.h"

#include <cstdlib>
#include <filesystem>

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

}  // namespace eddy::tools
