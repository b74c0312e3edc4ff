// Which of a replica's records are damaged: some row among them has failed its checksum, or lies
// where the engine cannot read. Such a row is not absent. This replica has acknowledged something
// there and lost it, and so must not answer for it, nor for what another replica's older record has
// made of it since: a quorum would miss what it was promised (docs/decisions/damaged-ranges.md). So
// from the first bad row on, a range of tokens around it is damaged, durably before anything takes
// the row's place, until the replica has been brought level with every other owner (node/mender.h).
//
// Rows of Space::kMeta: `damaged/` and the range in four hexadecimal digits; empty, sealed. Part of
// the store, on its thread; deterministic.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/engine.h"

namespace eddy::storage {

// One of 2^14 equal ranges of tokens: each partition is some of them, whatever the cluster's count.
using TokenRange = uint16_t;
inline constexpr unsigned kTokenRangeBits = 14;
constexpr TokenRange TokenRangeOf(uint64_t token) {
  return static_cast<TokenRange>(token >> (64 - kTokenRangeBits));
}

// Where a bad row was found. Numbers count up: damage with a greater one was found later.
struct FoundDamage {
  uint64_t token = 0;
  uint64_t number = 0;
};

class Damage {
 public:
  // Of what was damaged when the store was opened.
  static constexpr uint64_t kFromBefore = 1;

  explicit Damage(const std::vector<TokenRange>& ranges);

  bool any() const { return !ranges_.empty(); }
  bool Holds(uint64_t token) const {
    return !ranges_.empty() && ranges_.contains(TokenRangeOf(token));
  }

  // The row of this record key is bad. `*to_write`: the range's own row has to be written, with the
  // same batch as anything that takes the bad row's place.
  FoundDamage Found(std::string_view key, bool* to_write);
  // The row was written anew, or has gone.
  void Replaced(std::string_view key);
  // A batch was lost: the rows of ranges have to be written again before they count as written.
  void BatchLost();

  // Ends the damage of those ranges from `first` to `last`, both included, in which nothing was
  // found since `as_of`; `ended` is told each, with the keys of the rows that are bad still. True:
  // all of them.
  using Ended = std::function<void(TokenRange range, const std::set<std::string>& bad)>;
  bool End(TokenRange first, TokenRange last, uint64_t as_of, const Ended& ended);

 private:
  // Bad rows that are remembered by name, a range. Those beyond are found again.
  static constexpr size_t kBadMax = 1024;

  struct Range {
    uint64_t number = 0;
    bool written = false;
    std::set<std::string> bad;
  };

  std::map<TokenRange, Range> ranges_;
  uint64_t number_ = kFromBefore;
};

std::string DamageRowKey(TokenRange range);
std::string DamageRowValue(TokenRange range);
// All that are damaged. kCorruption: a row of this kind that DamageRowValue would not have written.
[[nodiscard]] Result<std::vector<TokenRange>> ReadDamage(Engine* engine);

}  // namespace eddy::storage
