#include "ring/layout_history.h"

#include <utility>

#include <fmt/core.h>

#include "base/bytes.h"

namespace eddy::ring {

namespace {

constexpr uint64_t kFormat = 1;

}  // namespace

LayoutHistory::LayoutHistory(Layout only) {
  const uint64_t version = only.version();
  for (const Member& member : only.members()) {
    progress_[member.id] = {.acked = version, .synced = version, .reading = version};
  }
  live_.push_back(std::move(only));
}

const Layout* LayoutHistory::Find(uint64_t version) const {
  if (version < oldest().version() || version > newest().version()) return nullptr;
  return &live_[version - oldest().version()];
}

LayoutProgress LayoutHistory::ProgressOf(NodeId member) const {
  const auto found = progress_.find(member);
  return found == progress_.end() ? LayoutProgress() : found->second;
}

uint64_t LayoutHistory::ReachedByAll(uint64_t LayoutProgress::* what) const {
  uint64_t reached = newest().version();
  for (const Member& member : newest().members()) {
    reached = std::min(reached, ProgressOf(member.id).*what);
  }
  return std::max(reached, oldest().version());
}

Status LayoutHistory::Add(Layout next) {
  if (next.version() != newest().version() + 1 || next.origin() != origin()) {
    return Fail(Code::kConflict, fmt::format("layout version {} does not follow version {}",
                                             next.version(), newest().version()));
  }
  if (live_.size() == kLiveMax) {
    return Fail(Code::kBusy, fmt::format("{} layouts are live already", kLiveMax));
  }
  live_.push_back(std::move(next));
  Settle();
  return {};
}

bool LayoutHistory::Advance(NodeId member, LayoutProgress progress) {
  if (newest().Find(member) == nullptr) return false;
  const uint64_t newest_version = newest().version();
  LayoutProgress& known = progress_[member];
  const LayoutProgress before = known;
  known.acked = std::max(known.acked, std::min(progress.acked, newest_version));
  known.synced = std::max(known.synced, std::min(progress.synced, newest_version));
  known.reading = std::max(known.reading, std::min(progress.reading, newest_version));
  if (known == before) return false;
  Settle();
  return true;
}

Result<bool> LayoutHistory::Join(const LayoutHistory& other) {
  if (other.origin() != origin()) {
    return Fail(Code::kWrongCluster, "its layouts are of another cluster, founded apart from ours");
  }
  for (const Layout& layout : other.live_) {
    const Layout* ours = Find(layout.version());
    if (ours != nullptr && ours->digest() != layout.digest()) {
      return Fail(Code::kConflict,
                  fmt::format("its layout version {} is not ours", layout.version()));
    }
  }
  const LayoutHistory before = *this;
  // Each side's oldest is live because all had reached it, so nobody needs what is older.
  const uint64_t first = std::max(oldest().version(), other.oldest().version());
  const uint64_t last = std::max(newest().version(), other.newest().version());
  std::vector<Layout> live;
  for (uint64_t version = first; version <= last; ++version) {
    const Layout* layout = Find(version);
    live.push_back(layout != nullptr ? *layout : *other.Find(version));
  }
  live_ = std::move(live);
  for (const auto& [member, progress] : other.progress_) {
    LayoutProgress& known = progress_[member];
    known.acked = std::max(known.acked, progress.acked);
    known.synced = std::max(known.synced, progress.synced);
    known.reading = std::max(known.reading, progress.reading);
  }
  Settle();
  return !(*this == before);
}

void LayoutHistory::Settle() {
  std::erase_if(progress_,
                [&](const auto& entry) { return newest().Find(entry.first) == nullptr; });
  const uint64_t read = ReadByAll();
  std::erase_if(live_, [&](const Layout& layout) { return layout.version() < read; });
}

std::string LayoutHistory::Encode() const {
  std::string out;
  AppendVarint(&out, kFormat);
  AppendVarint(&out, live_.size());
  for (const Layout& layout : live_) AppendBytes(&out, layout.Encode());
  AppendVarint(&out, progress_.size());
  for (const auto& [member, progress] : progress_) {
    AppendBigEndian64(&out, member.high);
    AppendBigEndian64(&out, member.low);
    AppendVarint(&out, progress.acked);
    AppendVarint(&out, progress.synced);
    AppendVarint(&out, progress.reading);
  }
  return out;
}

Result<LayoutHistory> LayoutHistory::Decode(std::string_view bytes) {
  const auto corrupt = [](std::string_view what) {
    return Fail(Code::kCorruption, fmt::format("not a layout history: {}", what));
  };
  ByteReader reader(bytes);
  const uint64_t format = reader.Varint();
  if (!reader.ok()) return corrupt("no format");
  if (format != kFormat) {
    return Fail(Code::kWrongCluster,
                fmt::format("a layout history of format {}, this version knows {}; upgrade this "
                            "node",
                            format, kFormat));
  }
  LayoutHistory history;
  const uint64_t count = reader.Varint();
  if (!reader.ok() || count == 0 || count > kLiveMax) return corrupt("its layouts");
  for (uint64_t i = 0; i < count; ++i) {
    auto layout = Layout::Decode(reader.Bytes());
    if (!layout) return std::unexpected(layout.error());
    if (i > 0 && (layout->version() != history.newest().version() + 1 ||
                  layout->origin() != history.origin())) {
      return corrupt("its layouts do not follow each other");
    }
    history.live_.push_back(*std::move(layout));
  }
  const uint64_t members = reader.Varint();
  if (!reader.ok() || members > kMembersMax) return corrupt("its members");
  for (uint64_t i = 0; i < members && reader.ok(); ++i) {
    NodeId member;
    member.high = reader.BigEndian64();
    member.low = reader.BigEndian64();
    LayoutProgress progress{
        .acked = reader.Varint(), .synced = reader.Varint(), .reading = reader.Varint()};
    const bool ascending = history.progress_.empty() || history.progress_.rbegin()->first < member;
    const uint64_t most = history.newest().version();
    if (!ascending || progress.acked > most || progress.synced > most || progress.reading > most ||
        history.newest().Find(member) == nullptr) {
      return corrupt("a member's progress");
    }
    history.progress_.emplace(member, progress);
  }
  if (!reader.AtEnd()) return corrupt("it ends too early or too late");
  return history;
}

}  // namespace eddy::ring
