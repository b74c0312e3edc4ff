#include "lattice/record.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace eddy::lattice {

namespace {

// Of two siblings of one dot. One dot is one write, so both hold the same bytes. Rot or a forger
// could break that; then the greater one wins, so that all replicas still agree.
bool Yields(const Sibling& mine, const Sibling& theirs) {
  const auto rank = [](const Sibling& sibling) {
    return std::tie(sibling.timestamp, sibling.expires_at, sibling.value);
  };
  return rank(mine) < rank(theirs);
}

}  // namespace

void Record::Join(const Record& other) {
  std::vector<Sibling> kept;
  kept.reserve(siblings_.size() + other.siblings_.size());
  auto mine = siblings_.begin();
  auto theirs = other.siblings_.begin();
  while (mine != siblings_.end() || theirs != other.siblings_.end()) {
    if (theirs == other.siblings_.end() || (mine != siblings_.end() && mine->dot < theirs->dot)) {
      if (!other.context_.Covers(mine->dot)) kept.push_back(std::move(*mine));
      ++mine;
    } else if (mine == siblings_.end() || theirs->dot < mine->dot) {
      if (!context_.Covers(theirs->dot)) kept.push_back(*theirs);
      ++theirs;
    } else {
      if (Yields(*mine, *theirs)) *mine = *theirs;
      kept.push_back(std::move(*mine));
      ++mine;
      ++theirs;
    }
  }
  siblings_ = std::move(kept);
  context_.Join(other.context_);
}

bool Record::Includes(const Record& other) const {
  if (!context_.Covers(other.context_)) return false;
  auto theirs = other.siblings_.begin();
  return std::ranges::all_of(siblings_, [&](const Sibling& mine) {
    while (theirs != other.siblings_.end() && theirs->dot < mine.dot) ++theirs;
    if (theirs == other.siblings_.end() || mine.dot < theirs->dot) {
      return !other.context_.Covers(mine.dot);
    }
    return !Yields(mine, *theirs);
  });
}

void Record::Put(const CausalContext& seen, Sibling sibling, History history) {
  const Dot dot = sibling.dot;
  // The end of our own interval is taken before the client's context joins: only what this replica
  // itself holds proves what it remembers.
  const Interval own = context_.LastOf(dot.actor);
  CHECK(own.last < dot.counter);
  CHECK(seen.LastOf(dot.actor).last < dot.counter);
  const bool remembered = own.last != 0 && own.last >= history.begin;
  DropSeen(seen);
  context_.Join(seen);
  context_.Add(Interval{dot.actor, remembered ? own.after : dot.counter - 1, dot.counter});
  const auto place =
      std::ranges::lower_bound(siblings_, dot, {}, [](const Sibling& s) { return s.dot; });
  siblings_.insert(place, std::move(sibling));
}

void Record::Delete(const CausalContext& seen) {
  DropSeen(seen);
  context_.Join(seen);
}

void Record::DropSeen(const CausalContext& seen) {
  std::erase_if(siblings_, [&](const Sibling& sibling) { return seen.Covers(sibling.dot); });
}

const Sibling* Record::LastWriter(WallTime now) const {
  const Sibling* last = nullptr;
  for (const Sibling& sibling : siblings_) {
    // Siblings are in dot order, so >= lets the greater dot win a tie of timestamps.
    if (last == nullptr || sibling.timestamp >= last->timestamp) last = &sibling;
  }
  return last != nullptr && last->ExpiredAt(now) ? nullptr : last;
}

std::optional<Record> Record::FromParts(CausalContext context, std::vector<Sibling> siblings) {
  for (size_t i = 0; i < siblings.size(); ++i) {
    if (i > 0 && !(siblings[i - 1].dot < siblings[i].dot)) return std::nullopt;
    if (!context.Covers(siblings[i].dot)) return std::nullopt;
  }
  Record record;
  record.context_ = std::move(context);
  record.siblings_ = std::move(siblings);
  return record;
}

}  // namespace eddy::lattice
