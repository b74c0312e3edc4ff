// An import: takes lines of JSON (tools/json_lines.h), many at a time, and stores each. Unless it
// is blind, a line is a read and then a write with what the read has seen, so it replaces what is
// there, and importing the same file again changes nothing. Lines with the same key are stored one
// after the other, in the order of the file. Knows no socket, file or clock: requests go out
// through a function, and what failed is told to another. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/status.h"
#include "tools/json_lines.h"
#include "tools/line_reader.h"
#include "wire/client_message.h"

namespace eddy::tools {

struct ImportOptions {
  std::string bucket_default = "default";  // of lines that name none
  wire::QuorumOptions quorum;
  Duration deadline{};  // of each request; zero: the node's default
  bool blind = false;
  size_t window = 128;  // lines on their way
  // After so many lines in a row that could not be stored for want of a cluster, no more are taken.
  uint64_t failures_in_row_max = 100;
};

struct ImportCounts {
  uint64_t stored = 0;
  uint64_t failed = 0;   // not stored
  uint64_t unknown = 0;  // of a line that may or may not be stored, or of which a part is
};

class Import {
 public:
  using Done = std::move_only_function<void(wire::ClientReply)>;
  // Calls `done` exactly once, now or later.
  using Submit = std::function<void(wire::ClientRequest request, Done done)>;
  using Failed = std::function<void(const LineReader::Line& line, const Error& error)>;

  // Everything that was submitted must be answered before the import goes.
  Import(ImportOptions options, Submit submit, Failed failed);

  // Whether a line may be taken now: not while the window is full, the last line waits for an
  // earlier one of its key, or too many failed in a row.
  bool Ready() const;
  // Requires Ready(). A line that is malformed fails at once; one without text is skipped.
  void Take(LineReader::Line line);

  bool idle() const { return keys_.empty() && !held_; }
  // The cluster does not answer, and no more lines are taken.
  bool gave_up() const { return failures_in_row_ >= options_.failures_in_row_max; }
  const ImportCounts& counts() const { return counts_; }
  // The first line that is not stored for sure; nothing when there is none.
  std::optional<uint64_t> first_failed_line() const { return first_failed_line_; }

 private:
  using Key = std::pair<std::string, std::string>;  // bucket, key

  // A line on its way.
  struct Work {
    LineReader::Line line;
    Entry entry;
    size_t written = 0;  // of the entry's values
  };

  void Start(std::unique_ptr<Work> work);
  void WriteNext(std::unique_ptr<Work> work, std::string context);
  void Finish(std::unique_ptr<Work> work, const std::optional<Error>& error);
  void Fail(const LineReader::Line& line, const Error& error);
  wire::ClientRequest RequestFor(const Work& work) const;

  const ImportOptions options_;
  const Submit submit_;
  const Failed failed_;

  std::set<Key> keys_;          // of the lines on their way
  std::unique_ptr<Work> held_;  // waits for an earlier line of its key
  ImportCounts counts_;
  uint64_t failures_in_row_ = 0;
  std::optional<uint64_t> first_failed_line_;
};

}  // namespace eddy::tools
