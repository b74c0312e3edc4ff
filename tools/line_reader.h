// Lines of a file or of standard input, without ever waiting when there is something else to do: a
// pipe whose writer is slow must not keep replies from being taken. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace eddy::tools {

class LineReader {
 public:
  struct Line {
    uint64_t number = 0;  // from 1
    std::string text;     // without its newline
  };
  enum class State { kMore, kWaiting, kEnd };

  // "-" is standard input. kIo when it cannot be opened.
  [[nodiscard]] static Result<LineReader> Open(const std::string& path, size_t line_bytes_max);
  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader();

  // Puts the next line into `line` and says kMore; kWaiting when none is there yet (poll fd()),
  // kEnd after the last one. kIo, and kTooLarge for a line over the limit, after which nothing more
  // can be read.
  [[nodiscard]] Result<State> Next(Line* line);

  int fd() const { return fd_; }
  uint64_t bytes_taken() const { return bytes_taken_; }
  // Of a regular file; nothing where it cannot be known.
  std::optional<uint64_t> bytes_total() const { return bytes_total_; }

 private:
  LineReader(std::string name, int fd, size_t line_bytes_max);

  std::string name_;
  int fd_;
  size_t line_bytes_max_;
  std::optional<uint64_t> bytes_total_;

  std::string buffer_;
  size_t begin_ = 0;     // of what is not yet taken
  size_t searched_ = 0;  // no newline before here
  bool at_end_ = false;
  uint64_t bytes_taken_ = 0;
  uint64_t lines_ = 0;
};

}  // namespace eddy::tools
