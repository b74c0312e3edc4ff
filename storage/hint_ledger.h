// How much a store keeps for other nodes (Dynamo, section 4.6), by owner, and how much it may. The
// bound is what keeps a node that is away for weeks from filling the disks of those that stand in
// for it: beyond it the stand-ins refuse, and the owner is brought level by anti-entropy instead.
//
// Counted once when a directory is opened (storage/identity.h), and by the store with every batch
// that it has written from then on. Part of the store, on its thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "base/ids.h"

namespace eddy::storage {

struct HintUsage {
  uint64_t rows = 0;
  uint64_t bytes = 0;  // of keys and rows as they are stored

  friend bool operator==(const HintUsage&, const HintUsage&) = default;
};

class HintLedger {
 public:
  static constexpr uint64_t kBytesMaxDefault = uint64_t{1} << 30;

  explicit HintLedger(uint64_t bytes_max = kBytesMaxDefault, std::map<NodeId, HintUsage> usage = {})
      : bytes_max_(bytes_max), usage_(std::move(usage)) {}

  // By owner; those with no row are not there.
  const std::map<NodeId, HintUsage>& usage() const { return usage_; }
  uint64_t bytes_max() const { return bytes_max_; }
  // Rows that were refused for want of room, in this life of the store.
  uint64_t refused() const { return refused_; }

  // Whether the owner's rows may grow; a refusal is counted. What the turn under way has staged is
  // not looked at, so the bound is exceeded by one turn at most.
  bool Admit(NodeId owner) {
    const auto found = usage_.find(owner);
    const bool room = found == usage_.end() ? bytes_max_ > 0 : found->second.bytes < bytes_max_;
    if (!room) ++refused_;
    return room;
  }

  // A row of this owner has changed its size; 0: there was none before, or is none now.
  void Changed(NodeId owner, size_t before, size_t after) {
    HintUsage& usage = usage_[owner];
    if (before == 0 && after > 0) ++usage.rows;
    if (before > 0 && after == 0 && usage.rows > 0) --usage.rows;
    usage.bytes = usage.bytes + after - std::min<uint64_t>(before, usage.bytes + after);
    if (usage.rows == 0) usage_.erase(owner);
  }

 private:
  const uint64_t bytes_max_;
  std::map<NodeId, HintUsage> usage_;
  uint64_t refused_ = 0;
};

}  // namespace eddy::storage
