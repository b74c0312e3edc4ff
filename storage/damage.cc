#include "storage/damage.h"

#include <charconv>

#include <fmt/core.h>

#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::storage {

namespace {

constexpr std::string_view kRows = "damaged/";
constexpr std::string_view kRowsEnd = "damaged0";  // '0' follows '/'

}  // namespace

Damage::Damage(const std::vector<TokenRange>& ranges) {
  for (const TokenRange range : ranges) {
    ranges_.emplace(range, Range{.number = kFromBefore, .written = true, .bad = {}});
  }
}

FoundDamage Damage::Found(std::string_view key, bool* to_write) {
  const uint64_t token = TokenOfKey(key);
  Range& range = ranges_[TokenRangeOf(token)];
  *to_write = !range.written;
  range.written = true;
  const bool known = range.bad.contains(std::string(key));
  if (!known) {
    range.number = ++number_;
    if (range.bad.size() < kBadMax) range.bad.emplace(key);
  }
  return {token, range.number};
}

void Damage::Replaced(std::string_view key) {
  const auto found = ranges_.find(TokenRangeOf(TokenOfKey(key)));
  if (found != ranges_.end()) found->second.bad.erase(std::string(key));
}

void Damage::BatchLost() {
  for (auto& [name, range] : ranges_) range.written = false;
}

bool Damage::End(TokenRange first, TokenRange last, uint64_t as_of, const Ended& ended) {
  bool all = true;
  for (auto next = ranges_.lower_bound(first); next != ranges_.end() && next->first <= last;) {
    const auto range = next++;
    if (range->second.number > as_of) {
      all = false;
      continue;
    }
    const auto ending = ranges_.extract(range);
    ended(ending.key(), ending.mapped().bad);
  }
  return all;
}

std::string DamageRowKey(TokenRange range) { return fmt::format("{}{:04x}", kRows, range); }

std::string DamageRowValue(TokenRange range) {
  std::string value;
  SealRow(DamageRowKey(range), &value);
  return value;
}

Result<std::vector<TokenRange>> ReadDamage(Engine* engine) {
  std::vector<TokenRange> ranges;
  std::string bad;
  const Status scanned = engine->Scan(
      Space::kMeta, kRows, kRowsEnd, [&](std::string_view key, std::string_view stored) {
        TokenRange range = 0;
        const std::string_view digits = key.substr(kRows.size());
        const auto parsed = std::from_chars(digits.begin(), digits.end(), range, 16);
        const bool ours = parsed.ec == std::errc() && range >> kTokenRangeBits == 0 &&
                          DamageRowKey(range) == key && DamageRowValue(range) == stored;
        if (!ours) bad = key;
        if (ours) ranges.push_back(range);
        return ours;
      });
  if (!scanned.has_value()) return std::unexpected(scanned.error());
  if (!bad.empty()) {
    return Fail(Code::kCorruption,
                fmt::format("the data directory's row '{}' is damaged: start this node with an "
                            "empty directory and let the other replicas fill it",
                            bad));
  }
  return ranges;
}

}  // namespace eddy::storage
