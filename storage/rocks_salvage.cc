#include "storage/rocks_salvage.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/core.h>
#include <rocksdb/write_batch.h>

#include "base/check.h"
#include "storage/hint_key.h"

namespace eddy::storage {

namespace {

constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr size_t kTokenBytes = sizeof(uint64_t);

std::string MarkerOf(const std::string& directory) { return directory + "/SALVAGE"; }

Status SyncDirectory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (synced) return {};
  return Fail(Code::kIo, fmt::format("cannot sync the data directory {}", directory));
}

Status ToIo(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return Fail(Code::kIo, status.ToString());
}

// A space being copied.
class Copy {
 public:
  Copy(rocksdb::DB* db, Space space, rocksdb::ColumnFamilyHandle* from,
       rocksdb::ColumnFamilyHandle* to)
      : db_(db), token_at_(space == Space::kHints ? kHintOwnerBytes : 0), from_(from), to_(to) {}

  // `*unreadable`: the ranges of tokens in which something was, or may have been, that could not be
  // read.
  Status Run(std::set<TokenRange>* unreadable) {
    for (;;) {
      bool readable = false;
      if (Status copied = CopyWhatFollows(&readable); !copied.has_value()) return copied;
      if (readable) break;
      const std::string bad_from = position_;
      const bool more = Skip();
      const TokenRange last =
          more ? TokenRangeOf(TokenAt(position_))
               : std::numeric_limits<TokenRange>::max() >> (16 - kTokenRangeBits);
      for (uint32_t range = TokenRangeOf(TokenAt(bad_from)); range <= last; ++range) {
        unreadable->insert(static_cast<TokenRange>(range));
      }
      if (!more) break;
    }
    return ToIo(db_->Flush(rocksdb::FlushOptions(), to_));
  }

 private:
  uint64_t TokenAt(const std::string& key) const {
    uint64_t token = 0;
    for (size_t i = 0; i < kTokenBytes; ++i) {
      const size_t at = token_at_ + i;
      token = token << 8 | (at < key.size() ? static_cast<uint8_t>(key[at]) : 0u);
    }
    return token;
  }

  std::unique_ptr<rocksdb::Iterator> NewIterator() const {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, from_));
  }

  // All from position_ on, which follows what was copied; `*readable`: up to the end.
  Status CopyWhatFollows(bool* readable) {
    const auto row = NewIterator();
    rocksdb::WriteBatch batch;
    // Nothing is acknowledged by it, and all is flushed in the end.
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    for (row->Seek(position_); row->Valid(); row->Next()) {
      if (const auto put = batch.Put(to_, row->key(), row->value()); !put.ok()) return ToIo(put);
      position_ = row->key().ToString() + '\0';
      if (batch.GetDataSize() < kBatchBytes) continue;
      if (const auto written = db_->Write(unlogged, &batch); !written.ok()) return ToIo(written);
      batch.Clear();
    }
    *readable = row->status().ok();
    return ToIo(db_->Write(unlogged, &batch));
  }

  bool IsReadable(const std::string& key) const {
    const auto row = NewIterator();
    row->Seek(key);
    return row->status().ok();
  }

  // From a position that cannot be read to the next one that can, to within a token; false: there
  // is none.
  bool Skip() {
    std::string head = position_.substr(0, token_at_);
    head.resize(token_at_, '\0');
    const auto key_at = [&](uint64_t token) {
      std::string key = head;
      for (size_t i = kTokenBytes; i-- > 0;) key += static_cast<char>(token >> (8 * i));
      return key;
    };
    const uint64_t bad_from = TokenAt(position_);
    uint64_t bad = bad_from;
    std::optional<uint64_t> good;
    for (uint64_t step = 1; !good; step *= 2) {
      const uint64_t left = std::numeric_limits<uint64_t>::max() - bad_from;
      const uint64_t next = bad_from + std::min(step, left);
      if (next > bad && IsReadable(key_at(next))) good = next;
      if (!good) bad = next;
      if (step > left / 2) break;
    }
    if (!good) return SkipHead(std::move(head));
    while (*good - bad > 1) {
      const uint64_t middle = bad + (*good - bad) / 2;
      (IsReadable(key_at(middle)) ? *good : bad) = middle;
    }
    position_ = key_at(*good);
    return true;
  }

  // Behind everything with this head.
  bool SkipHead(std::string head) {
    for (size_t i = head.size(); i-- > 0;) {
      head[i] = static_cast<char>(static_cast<uint8_t>(head[i]) + 1);
      if (head[i] == '\0') continue;
      position_ = std::move(head);
      return true;
    }
    return false;
  }

  rocksdb::DB* const db_;
  const size_t token_at_;
  rocksdb::ColumnFamilyHandle* const from_;
  rocksdb::ColumnFamilyHandle* const to_;
  std::string position_;
};

