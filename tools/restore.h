// A restore: takes records of a backup in the order of the ring, many at a time, and sends each to
// be joined with what the cluster holds. So nothing newer is overwritten, and restoring the same
// again changes nothing. Knows no socket, file or clock: requests go out through a function, and
// what failed is told to another. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "lattice/record.h"
#include "tools/backup_reader.h"
#include "wire/client_message.h"

namespace eddy::tools {

// The record as encoded records of at most `bytes_max` bytes each, whose join it is: itself, where
// it is no larger. A part is larger only where one sibling, or what the context holds beside the
// siblings, is by itself.
std::vector<std::string> PartsOf(const lattice::Record& record, size_t bytes_max);

struct RestoreOptions {
  wire::QuorumOptions quorum;
  Duration deadline{};  // of each request; zero: the node's default
  size_t window = 128;  // records on their way
  size_t part_bytes_max = wire::kRestoreRecordBytesMax;
  // After so many records in a row that could not be stored for want of a cluster, no more are
  // taken.
  uint64_t failures_in_row_max = 100;
};

struct RestoreCounts {
  uint64_t restored = 0;
  uint64_t tombstones = 0;  // of them
  uint64_t failed = 0;      // not stored for sure, or not all of it; again is no harm
};

class Restore {
 public:
  using Done = std::move_only_function<void(wire::ClientReply)>;
  // Calls `done` exactly once, now or later.
  using Submit = std::function<void(wire::ClientRequest request, Done done)>;
  // `key`: encoded.
  using Failed = std::function<void(const std::string& key, const Error& error)>;

  // Everything that was submitted must be answered before the restore goes.
  Restore(RestoreOptions options, Submit submit, Failed failed);

  bool Ready() const { return under_way_.size() < options_.window && !gave_up(); }
  // Requires Ready(), and a key greater than those before.
  void Take(BackupRecord record);

  bool idle() const { return under_way_.empty(); }
  // The cluster does not answer, and no more records are taken.
  bool gave_up() const { return failures_in_row_ >= options_.failures_in_row_max; }
  const RestoreCounts& counts() const { return counts_; }
  // The least key that failed.
  const std::optional<std::string>& first_failed() const { return first_failed_; }

 private:
  void SendPart(std::string key, bool tombstone, std::vector<std::string> parts, size_t part);
  void Finish(const std::string& key, bool tombstone, const std::optional<Error>& error);

  const RestoreOptions options_;
  const Submit submit_;
  const Failed failed_;

  std::set<std::string> under_way_;  // keys
  RestoreCounts counts_;
  uint64_t failures_in_row_ = 0;
  std::optional<std::string> first_failed_;
};

}  // namespace eddy::tools
