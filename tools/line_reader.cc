#include "tools/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace eddy::tools {

Result<LineReader> LineReader::Open(const std::string& path, size_t line_bytes_max) {
  if (path == "-") return LineReader("standard input", dup(STDIN_FILENO), line_bytes_max);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Fail(Code::kIo, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  }
  return LineReader(path, fd, line_bytes_max);
}

LineReader::LineReader(std::string name, int fd, size_t line_bytes_max)
    : name_(std::move(name)), fd_(fd), line_bytes_max_(line_bytes_max) {
  struct stat status{};
  if (fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
    const off_t here = std::max<off_t>(lseek(fd_, 0, SEEK_CUR), 0);
    bytes_total_ = static_cast<uint64_t>(std::max<off_t>(status.st_size - here, 0));
  }
}

LineReader::LineReader(LineReader&& other) noexcept
    : name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      line_bytes_max_(other.line_bytes_max_),
      bytes_total_(other.bytes_total_),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      searched_(other.searched_),
      at_end_(other.at_end_),
      bytes_taken_(other.bytes_taken_),
      lines_(other.lines_) {}

LineReader::~LineReader() {
  if (fd_ >= 0) close(fd_);
}

Result<LineReader::State> LineReader::Next(Line* line) {
  constexpr size_t kReadBytes = 256 * 1024;
  for (;;) {
    const size_t newline = buffer_.find('\n', searched_);
    if (newline != std::string::npos || (at_end_ && begin_ < buffer_.size())) {
      const size_t end = std::min(newline, buffer_.size());
      line->number = ++lines_;
      line->text.assign(buffer_, begin_, end - begin_);
      const size_t next = std::min(end + 1, buffer_.size());
      bytes_taken_ += next - begin_;
      begin_ = searched_ = next;
      return State::kMore;
    }
    if (at_end_) return State::kEnd;
    searched_ = buffer_.size();
    if (buffer_.size() - begin_ > line_bytes_max_) {
      return Fail(Code::kTooLarge,
                  fmt::format("{}: line {} has over {} bytes", name_, lines_ + 1, line_bytes_max_));
    }
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, 0) == 0) return State::kWaiting;
    buffer_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
    const size_t size = buffer_.size();
    buffer_.resize(size + kReadBytes);
    const ssize_t count = read(fd_, buffer_.data() + size, kReadBytes);
    buffer_.resize(size + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) return State::kWaiting;
    if (count < 0) {
      return Fail(Code::kIo, fmt::format("cannot read {}: {}", name_, std::strerror(errno)));
    }
    at_end_ = count == 0;
  }
}

}  // namespace eddy::tools
