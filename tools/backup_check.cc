#include "tools/backup_check.h"

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "storage/identity.h"
#include "storage/key.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_log_check.h"
#include "storage/rocks_salvage.h"
#include "tools/backup_folder.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

std::string NameOf(const storage::BadRow& row) {
  const std::string_view space = storage::kSpaceNames[static_cast<size_t>(row.space)];
  std::string_view key = row.key;
  if (row.space == storage::Space::kHints && key.size() > 16) key.remove_prefix(16);
  if (const auto named = storage::DecodeKey(key)) {
    return fmt::format("{}, key {} of bucket {}", space, Quoted(named->key), Quoted(named->bucket));
  }
  return fmt::format("{}, row {}", space, Quoted(row.key));
}

}  // namespace

std::vector<BackupFlaw> CheckFiles(const std::string& path, const BackupManifest& manifest,
                                   const CheckProgress& progress) {
  std::vector<BackupFlaw> flaws;
  bool ended = false;
  const auto read = [&](uint64_t bytes) {
    ended = !progress(bytes);
    return !ended;
  };
  for (const BackupNode& node : manifest.nodes) {
    for (const BackupFile& file : node.files) {
      const std::string where = node.name + "/" + file.name;
      const std::string whole = path + "/" + where;
      std::error_code error;
      const uint64_t bytes = std::filesystem::file_size(whole, error);
      if (error) {
        flaws.push_back({where, error.message()});
        continue;
      }
      if (bytes != file.bytes) {
        flaws.push_back({where, fmt::format("has {} bytes, and had {}", bytes, file.bytes)});
        continue;
      }
      const auto digest = HashFile(whole, read);
      if (ended) return flaws;
      if (!digest) {
        flaws.push_back({where, digest.error().text});
      } else if (*digest != file.xxh3) {
        flaws.push_back({where, "its checksum is wrong"});
      }
    }
  }
  return flaws;
}

Result<CheckedRows> CheckRows(const std::string& directory, const std::string& cluster,
                              const BackupNode& node, const CheckProgress& progress) {
  const auto engine = storage::RocksEngine::OpenToRead(directory);
  if (!engine) return std::unexpected(engine.error());
  const auto identity = storage::PeekIdentity(engine->get());
  if (!identity) return std::unexpected(identity.error());
  if (identity->cluster != cluster || identity->node != node.id) {
    return Fail(Code::kWrongCluster, fmt::format("holds the files of node {} of cluster {}",
                                                 identity->name, identity->cluster));
  }
  const Result<bool> log_rotted = storage::LogsHaveRotted(directory);
  if (!log_rotted) return std::unexpected(log_rotted.error());

  uint64_t before = 0;
  const storage::Inspection found = storage::Inspect(engine->get(), [&](uint64_t, uint64_t bytes) {
    return progress(bytes - std::exchange(before, bytes));
  });
  CheckedRows checked;
  for (const auto& [bucket, inspection] : found.buckets) {
    checked.rows.records += inspection.records;
    checked.rows.tombstones += inspection.tombstones;
  }
  for (const auto& [owner, hints] : found.hints) checked.rows.hints += hints.rows;
  checked.rows.bad = found.bad_rows;
  for (const storage::BadRow& row : found.first_bad) {
    checked.flaws.push_back({fmt::format("{}: {}", node.name, NameOf(row)), row.why});
  }
  if (found.bad_rows > found.first_bad.size()) {
    checked.flaws.push_back(
        {node.name,
         fmt::format("and {} more rows", FormatCount(found.bad_rows - found.first_bad.size()))});
  }
  for (const auto& [space, why] : found.unreadable) {
    checked.flaws.push_back(
        {fmt::format("{}: {}", node.name, storage::kSpaceNames[static_cast<size_t>(space)]),
         "cannot be read to its end: " + why});
  }
  if (*log_rotted) checked.flaws.push_back({node.name, "its write-ahead log is damaged"});
  return checked;
}

}  // namespace eddy::tools
