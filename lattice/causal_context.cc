#include "lattice/causal_context.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace eddy::lattice {

namespace {

// Appends to a sorted list, uniting with the last interval where they overlap or touch.
void AppendUniting(std::vector<Interval>* sorted, const Interval& next) {
  if (!sorted->empty()) {
    Interval& previous = sorted->back();
    if (previous.actor == next.actor && next.after <= previous.last) {
      previous.last = std::max(previous.last, next.last);
      return;
    }
  }
  sorted->push_back(next);
}

}  // namespace

bool CausalContext::Covers(const Dot& dot) const {
  // The last interval that begins before the dot is the only one that can hold it.
  const auto above = std::ranges::partition_point(intervals_, [&](const Interval& interval) {
    return interval.actor < dot.actor ||
           (interval.actor == dot.actor && interval.after < dot.counter);
  });
  if (above == intervals_.begin()) return false;
  const Interval& candidate = *std::prev(above);
  return candidate.actor == dot.actor && dot.counter <= candidate.last;
}

bool CausalContext::Covers(const CausalContext& other) const {
  auto mine = intervals_.begin();
  for (const Interval& theirs : other.intervals_) {
    while (
        mine != intervals_.end() &&
        (mine->actor < theirs.actor || (mine->actor == theirs.actor && mine->last < theirs.last))) {
      ++mine;
    }
    if (mine == intervals_.end() || mine->actor != theirs.actor || mine->after > theirs.after) {
      return false;
    }
  }
  return true;
}

Interval CausalContext::LastOf(ActorId actor) const {
  const auto end = std::ranges::partition_point(
      intervals_, [&](const Interval& interval) { return interval.actor <= actor; });
  if (end == intervals_.begin() || std::prev(end)->actor != actor) return Interval{actor, 0, 0};
  return *std::prev(end);
}

void CausalContext::Add(const Interval& interval) {
  CHECK(interval.after < interval.last);
  // Mostly a dot that follows the actor's last one, whose interval grows.
  const auto end = std::ranges::partition_point(
      intervals_, [&](const Interval& mine) { return mine.actor <= interval.actor; });
  if (end != intervals_.begin()) {
    Interval& last = *std::prev(end);
    if (last.actor == interval.actor && last.after <= interval.after &&
        interval.after <= last.last) {
      last.last = std::max(last.last, interval.last);
      return;
    }
  }
  CausalContext one;
  one.intervals_.push_back(interval);
  Join(one);
}

void CausalContext::Join(const CausalContext& other) {
  if (Covers(other)) return;
  std::vector<Interval> united;
  united.reserve(intervals_.size() + other.intervals_.size());
  auto mine = intervals_.begin();
  auto theirs = other.intervals_.begin();
  while (mine != intervals_.end() || theirs != other.intervals_.end()) {
    const bool take_mine =
        theirs == other.intervals_.end() || (mine != intervals_.end() && *mine <= *theirs);
    AppendUniting(&united, take_mine ? *mine++ : *theirs++);
  }
  intervals_ = std::move(united);
}

void CausalContext::AppendTo(std::string* out) const {
  size_t actors = 0;
  for (size_t i = 0; i < intervals_.size(); ++i) {
    actors += i == 0 || intervals_[i].actor != intervals_[i - 1].actor;
  }
  AppendVarint(out, actors);
  for (auto begin = intervals_.begin(); begin != intervals_.end();) {
    const auto end = std::find_if(begin, intervals_.end(), [&](const Interval& interval) {
      return interval.actor != begin->actor;
    });
    AppendBigEndian64(out, begin->actor.high);
    AppendBigEndian64(out, begin->actor.low);
    AppendVarint(out, static_cast<uint64_t>(end - begin));
    uint64_t position = 0;
    for (; begin != end; ++begin) {
      AppendVarint(out, begin->after - position);
      AppendVarint(out, begin->last - begin->after);
      position = begin->last;
    }
  }
}

Result<CausalContext> CausalContext::ReadFrom(ByteReader* reader) {
  const auto malformed = [] { return Fail(Code::kCorruption, "malformed causal context"); };
  CausalContext context;
  const uint64_t actors = reader->Varint();
  if (actors > kIntervalsMax) return malformed();
  for (uint64_t a = 0; a < actors; ++a) {
    ActorId actor;
    actor.high = reader->BigEndian64();
    actor.low = reader->BigEndian64();
    const uint64_t count = reader->Varint();
    const bool in_order = context.empty() || context.intervals_.back().actor < actor;
    if (!reader->ok() || !in_order || count == 0 ||
        count > kIntervalsMax - context.intervals_.size()) {
      return malformed();
    }
    uint64_t position = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t gap = reader->Varint();
      const uint64_t length = reader->Varint();
      // Intervals that touch would have been written as one, and none is empty or runs past the
      // last counter.
      const uint64_t room = std::numeric_limits<uint64_t>::max() - position;
      if (!reader->ok() || (i > 0 && gap == 0) || length == 0 || gap > room ||
          length > room - gap) {
        return malformed();
      }
      context.intervals_.push_back(Interval{actor, position + gap, position + gap + length});
      position += gap + length;
    }
  }
  if (!reader->ok()) return malformed();
  return context;
}

}  // namespace eddy::lattice
