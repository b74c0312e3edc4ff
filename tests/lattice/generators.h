// Random contexts and records for properties: few actors, low counters and few values, so that
// intervals overlap and touch, and two records often hold one dot, even with different bytes.
#pragma once

#include <rapidcheck.h>

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "lattice/causal_context.h"
#include "lattice/record.h"

namespace eddy::lattice {

inline void showValue(const CausalContext& context, std::ostream& out) {
  for (const Interval& interval : context.intervals()) {
    out << fmt::format(" {}:({},{}]", interval.actor.low, interval.after, interval.last);
  }
}

inline void showValue(const Record& record, std::ostream& out) {
  out << "{";
  showValue(record.context(), out);
  for (const Sibling& sibling : record.siblings()) {
    out << fmt::format("; {}.{} at {} until {} '{}'", sibling.dot.actor.low, sibling.dot.counter,
                       sibling.timestamp.value, sibling.expires_at.time_since_epoch().count(),
                       sibling.value);
  }
  out << " }";
}

inline ActorId Actor(uint64_t number) { return ActorId{.high = 0, .low = number}; }

inline rc::Gen<Interval> ArbitraryInterval() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::inRange<uint64_t>(1, 4), rc::gen::inRange<uint64_t>(0, 10),
                     rc::gen::inRange<uint64_t>(1, 5)),
      [](const std::tuple<uint64_t, uint64_t, uint64_t>& parts) {
        const auto [actor, after, length] = parts;
        return Interval{Actor(actor), after, after + length};
      });
}

inline rc::Gen<CausalContext> ArbitraryContext() {
  return rc::gen::map(rc::gen::container<std::vector<Interval>>(ArbitraryInterval()),
                      [](const std::vector<Interval>& intervals) {
                        CausalContext context;
                        for (const Interval& interval : intervals) context.Add(interval);
                        return context;
                      });
}

inline rc::Gen<Sibling> ArbitrarySibling() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::inRange<uint64_t>(1, 4), rc::gen::inRange<uint64_t>(1, 15),
                     rc::gen::inRange<uint64_t>(0, 3), rc::gen::inRange<int64_t>(0, 3),
                     rc::gen::element<std::string>("", "a", "b")),
      [](const std::tuple<uint64_t, uint64_t, uint64_t, int64_t, std::string>& parts) {
        const auto& [actor, counter, timestamp, expiry, value] = parts;
        return Sibling{.dot = {Actor(actor), counter},
                       .timestamp = {timestamp},
                       .expires_at = expiry == 0 ? Sibling::kNever
                                                 : WallTime(std::chrono::milliseconds(expiry - 1)),
                       .value = value};
      });
}

// Any record that keeps the invariants, whether or not a run could lead to it.
inline rc::Gen<Record> ArbitraryRecord() {
  return rc::gen::map(
      rc::gen::pair(ArbitraryContext(),
                    rc::gen::container<std::vector<Sibling>>(ArbitrarySibling())),
      [](const std::pair<CausalContext, std::vector<Sibling>>& parts) {
        CausalContext context = parts.first;
        std::map<Dot, Sibling> siblings;
        for (const Sibling& sibling : parts.second) {
          siblings.emplace(sibling.dot, sibling);
          context.Add(Interval{sibling.dot.actor, sibling.dot.counter - 1, sibling.dot.counter});
        }
        std::vector<Sibling> sorted;
        for (const auto& [dot, sibling] : siblings) sorted.push_back(sibling);
        return *Record::FromParts(std::move(context), std::move(sorted));
      });
}

}  // namespace eddy::lattice

template <>
struct rc::Arbitrary<eddy::lattice::CausalContext> {
  static Gen<eddy::lattice::CausalContext> arbitrary() { return eddy::lattice::ArbitraryContext(); }
};

template <>
struct rc::Arbitrary<eddy::lattice::Record> {
  static Gen<eddy::lattice::Record> arbitrary() { return eddy::lattice::ArbitraryRecord(); }
};
