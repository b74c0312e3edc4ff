#include "tools/backup_reader.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "storage/scan.h"
#include "tools/text.h"

namespace eddy::tools {

Result<BackupReader> BackupReader::Open(std::vector<Directory> directories,
                                        const std::string& from) {
  BackupReader reader(std::move(directories));
  for (size_t i = 0; i < reader.directories_.size(); ++i) {
    reader.sources_.push_back({.directory = i, .hint_owner = {}, .rows = {}, .next = from});
    if (Status found = reader.FindHintOwners(i, from); !found) {
      return std::unexpected(found.error());
    }
  }
  for (Source& source : reader.sources_) reader.Fill(&source);
  return reader;
}

Status BackupReader::FindHintOwners(size_t directory, const std::string& from) {
  std::string at;
  for (;;) {
    std::optional<NodeId> owner;
    const Status scanned = directories_[directory].engine->Scan(
        storage::Space::kHints, at, {}, [&](std::string_view key, std::string_view) {
          if (const auto hint = storage::DecodeHintKey(key)) {
            owner = hint->owner;
          } else {
            Flaw(directories_[directory].name, "a hint's key is damaged");
          }
          return !owner.has_value();
        });
    if (!scanned) {
      return Fail(scanned.error().code,
                  fmt::format("node {}: {}", directories_[directory].name, scanned.error().text));
    }
    if (!owner) return {};
    sources_.push_back({.directory = directory, .hint_owner = owner, .rows = {}, .next = from});
    at = storage::EndOfHints(*owner);
    if (at.empty()) return {};
  }
}

void BackupReader::Fill(Source* source) {
  Directory& directory = directories_[source->directory];
  while (source->rows.empty() && !source->next.empty()) {
    storage::StoreResult page =
        storage::ScanPage(directory.engine.get(), {.id = 0,
                                                   .key = std::move(source->next),
                                                   .action = storage::ScanVerb{.end = {}},
                                                   .hint_owner = source->hint_owner});
    source->next = std::move(page.next);
    if (!page.record) {
      // What follows is left to the other nodes' copies.
      Flaw(directory.name, "cannot be read to its end: " + page.record.error().text);
      source->next.clear();
      return;
    }
    for (storage::ScannedRow& row : page.rows) {
      ++rows_;
      if (row.record) {
        source->rows.push_back(std::move(row));
        continue;
      }
      const auto named = storage::DecodeKey(row.key);
      Flaw(named ? fmt::format("{}: key {} of bucket {}", directory.name, Quoted(named->key),
                               Quoted(named->bucket))
                 : directory.name,
           row.record.error().text);
    }
  }
}

std::optional<BackupRecord> BackupReader::Next() {
  for (;;) {
    const std::string* least = nullptr;
    for (const Source& source : sources_) {
      if (source.rows.empty()) continue;
      if (least == nullptr || source.rows.front().key < *least) least = &source.rows.front().key;
    }
    if (least == nullptr) return std::nullopt;
    BackupRecord joined{.key = *least, .record = {}};
    for (Source& source : sources_) {
      if (source.rows.empty() || source.rows.front().key != joined.key) continue;
      const storage::ScannedRow row = std::move(source.rows.front());
      source.rows.pop_front();
      Fill(&source);
      if (const auto record = storage::DecodeRecord(*row.record)) {
        joined.record.Join(*record);
      } else {
        Flaw(directories_[source.directory].name, record.error().text);
      }
    }
    if (!joined.record.empty()) return joined;
  }
}

void BackupReader::Flaw(std::string where, std::string what) {
  ++flaw_count_;
  if (flaws_.size() < kFlawsMax) flaws_.push_back({std::move(where), std::move(what)});
}

}  // namespace eddy::tools
