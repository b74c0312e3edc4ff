#include "server/backup_keeper.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/core.h>

#include "base/ids.h"
#include "base/stream_hash.h"
#include "server/admin_calls.h"

namespace eddy::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kIdBytesMax = 64;

int64_t Seconds(Duration duration) { return duration / std::chrono::seconds(1); }

Result<std::string> TextOf(const Json& arguments, const char* name) {
  const auto found = arguments.find(name);
  if (found == arguments.end() || !found->is_string()) {
    return Fail(Code::kInvalidArgument, fmt::format("{} must be given, as a string", name));
  }
  return found->get<std::string>();
}

Result<std::string> IdOf(const Json& arguments) {
  auto id = TextOf(arguments, "id");
  if (id && !BackupKeeper::IsId(*id)) {
    return Fail(
        Code::kInvalidArgument,
        fmt::format("an id is 1 to {} of [A-Za-z0-9._-], with no dot in front", kIdBytesMax));
  }
  return id;
}

Error SystemError(const std::string& what) {
  return {Code::kIo, fmt::format("{}: {}", what, std::strerror(errno))};
}

// A file that is read from a place on; closed with it.
class File {
 public:
  explicit File(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Up to wire::kAdminDataBytesMax bytes; fewer at the end of the file.
  [[nodiscard]] Status Read(uint64_t offset, std::string* bytes) const {
    if (fd_ < 0) return std::unexpected(SystemError("cannot open " + path_));
    bytes->resize(wire::kAdminDataBytesMax);
    size_t done = 0;
    while (done < bytes->size()) {
      const ssize_t got = ::pread(fd_, bytes->data() + done, bytes->size() - done,
                                  static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(SystemError("cannot read " + path_));
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    bytes->resize(done);
    return {};
  }

 private:
  const std::string path_;
  const int fd_;
};

}  // namespace

bool BackupKeeper::IsId(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && id.front() != '.' &&
         std::ranges::all_of(id, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

BackupKeeper::BackupKeeper(const std::string& data_dir, Make make)
    : directory_(data_dir + "/backup"),
      make_(std::move(make)),
      dropped_("it has begun none since its start") {}

void BackupKeeper::RemoveLeftovers() {
  // What cannot be removed now is in nobody's way, and a Begin says so.
  if (make_) (void)Remove();
}

Status BackupKeeper::Remove() {
  std::error_code error;
  fs::remove_all(directory_, error);
  if (!error) return {};
  return Fail(Code::kIo, fmt::format("cannot remove {}: {}", directory_, error.message()));
}

wire::AdminReply BackupKeeper::Run(const wire::AdminRequest& request, MonotonicTime now,
                                   const std::optional<Error>& no_room) {
  std::string data;
  const Answer answer = Dispatch(request, now, no_room, &data);
  wire::AdminReply reply = AdminReplyOf(request, answer);
  if (!reply.error) reply.data = std::move(data);
  return reply;
}

BackupKeeper::Answer BackupKeeper::Dispatch(const wire::AdminRequest& request, MonotonicTime now,
                                            const std::optional<Error>& no_room,
                                            std::string* data) {
  const Answer arguments = AdminArgumentsOf(request);
  if (!arguments) return arguments;
  if (!make_) {
    return Fail(Code::kUnsupported,
                "this node keeps its data in memory alone (engine = \"memory\"), and has no files "
                "that could be backed up; eddyctl export reads its keys");
  }
  if (request.call == "backup.begin") return Begin(*arguments, now, no_room);
  if (request.call == "backup.digest") return Digest(*arguments, now);
  if (request.call == "backup.read") return Read(*arguments, now, data);
  if (request.call == "backup.release") return Release(*arguments);
  return Show(*arguments, now);
}

BackupKeeper::Answer BackupKeeper::Begin(const Json& arguments, MonotonicTime now,
                                         const std::optional<Error>& no_room) {
  if (Status ok = CheckAdminNames(arguments, {"id", "supersede"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto id = IdOf(arguments);
  if (!id) return std::unexpected(id.error());
  const Json supersede = arguments.value("supersede", Json(false));
  if (!supersede.is_boolean()) {
    return Fail(Code::kInvalidArgument, "supersede must be true or false");
  }
  if (held_ && held_->id != *id) {
    const Duration unasked = now - held_->asked_at;
    if (unasked < kTakenFor && !supersede.get<bool>()) {
      return Fail(Code::kConflict,
                  fmt::format("this node holds the backup {} of somebody who asked for it {} s "
                              "ago: wait for that one to end, or take its place with --supersede",
                              held_->id, Seconds(unasked)));
    }
  }
  if (!held_ || held_->id != *id) {
    if (no_room) return std::unexpected(*no_room);
    Drop(fmt::format("another one, {}, has taken its place", *id));
    if (Status removed = Remove(); !removed) return std::unexpected(removed.error());
    std::error_code error;
    if (fs::create_directory(directory_, error); error) {
      return Fail(Code::kIo, fmt::format("cannot make {}: {}", directory_, error.message()));
    }
    Held held{.id = *id, .made_at = now, .asked_at = now, .files = {}};
    Status made = make_(DirectoryOf(*id));
    if (made) made = ListFiles(&held);
    if (!made) {
      (void)Remove();
      return std::unexpected(made.error());
    }
    held_ = std::move(held);
    holds_ = true;
  }
  held_->asked_at = now;
  Json files = Json::array();
  for (const auto& [name, bytes] : held_->files) {
    files.push_back({{"name", name}, {"bytes", bytes}});
  }
  return Json{{"id", *id}, {"files", std::move(files)}};
}

Status BackupKeeper::ListFiles(Held* held) const {
  std::error_code error;
  for (fs::directory_iterator entry(DirectoryOf(held->id), error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const uint64_t bytes = entry->file_size(error);
    if (error) break;
    held->files.emplace(entry->path().filename().string(), bytes);
    held->bytes += bytes;
  }
  if (!error) return {};
  return Fail(Code::kIo, fmt::format("cannot list {}: {}", DirectoryOf(held->id), error.message()));
}

Status BackupKeeper::Ask(const Json& arguments, MonotonicTime now) {
  const auto id = IdOf(arguments);
  if (!id) return std::unexpected(id.error());
  if (held_ && held_->id == *id) {
    held_->asked_at = now;
    return {};
  }
  return Fail(Code::kConflict,
              fmt::format("this node does not hold the backup {} any more: {}", *id,
                          held_ ? fmt::format("it holds {}", held_->id) : dropped_));
}

Result<std::string> BackupKeeper::AskFile(const Json& arguments, MonotonicTime now) {
  if (Status held = Ask(arguments, now); !held) return std::unexpected(held.error());
  auto file = TextOf(arguments, "file");
  if (file && !held_->files.contains(*file)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("the backup {} has no file of that name", held_->id));
  }
  return file;
}

BackupKeeper::Answer BackupKeeper::Digest(const Json& arguments, MonotonicTime now) {
  if (Status ok = CheckAdminNames(arguments, {"id", "file"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto file = AskFile(arguments, now);
  if (!file) return std::unexpected(file.error());
  const File opened(DirectoryOf(held_->id) + "/" + *file);
  StreamHash hash;
  std::string bytes;
  for (uint64_t offset = 0;; offset += bytes.size()) {
    if (Status read = opened.Read(offset, &bytes); !read) return std::unexpected(read.error());
    hash.Add(bytes);
    if (bytes.size() < wire::kAdminDataBytesMax) break;
  }
  const eddy::Digest digest = hash.digest();
  return Json{{"xxh3", IdToHex(digest.high, digest.low)}};
}

BackupKeeper::Answer BackupKeeper::Read(const Json& arguments, MonotonicTime now,
                                        std::string* data) {
  if (Status ok = CheckAdminNames(arguments, {"id", "file", "offset"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto file = AskFile(arguments, now);
  if (!file) return std::unexpected(file.error());
  const auto offset = NumberWithin(arguments, "offset", 0, held_->files.at(*file));
  if (!offset) return std::unexpected(offset.error());
  const File opened(DirectoryOf(held_->id) + "/" + *file);
  if (Status read = opened.Read(offset->value_or(0), data); !read) {
    return std::unexpected(read.error());
  }
  return Json::object();
}

BackupKeeper::Answer BackupKeeper::Release(const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"id"}); !ok) return std::unexpected(ok.error());
  const auto id = IdOf(arguments);
  if (!id) return std::unexpected(id.error());
  const bool released = held_ && held_->id == *id && Drop("it was released");
  return Json{{"released", released}};
}

BackupKeeper::Answer BackupKeeper::Show(const Json& arguments, MonotonicTime now) const {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  if (!held_) return Json{{"held", nullptr}, {"why", dropped_}};
  return Json{{"held",
               {{"id", held_->id},
                {"files", held_->files.size()},
                {"bytes", held_->bytes},
                {"made_seconds_ago", Seconds(now - held_->made_at)},
                {"asked_seconds_ago", Seconds(now - held_->asked_at)}}}};
}

void BackupKeeper::DropUnasked(MonotonicTime now) {
  if (!held_ || now - held_->asked_at < kUnaskedMax) return;
  Drop(fmt::format("nobody asked for it for {} minutes", kUnaskedMax / std::chrono::minutes(1)));
}

bool BackupKeeper::Drop(std::string why) {
  if (!held_) return false;
  dropped_ = std::move(why);
  held_.reset();
  // What cannot be removed stays until the next one begins, or the next start.
  (void)Remove();
  holds_ = false;
  return true;
}

}  // namespace eddy::server
