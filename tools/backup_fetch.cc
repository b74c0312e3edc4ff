#include "tools/backup_fetch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/ids.h"
#include "tools/backup_folder.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

std::unexpected<Error> Nonsense() {
  return Fail(Code::kCorruption, "the node answers what this eddyctl cannot read");
}

std::unexpected<Error> SystemError(const std::string& what, const std::string& path) {
  return Fail(Code::kIo, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

}  // namespace

BackupFetch::BackupFetch(BackupFetchOptions options) : options_(std::move(options)) {}

BackupFetch::~BackupFetch() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<wire::AdminRequest> BackupFetch::Next() {
  if (under_way_.size() >= options_.window) return std::nullopt;
  wire::AdminRequest request;
  Json arguments = {{"id", options_.id}};
  if (!begun_) {
    begun_ = true;
    under_way_.push_back({.call = Call::kBegin});
    request.call = "backup.begin";
    if (options_.supersede) arguments["supersede"] = true;
  } else if (!listed_ || waits_digest_ || next_file_ == files_.size()) {
    return std::nullopt;
  } else {
    const BackupFile& file = files_[next_file_];
    arguments["file"] = file.name;
    if (std::exchange(asks_digest_, false)) {
      waits_digest_ = true;
      under_way_.push_back({.call = Call::kDigest, .file = next_file_});
      request.call = "backup.digest";
    } else {
      arguments["offset"] = next_offset_;
      under_way_.push_back({.call = Call::kRead, .file = next_file_, .offset = next_offset_});
      request.call = "backup.read";
      bytes_asked_ += std::min<uint64_t>(file.bytes - next_offset_, wire::kAdminDataBytesMax);
      next_offset_ += wire::kAdminDataBytesMax;
      if (next_offset_ >= file.bytes) {
        ++next_file_;
        Choose();
      }
    }
  }
  request.arguments = arguments.dump();
  return request;
}

void BackupFetch::Choose() {
  next_offset_ = 0;
  asks_digest_ = next_file_ < files_.size() && EarlierOf(files_[next_file_]).has_value();
}

std::optional<std::string> BackupFetch::EarlierOf(const BackupFile& file) const {
  // Tables alone are written once and never changed.
  if (!file.name.ends_with(".sst")) return std::nullopt;
  for (const std::string& directory : options_.earlier) {
    std::error_code error;
    const std::string path = directory + "/" + file.name;
    if (std::filesystem::file_size(path, error) == file.bytes && !error) return path;
  }
  return std::nullopt;
}

Status BackupFetch::Take(const wire::AdminReply& reply) {
  if (under_way_.empty()) return Nonsense();
  const UnderWay call = under_way_.front();
  under_way_.pop_front();
  if (reply.error) return std::unexpected(*reply.error);
  switch (call.call) {
    case Call::kBegin:
      return TakeList(reply.result);
    case Call::kDigest:
      return TakeDigest(call.file, reply.result);
    case Call::kRead:
      return TakeBytes(call, reply.data);
  }
  return Nonsense();
}

Status BackupFetch::TakeList(const std::string& result) {
  const Json object = Json::parse(result, nullptr, false);
  std::set<std::string> names;
  try {
    for (const Json& entry : object.at("files")) {
      BackupFile file{.name = entry.at("name").get<std::string>(),
                      .bytes = entry.at("bytes").get<uint64_t>(),
                      .xxh3 = {}};
      // It becomes a path here.
      if (!IsBackupName(file.name) || !names.insert(file.name).second) return Nonsense();
      bytes_total_ += file.bytes;
      files_.push_back(std::move(file));
    }
  } catch (const Json::exception&) {
    return Nonsense();
  }
  listed_ = true;
  Choose();
  return {};
}

Status BackupFetch::TakeDigest(size_t index, const std::string& result) {
  CHECK(std::exchange(waits_digest_, false));
  BackupFile& file = files_[index];
  const Json object = Json::parse(result, nullptr, false);
  Digest theirs;
  if (!object.is_object() || !object.contains("xxh3") || !object["xxh3"].is_string() ||
      !IdFromHex(object["xxh3"].get<std::string>(), &theirs.high, &theirs.low)) {
    return Nonsense();
  }
  const auto path = EarlierOf(file);
  if (!path) return {};
  // One that cannot be read is fetched.
  const auto ours = HashFile(*path, nullptr);
  if (!ours || *ours != theirs) return {};
  if (Status linked = LinkFile(*path, PathOf(file)); !linked) return linked;
  file.xxh3 = theirs;
  bytes_kept_ += file.bytes;
  ++files_kept_;
  ++next_file_;
  Choose();
  return {};
}

Status BackupFetch::TakeBytes(const UnderWay& call, const std::string& bytes) {
  BackupFile& file = files_[call.file];
  const uint64_t expected = std::min<uint64_t>(file.bytes - call.offset, wire::kAdminDataBytesMax);
  if (bytes.size() != expected) return Nonsense();
  if (call.offset == 0) {
    if (Status opened = OpenFile(file); !opened) return opened;
  }
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("write", PathOf(file));
    done += static_cast<size_t>(put);
  }
  hash_.Add(bytes);
  bytes_fetched_ += bytes.size();
  return call.offset + bytes.size() < file.bytes ? Status() : CloseFile(&file);
}

Status BackupFetch::OpenFile(const BackupFile& file) {
  fd_ = ::open(PathOf(file).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) return SystemError("write", PathOf(file));
  hash_ = StreamHash();
  return {};
}

Status BackupFetch::CloseFile(BackupFile* file) {
  file->xxh3 = hash_.digest();
  const bool synced = ::fsync(fd_) == 0;
  const int error = errno;
  const bool closed = ::close(std::exchange(fd_, -1)) == 0;
  if (synced && closed) return {};
  if (!synced) errno = error;
  return SystemError("write", PathOf(*file));
}

}  // namespace eddy::tools
