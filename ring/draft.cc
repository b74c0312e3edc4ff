#include "ring/draft.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::ring {

namespace {

constexpr int kReplicaBits = 4;
constexpr int64_t kWholeReplica = 1 << kReplicaBits;
static_assert(kWholeReplica * kWholeReplica == RingDraft::kUnevennessOfOne);

bool Contains(std::span<const MemberIndex> list, MemberIndex member) {
  return std::ranges::find(list, member) != list.end();
}

}  // namespace

RingDraft::RingDraft(Options options)
    : shape_(*options.shape),
      lists_before_(std::move(options.lists_before)),
      tolerance_(options.tolerance * kWholeReplica),
      owners_(std::move(options.owners)),
      lists_(owners_.size() * shape_.n, kNobody),
      reaches_(owners_.size()),
      replicas_(options.quotas.size()),
      excess_(options.quotas.size()),
      walked_(shape_.n),
      member_stamps_(options.quotas.size()),
      zone_stamps_(shape_.zones.size()),
      zone_counts_(shape_.zones.size()) {
  CHECK(!owners_.empty());
  for (const Quota& quota : options.quotas) {
    const int64_t ideal =
        quota.ideal * static_cast<int64_t>(shape_.n) >> (kShareBits - kReplicaBits);
    ideals_.push_back(ideal);
    lacking_.push_back(ideal);
    const int64_t excess = std::min<int64_t>(0, tolerance_ - ideal);
    excess_[ideals_.size() - 1] = excess;
    unevenness_ += excess * excess;
  }
  for (const MemberIndex member : lists_before_) {
    if (member != kNobody) lacking_[member.value] -= kWholeReplica;
  }
  for (size_t start = 0; start < owners_.size(); ++start) Relist(start);
  Keep();
}

void RingDraft::Assign(size_t position, MemberIndex owner) {
  if (owners_[position] == owner) return;
  owners_undo_.push_back({.position = position, .owner = owners_[position]});
  owners_[position] = owner;
  // A walk that starts earlier never ends later, so the lists that depend on this position are
  // those of an unbroken run of starts that ends here.
  const size_t size = owners_.size();
  for (size_t distance = 0; distance < size; ++distance) {
    const size_t start = (position + size - distance) % size;
    if (reaches_[start] <= distance) break;
    Relist(start);
  }
}

void RingDraft::Swap(size_t a, size_t b) {
  const MemberIndex owner_of_a = owners_[a];
  Assign(a, owners_[b]);
  Assign(b, owner_of_a);
}

void RingDraft::Keep() {
  owners_undo_.clear();
  lists_undo_.clear();
  members_undo_.clear();
}

void RingDraft::TakeBack() {
  // Backwards, since one list may have changed more than once.
  for (size_t i = lists_undo_.size(); i-- > 0;) {
    const ListUndo& undo = lists_undo_[i];
    SetList(undo.start, std::span(members_undo_).subspan(i * shape_.n, shape_.n));
    reaches_[undo.start] = undo.reach;
  }
  for (size_t i = owners_undo_.size(); i-- > 0;) {
    owners_[owners_undo_[i].position] = owners_undo_[i].owner;
  }
  Keep();
}

bool RingDraft::IsWasteful(size_t position) const {
  if (lists_before_.empty()) return false;
  const size_t size = owners_.size();
  for (size_t distance = 0; distance < size; ++distance) {
    const size_t start = (position + size - distance) % size;
    if (reaches_[start] <= distance) break;
    if (ListIsWasteful(start)) return true;
  }
  return false;
}

std::span<const MemberIndex> RingDraft::ListBefore(size_t start) const {
  return std::span(lists_before_).subspan(start * shape_.n, shape_.n);
}

std::span<MemberIndex> RingDraft::ListOf(size_t start) {
  return std::span(lists_).subspan(start * shape_.n, shape_.n);
}

bool RingDraft::ListIsWasteful(size_t start) const {
  const std::span<const MemberIndex> before = ListBefore(start);
  const std::span<const MemberIndex> now = std::span(lists_).subspan(start * shape_.n, shape_.n);
  const auto gains_without_need = [&](MemberIndex member) {
    return member != kNobody && lacking_[member.value] <= 0 && !Contains(before, member);
  };
  const auto loses_despite_need = [&](MemberIndex member) {
    return member != kNobody && lacking_[member.value] >= 0 && !Contains(now, member);
  };
  return std::ranges::any_of(now, gains_without_need) ||
         std::ranges::any_of(before, loses_despite_need);
}

void RingDraft::Relist(size_t start) {
  const uint32_t reach = reaches_[start];
  Walk(start);
  const std::span<const MemberIndex> list = ListOf(start);
  if (reaches_[start] == reach && std::ranges::equal(list, walked_)) return;
  lists_undo_.push_back({.start = start, .reach = reach});
  members_undo_.insert(members_undo_.end(), list.begin(), list.end());
  SetList(start, walked_);
}

void RingDraft::SetList(size_t start, std::span<const MemberIndex> list) {
  const std::span<MemberIndex> known = ListOf(start);
  for (const MemberIndex member : known) {
    if (!Contains(list, member)) Count(start, member, -1);
  }
  for (const MemberIndex member : list) {
    if (!Contains(known, member)) Count(start, member, +1);
  }
  std::ranges::copy(list, known.begin());
}

// Finds the same members as the first n of Layout::Walk, in other words: each zone's first `low`,
// and of the members that are their zone's next after those, the first `extras`.
void RingDraft::Walk(size_t start) {
  ++stamp_;
  size_t found = 0;
  size_t extras = 0;
  size_t reach = 0;
  size_t position = start;
  for (; found < shape_.n && reach < owners_.size(); ++reach) {
    const MemberIndex member = owners_[position];
    if (++position == owners_.size()) position = 0;
    if (member_stamps_[member.value] == stamp_) continue;
    member_stamps_[member.value] = stamp_;
    const size_t zone = shape_.zone_of[member.value];
    if (zone_stamps_[zone] != stamp_) {
      zone_stamps_[zone] = stamp_;
      zone_counts_[zone] = 0;
    }
    const size_t nearer = zone_counts_[zone]++;
    const size_t low = shape_.zones[zone].low;
    if (nearer > low || (nearer == low && extras == shape_.extras)) continue;
    if (nearer == low) ++extras;
    walked_[found++] = member;
  }
  // On a very small ring, members that own nothing complete the lists; they are not counted.
  std::fill(walked_.begin() + static_cast<std::ptrdiff_t>(found), walked_.end(), kNobody);
  reaches_[start] = static_cast<uint32_t>(reach);
}

void RingDraft::Count(size_t start, MemberIndex member, int64_t change) {
  if (member == kNobody) return;
  replicas_[member.value] += change;
  const int64_t off = replicas_[member.value] * kWholeReplica - ideals_[member.value];
  int64_t& excess = excess_[member.value];
  unevenness_ -= excess * excess;
  excess = off > tolerance_ ? off - tolerance_ : std::min<int64_t>(0, off + tolerance_);
  unevenness_ += excess * excess;
  if (!lists_before_.empty() && !Contains(ListBefore(start), member)) moved_ += change;
}

}  // namespace eddy::ring
