// What a backup is: whose, of when, and its files with their checksums. It is the last thing that
// is written of a backup, so what has one is whole. docs/formats.md has its grammar. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"

namespace eddy::tools {

inline constexpr const char* kManifestName = "backup.json";
inline constexpr uint64_t kBackupFormat = 1;
inline constexpr size_t kManifestBytesMax = size_t{256} << 20;

struct BackupFile {
  std::string name;
  uint64_t bytes = 0;
  Digest xxh3;

  friend bool operator==(const BackupFile&, const BackupFile&) = default;
};

// What was counted when the rows were read.
struct BackupRows {
  uint64_t records = 0;  // tombstones included
  uint64_t tombstones = 0;
  uint64_t hints = 0;
  uint64_t bad = 0;  // rows that cannot be trusted

  friend bool operator==(const BackupRows&, const BackupRows&) = default;
};

struct BackupNode {
  std::string name;  // and that of its directory
  NodeId id;
  std::string software;
  std::optional<BackupRows> rows;  // nullopt: they were not read
  std::vector<BackupFile> files;

  uint64_t bytes() const;
  friend bool operator==(const BackupNode&, const BackupNode&) = default;
};

struct BackupManifest {
  std::string id;
  WallTime created_at;  // when its first checkpoint was asked for
  std::string software;
  std::string cluster;
  uint64_t layout_version = 0;
  Digest layout;
  uint32_t partitions = 0;
  std::vector<BackupNode> nodes;
  std::vector<std::string> without;  // members that were left out on purpose

  uint64_t bytes() const;
  // Absent where one node's are.
  std::optional<BackupRows> rows() const;
  friend bool operator==(const BackupManifest&, const BackupManifest&) = default;
};

// Of a backup, a node or a file, and safe as a name in a directory: 1 to 255 of [A-Za-z0-9._-], and
// no dot in front.
bool IsBackupName(std::string_view name);

// As the manifest and --json show them; null where they were not read.
nlohmann::ordered_json RowsObject(const std::optional<BackupRows>& rows);

// For people as well, so with line breaks.
std::string EncodeManifest(const BackupManifest& manifest);
// kWrongCluster for a newer format; kCorruption for anything that EncodeManifest would not have
// written, line breaks and blanks apart.
[[nodiscard]] Result<BackupManifest> DecodeManifest(std::string_view text);

}  // namespace eddy::tools
