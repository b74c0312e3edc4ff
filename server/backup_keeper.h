// The checkpoint of its data that a node holds for a backup, and the admin calls by which eddyctl
// takes it away file by file:
//
//   backup.begin    id, supersede (false if it is missing): makes the checkpoint, and gives its
//                   files (name, bytes); again with the same id: gives them again
//   backup.digest   id, file: the XXH3-128 of the file
//   backup.read     id, file, offset: the bytes from there on as the reply's data, as many as it
//                   holds; fewer at the file's end
//   backup.release  id: drops it
//   backup.show     what is held, if anything is
//
// One at a time, under backup/ in the data directory, where its hard links keep tables from being
// deleted. So it goes when it is released, when nobody has asked for it for a while, when the disk
// is nearly full, and at every start.
//
// Everything touches the disk and runs on one thread beside the loop's (server/inspector.h); only
// holds() may be called from any.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/time.h"
#include "wire/admin.h"

namespace eddy::server {

inline constexpr std::array<std::string_view, 5> kBackupCalls = {
    "backup.begin", "backup.digest", "backup.read", "backup.release", "backup.show"};
inline bool IsBackupCall(std::string_view call) {
  return std::ranges::find(kBackupCalls, call) != kBackupCalls.end();
}

class BackupKeeper {
 public:
  // After this long without a question it is dropped; and so long nobody else's takes its place,
  // unless that is asked for.
  static constexpr Duration kUnaskedMax = std::chrono::minutes(15);
  static constexpr Duration kTakenFor = std::chrono::minutes(1);
  // 1 to 64 of [A-Za-z0-9._-], and no dot in front.
  static bool IsId(std::string_view id);

  // Makes a checkpoint in a directory that does not exist; see RocksEngine::Checkpoint.
  using Make = std::function<Status(const std::string& directory)>;
  // `make`: null where the node has nothing on disk.
  BackupKeeper(const std::string& data_dir, Make make);
  BackupKeeper(const BackupKeeper&) = delete;
  BackupKeeper& operator=(const BackupKeeper&) = delete;

  // What an earlier life of the process has left.
  void RemoveLeftovers();
  // `no_room`: why nothing may be begun now. Requires IsBackupCall; errors are the reply's.
  wire::AdminReply Run(const wire::AdminRequest& request, MonotonicTime now,
                       const std::optional<Error>& no_room);
  // Drops what nobody has asked for.
  void DropUnasked(MonotonicTime now);
  // Drops whatever is held; `why` is what whoever asks for it is told. True: something was.
  bool Drop(std::string why);

  // Any thread.
  bool holds() const { return holds_; }

 private:
  struct Held {
    std::string id;
    MonotonicTime made_at;
    MonotonicTime asked_at;
    std::map<std::string, uint64_t> files;  // sizes by name
    uint64_t bytes = 0;
  };
  using Answer = Result<nlohmann::ordered_json>;

  Answer Dispatch(const wire::AdminRequest& request, MonotonicTime now,
                  const std::optional<Error>& no_room, std::string* data);
  Answer Begin(const nlohmann::ordered_json& arguments, MonotonicTime now,
               const std::optional<Error>& no_room);
  Answer Digest(const nlohmann::ordered_json& arguments, MonotonicTime now);
  Answer Read(const nlohmann::ordered_json& arguments, MonotonicTime now, std::string* data);
  Answer Release(const nlohmann::ordered_json& arguments);
  Answer Show(const nlohmann::ordered_json& arguments, MonotonicTime now) const;
  // The held one, if the arguments name it; kConflict, saying what has become of it, if not.
  [[nodiscard]] Status Ask(const nlohmann::ordered_json& arguments, MonotonicTime now);
  // Likewise one of its files.
  [[nodiscard]] Result<std::string> AskFile(const nlohmann::ordered_json& arguments,
                                            MonotonicTime now);
  [[nodiscard]] Status ListFiles(Held* held) const;
  [[nodiscard]] Status Remove();
  std::string DirectoryOf(const std::string& id) const { return directory_ + "/" + id; }

  const std::string directory_;
  const Make make_;

  std::optional<Held> held_;
  std::string dropped_;  // why the last one is not held any more
  std::atomic<bool> holds_ = false;
};

}  // namespace eddy::server
