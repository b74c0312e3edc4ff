// The records of a backup in the order of the ring, each once: what the directories of its nodes
// hold under one key, and the hints that they keep of it for others, joined as replicas would. So
// no more is left out than what no node held, and each key is restored by one write. Reads page by
// page, and changes nothing. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "lattice/record.h"
#include "storage/engine.h"
#include "storage/store.h"
#include "tools/backup_check.h"

namespace eddy::tools {

struct BackupRecord {
  std::string key;  // encoded (storage/key.h)
  lattice::Record record;
};

class BackupReader {
 public:
  struct Directory {
    std::string name;  // of the node
    std::unique_ptr<storage::Engine> engine;
  };

  // `from`: the key to begin at (storage/key.h). An error where a directory cannot be looked
  // through.
  [[nodiscard]] static Result<BackupReader> Open(std::vector<Directory> directories,
                                                 const std::string& from);

  // nullopt: that was all. What cannot be read is left out, and is one of the flaws.
  std::optional<BackupRecord> Next();

  // Rows that were read by now, the copies of a key each for itself.
  uint64_t rows() const { return rows_; }
  uint64_t flaw_count() const { return flaw_count_; }
  // The first ones.
  const std::vector<BackupFlaw>& flaws() const { return flaws_; }

 private:
  static constexpr size_t kFlawsMax = 10;

  // The records of one directory, or its hints for one owner: in order, too.
  struct Source {
    size_t directory = 0;
    std::optional<NodeId> hint_owner;
    std::deque<storage::ScannedRow> rows;
    std::string next;  // where the next page begins; empty: there is none
  };

  explicit BackupReader(std::vector<Directory> directories)
      : directories_(std::move(directories)) {}
  [[nodiscard]] Status FindHintOwners(size_t directory, const std::string& from);
  void Fill(Source* source);
  void Flaw(std::string where, std::string what);

  std::vector<Directory> directories_;
  std::vector<Source> sources_;
  uint64_t rows_ = 0;
  uint64_t flaw_count_ = 0;
  std::vector<BackupFlaw> flaws_;
};

}  // namespace eddy::tools
