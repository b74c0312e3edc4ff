// The directory that holds backups, and the files in it:
//
//   DIR/ID/backup.json   the manifest (tools/backup_manifest.h)
//   DIR/ID/NODE/...      the files of one node's checkpoint: a RocksDB directory
//   DIR/ID.partial/...   a backup that is being made, or whose making was interrupted
//   DIR/.lock            held by whoever makes one
//
// Each backup is whole in itself: what two have in common are hard links, so any of them may be
// deleted. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "tools/backup_manifest.h"

namespace eddy::tools {

inline constexpr const char* kPartialSuffix = ".partial";

struct FoundBackup {
  std::string path;
  Result<BackupManifest> manifest;
};

struct BackupList {
  std::vector<FoundBackup> backups;   // oldest first, that is by the names of their directories
  std::vector<std::string> partials;  // paths, likewise
};

// kInvalidArgument when there is no such directory. `directory` may also be a backup itself.
[[nodiscard]] Result<BackupList> ListBackups(const std::string& directory);
// The one with this id; the newest if it is empty. kInvalidArgument when there is none, or what is
// wrong with its manifest.
[[nodiscard]] Result<FoundBackup> FindBackup(const std::string& directory, const std::string& id);

// Held while a backup is made.
class FolderLock {
 public:
  // Makes the directory where it is missing. kConflict when another process holds it; kIo,
  // kInvalidArgument when the directory cannot be used.
  [[nodiscard]] static Result<FolderLock> Take(const std::string& directory);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// Of a file that is read once, from its beginning. `progress` hears how many bytes more were read;
// false from it ends the reading with kUnavailable.
using ReadProgress = std::function<bool(uint64_t bytes)>;
[[nodiscard]] Result<Digest> HashFile(const std::string& path, const ReadProgress& progress);
// kInvalidArgument: there is none.
[[nodiscard]] Result<std::string> ReadWholeFile(const std::string& path, size_t bytes_max);
// Durable on return, but for its name in the directory.
[[nodiscard]] Status WriteWholeFile(const std::string& path, const std::string& bytes);
// `to` is the same file, or where the file system has no hard links a copy of it.
[[nodiscard]] Status LinkFile(const std::string& from, const std::string& to);
// The names in a directory are on disk.
[[nodiscard]] Status SyncDirectory(const std::string& path);

}  // namespace eddy::tools
