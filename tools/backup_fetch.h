// The files of one node's checkpoint on their way into a directory: which admin calls to make
// (server/backup_keeper.h), and what becomes of the answers. A table that lies in an earlier backup
// with the same name, size and checksum is linked instead of fetched; both sides' bytes are read
// for that, so what has rotted in an earlier backup is fetched anew. Knows no socket or clock. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/stream_hash.h"
#include "tools/backup_manifest.h"
#include "wire/admin.h"

namespace eddy::tools {

struct BackupFetchOptions {
  std::string id;  // of the backup
  bool supersede = false;
  std::string directory;             // where the files go; exists, and is empty
  std::vector<std::string> earlier;  // where the same files may lie already, best first
  size_t window = 8;                 // calls under way
};

class BackupFetch {
 public:
  explicit BackupFetch(BackupFetchOptions options);
  ~BackupFetch();
  BackupFetch(const BackupFetch&) = delete;
  BackupFetch& operator=(const BackupFetch&) = delete;

  // The next call to make; nothing while enough are under way. The caller gives it an id.
  std::optional<wire::AdminRequest> Next();
  // The answer to the oldest call under way. An error ends the fetch.
  [[nodiscard]] Status Take(const wire::AdminReply& reply);

  // The checkpoint was asked for, so the node may hold it.
  bool begun() const { return begun_; }
  // Its files are known.
  bool listed() const { return listed_; }
  bool done() const { return listed_ && next_file_ == files_.size() && under_way_.empty(); }
  uint64_t bytes_total() const { return bytes_total_; }
  // Of which so many were asked for, and so many have arrived.
  uint64_t bytes_asked() const { return bytes_asked_; }
  uint64_t bytes_fetched() const { return bytes_fetched_; }
  // And so many were there already.
  uint64_t bytes_kept() const { return bytes_kept_; }
  uint64_t files_kept() const { return files_kept_; }
  // Once done.
  const std::vector<BackupFile>& files() const { return files_; }

 private:
  enum class Call : uint8_t { kBegin, kDigest, kRead };
  struct UnderWay {
    Call call;
    size_t file = 0;
    uint64_t offset = 0;
  };

  [[nodiscard]] Status TakeList(const std::string& result);
  [[nodiscard]] Status TakeDigest(size_t file, const std::string& result);
  [[nodiscard]] Status TakeBytes(const UnderWay& call, const std::string& bytes);
  // The next file to be fetched, and whether it may lie there already.
  void Choose();
  // Where a file of this name and size lies.
  std::optional<std::string> EarlierOf(const BackupFile& file) const;
  [[nodiscard]] Status OpenFile(const BackupFile& file);
  [[nodiscard]] Status CloseFile(BackupFile* file);
  std::string PathOf(const BackupFile& file) const { return options_.directory + "/" + file.name; }

  const BackupFetchOptions options_;
  std::deque<UnderWay> under_way_;
  bool begun_ = false;
  bool listed_ = false;
  std::vector<BackupFile> files_;
  // What is asked next: of the file next_file_ the bytes from next_offset_ on; or, while
  // asks_digest_, its checksum; nothing while waits_digest_.
  size_t next_file_ = 0;
  uint64_t next_offset_ = 0;
  bool asks_digest_ = false;
  bool waits_digest_ = false;
  // The file whose bytes are being taken.
  int fd_ = -1;
  StreamHash hash_;

  uint64_t bytes_total_ = 0;
  uint64_t bytes_asked_ = 0;
  uint64_t bytes_fetched_ = 0;
  uint64_t bytes_kept_ = 0;
  uint64_t files_kept_ = 0;
};

}  // namespace eddy::tools
