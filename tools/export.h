// An export: takes keys, reads many at a time, and gives the entries in the order in which the keys
// came. Knows no socket, file or clock. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/status.h"
#include "base/time.h"
#include "tools/json_lines.h"
#include "wire/client_message.h"

namespace eddy::tools {

struct ExportOptions {
  wire::QuorumOptions quorum;
  Duration deadline{};  // of each request; zero: the node's default
  size_t window = 128;  // keys on their way or waiting for an earlier one
};

struct ExportCounts {
  uint64_t exported = 0;
  uint64_t absent = 0;  // deleted, expired, or never there
  uint64_t failed = 0;
};

class Export {
 public:
  using Done = std::move_only_function<void(wire::ClientReply)>;
  // Calls `done` exactly once, now or later.
  using Submit = std::function<void(wire::ClientRequest request, Done done)>;
  using Found = std::function<void(const Entry& entry)>;
  using Failed = std::function<void(const ListedKey& key, const Error& error)>;

  // Everything that was submitted must be answered before the export goes.
  Export(ExportOptions options, Submit submit, Found found, Failed failed);

  bool Ready() const { return slots_.size() < options_.window; }
  // Requires Ready().
  void Take(ListedKey key);

  bool idle() const { return slots_.empty(); }
  const ExportCounts& counts() const { return counts_; }

 private:
  struct Slot {
    ListedKey key;
    std::optional<wire::ClientReply> reply;
  };

  // Gives what is complete at the front.
  void Flush();

  const ExportOptions options_;
  const Submit submit_;
  const Found found_;
  const Failed failed_;

  std::deque<Slot> slots_;
  uint64_t first_ = 0;  // the number of slots_.front()
  ExportCounts counts_;
};

}  // namespace eddy::tools
