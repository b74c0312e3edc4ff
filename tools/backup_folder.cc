#include "tools/backup_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/stream_hash.h"

namespace eddy::tools {

namespace {

namespace fs = std::filesystem;

constexpr size_t kReadBytes = size_t{1} << 20;

std::unexpected<Error> SystemError(const std::string& what, const std::string& path) {
  return Fail(Code::kIo, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Reads until `take` says false.
Status ReadFile(const std::string& path, const std::function<bool(std::string_view)>& take) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    return Fail(Code::kInvalidArgument, fmt::format("there is no file {}", path));
  }
  if (file.fd() < 0) return SystemError("open", path);
  const auto buffer = std::make_unique<char[]>(kReadBytes);
  for (;;) {
    const ssize_t got = ::read(file.fd(), buffer.get(), kReadBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path);
    if (got == 0 || !take({buffer.get(), static_cast<size_t>(got)})) return {};
  }
}

FoundBackup Look(const std::string& path) {
  const auto text = ReadWholeFile(path + "/" + kManifestName, kManifestBytesMax);
  if (!text) return {.path = path, .manifest = std::unexpected(text.error())};
  auto manifest = DecodeManifest(*text);
  if (!manifest) {
    return {.path = path,
            .manifest =
                Fail(manifest.error().code, fmt::format("{}: {}", path, manifest.error().text))};
  }
  return {.path = path, .manifest = std::move(manifest)};
}

}  // namespace

Result<BackupList> ListBackups(const std::string& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("there is no directory {}: check the path", directory));
  }
  BackupList list;
  if (fs::exists(fs::path(directory) / kManifestName, error)) {
    list.backups.push_back(Look(directory));
    return list;
  }
  std::vector<std::string> paths;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::string path = entry->path().string();
    if (!IsBackupName(name) || !entry->is_directory()) continue;
    if (name.ends_with(kPartialSuffix)) {
      list.partials.push_back(path);
    } else if (std::error_code ignored; fs::exists(path + "/" + kManifestName, ignored)) {
      paths.push_back(path);
    }
  }
  if (error) {
    return Fail(Code::kIo, fmt::format("cannot list {}: {}", directory, error.message()));
  }
  std::ranges::sort(paths);
  std::ranges::sort(list.partials);
  for (const std::string& path : paths) list.backups.push_back(Look(path));
  return list;
}

Result<FoundBackup> FindBackup(const std::string& directory, const std::string& id) {
  auto list = ListBackups(directory);
  if (!list) return std::unexpected(list.error());
  const auto none = [&](const std::string& what) {
    return Fail(Code::kInvalidArgument,
                fmt::format("there is no {} in {}{}: eddyctl backup list {} shows what there is",
                            what, directory,
                            list->partials.empty() ? "" : " but one whose making was interrupted",
                            directory));
  };
  if (list->backups.empty()) return none("backup");
  auto found = std::prev(list->backups.end());
  if (!id.empty()) {
    found = std::ranges::find_if(list->backups, [&](const FoundBackup& backup) {
      return fs::path(backup.path).filename() == id ||
             (backup.manifest && backup.manifest->id == id);
    });
    if (found == list->backups.end()) return none(fmt::format("backup {}", id));
  }
  if (!found->manifest) return std::unexpected(found->manifest.error());
  return std::move(*found);
}

Result<FolderLock> FolderLock::Take(const std::string& directory) {
  std::error_code error;
  if (fs::exists(fs::path(directory) / kManifestName, error)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} is a backup: name the directory above it, which holds them all",
                            directory));
  }
  if (fs::create_directories(directory, error); error) {
    return Fail(Code::kIo, fmt::format("cannot make {}: {}", directory, error.message()));
  }
  const std::string path = directory + "/.lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.fd() < 0) return SystemError("write", path);
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    return Fail(
        Code::kConflict,
        fmt::format("another eddyctl makes a backup in {}: wait until that is done", directory));
  }
  return FolderLock(file.Release());
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Digest> HashFile(const std::string& path, const ReadProgress& progress) {
  StreamHash hash;
  bool ended = false;
  const Status read = ReadFile(path, [&](std::string_view bytes) {
    hash.Add(bytes);
    ended = progress && !progress(bytes.size());
    return !ended;
  });
  if (!read) return std::unexpected(read.error());
  if (ended) return Fail(Code::kUnavailable, "interrupted");
  return hash.digest();
}

Result<std::string> ReadWholeFile(const std::string& path, size_t bytes_max) {
  std::string whole;
  const Status read = ReadFile(path, [&](std::string_view bytes) {
    whole += bytes;
    return whole.size() <= bytes_max;
  });
  if (!read) return std::unexpected(read.error());
  if (whole.size() > bytes_max) {
    return Fail(Code::kCorruption, fmt::format("{} is larger than it can be", path));
  }
  return whole;
}

Status WriteWholeFile(const std::string& path, const std::string& bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.fd() < 0) return SystemError("write", path);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file.fd(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("write", path);
    done += static_cast<size_t>(put);
  }
  if (::fsync(file.fd()) != 0) return SystemError("sync", path);
  return {};
}

Status LinkFile(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return {};
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) {
    return SystemError("link", to);
  }
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return Fail(Code::kIo, fmt::format("cannot copy {}: {}", to, error.message()));
  const Descriptor file(::open(to.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0 || ::fsync(file.fd()) != 0) return SystemError("sync", to);
  return {};
}

Status SyncDirectory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd() < 0 || ::fsync(directory.fd()) != 0) return SystemError("sync", path);
  return {};
}

}  // namespace eddy::tools
