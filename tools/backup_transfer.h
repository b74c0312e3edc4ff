// Brings the checkpoints of all nodes at the same time, each over a connection of its own
// (tools/backup_fetch.h). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "client/address.h"
#include "tools/backup_fetch.h"
#include "tools/command.h"

namespace eddy::tools {

struct BackupSource {
  std::string name;
  NodeId id;
  client::Address address;
  std::unique_ptr<BackupFetch> fetch;
  // As the node says, once it was reached.
  std::string software = {};
  Digest layout = {};
};

// `rate`: bytes a second of all together; 0: as fast as can be. `progress` is called often; false
// from it ends the transfer with kUnavailable. The first node that fails ends it for all, and the
// error names it.
[[nodiscard]] Status TransferBackup(const GlobalOptions& global, uint64_t rate,
                                    const std::function<bool()>& progress,
                                    std::vector<BackupSource>* sources);

// Those nodes that hold something for it let go of the backup; one that cannot be told does so by
// itself.
void ReleaseBackup(const GlobalOptions& global, const std::string& id,
                   const std::vector<BackupSource>& sources);

}  // namespace eddy::tools
