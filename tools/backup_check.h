// Whether a backup is what its manifest says: every file's size and checksum, and every row's own
// checksum in the directory that the files of a node make (storage/inspection.h). Reads everything
// and changes nothing. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/inspection.h"
#include "tools/backup_manifest.h"

namespace eddy::tools {

struct BackupFlaw {
  std::string where;  // "n2/000017.sst", or a key of a node
  std::string what;

  friend bool operator==(const BackupFlaw&, const BackupFlaw&) = default;
};

// Hears how many more bytes were read; false: enough, and what was found by then is the result.
using CheckProgress = std::function<bool(uint64_t bytes)>;

// In the order of the manifest. Files that it does not know are no flaw of it.
std::vector<BackupFlaw> CheckFiles(const std::string& path, const BackupManifest& manifest,
                                   const CheckProgress& progress);

// The rows of one node's directory. kCorruption, kInvalidArgument, kIo: it is none that can be
// read; kWrongCluster: it is not this node's. `directory`: the files'.
struct CheckedRows {
  BackupRows rows;
  std::vector<BackupFlaw> flaws;  // the first ones, and where there are more how many
};
[[nodiscard]] Result<CheckedRows> CheckRows(const std::string& directory,
                                            const std::string& cluster, const BackupNode& node,
                                            const CheckProgress& progress);

}  // namespace eddy::tools