Status Drop(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family) {
  const Status dropped = ToIo(db->DropColumnFamily(family));
  if (dropped.has_value()) CHECK(db->DestroyColumnFamilyHandle(family).ok());
  return dropped;
}

}  // namespace

std::string OtherFamilyName(std::string_view space) { return std::string(space) + ".b"; }

Status AskForSalvage(const std::string& directory) {
  const int fd = ::open(MarkerOf(directory).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  const bool made = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!made) return Fail(Code::kIo, fmt::format("cannot make {}", MarkerOf(directory)));
  return SyncDirectory(directory);
}

bool SalvageIsAskedFor(const std::string& directory) {
  std::error_code ignored;
  return std::filesystem::exists(MarkerOf(directory), ignored);
}

Status SalvageIsDone(const std::string& directory) {
  if (::unlink(MarkerOf(directory).c_str()) != 0) {
    return Fail(Code::kIo, fmt::format("cannot remove {}", MarkerOf(directory)));
  }
  return SyncDirectory(directory);
}

Status MarkDamaged(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta,
                   const std::vector<TokenRange>& ranges) {
  rocksdb::WriteBatch batch;
  for (const TokenRange range : ranges) {
    const auto put = batch.Put(meta, DamageRowKey(range), DamageRowValue(range));
    if (!put.ok()) return ToIo(put);
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  return ToIo(db->Write(synced, &batch));
}

Status Salvage(rocksdb::DB* db, const rocksdb::ColumnFamilyOptions& options,
               const std::vector<rocksdb::ColumnFamilyHandle*>& leftovers, SpaceHandles* spaces,
               std::vector<TokenRange>* damaged) {
  for (rocksdb::ColumnFamilyHandle* leftover : leftovers) {
    if (Status dropped = Drop(db, leftover); !dropped.has_value()) return dropped;
  }
  for (const Space space : {Space::kData, Space::kHints}) {
    rocksdb::ColumnFamilyHandle*& family = (*spaces)[static_cast<size_t>(space)];
    const std::string_view name = kSpaceNames[static_cast<size_t>(space)];
    rocksdb::ColumnFamilyHandle* fresh = nullptr;
    const auto made = db->CreateColumnFamily(
        options, family->GetName() == name ? OtherFamilyName(name) : std::string(name), &fresh);
    if (!made.ok()) return ToIo(made);
    std::set<TokenRange> unreadable;
    Status copied = Copy(db, space, family, fresh).Run(&unreadable);
    // Of hints it is the owners who notice.
    if (copied.has_value() && space == Space::kData) {
      damaged->assign(unreadable.begin(), unreadable.end());
      copied = MarkDamaged(db, (*spaces)[static_cast<size_t>(Space::kMeta)], *damaged);
    }
    if (copied.has_value()) copied = Drop(db, family);
    if (!copied.has_value()) {
      CHECK(db->DestroyColumnFamilyHandle(fresh).ok());
      return copied;
    }
    family = fresh;
  }
  return {};
}

}  // namespace eddy::storage
