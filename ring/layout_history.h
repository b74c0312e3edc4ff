// The layouts that a cluster goes by at one time, and how far each member has come with them: one
// layout as a rule, and more while data moves (the idea is Garage's). A value that replicas of it
// join (a lattice), so it may travel in any order and any number of times:
//
//            v decided        all members have       all members have     all members
//               │             acked v                synced v             read by v
//   writes ── to v-1 ───┬── to v-1 and v ───────────────────────────────────┬── to v
//   reads  ── by v-1 ───┴──────────────────────────────┬── by v ────────────┴── by v
//   moves               └─(copies begin)─┬─ copies are ┘                    └─ v-1 is dropped, and
//                                        │  checked once more                  old owners hand over
//
// A member has *acked* v when everything that it does for clients writes to v as well; *synced* v
// when it holds what v gives it to hold; and *reads by* v when nothing that it does for clients
// goes by an older version any more. A layout is live from when it was decided until all members of
// the newest one read by a later one. Invariants: live versions follow each other without a gap, of
// one origin; a member's progress never goes back; and a member that is not of the newest layout is
// waited for by nobody.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "ring/layout.h"

namespace eddy::ring {

// Versions; 0: of none yet.
struct LayoutProgress {
  uint64_t acked = 0;
  uint64_t synced = 0;
  uint64_t reading = 0;

  friend bool operator==(const LayoutProgress&, const LayoutProgress&) = default;
};

class LayoutHistory {
 public:
  // Changes are made one at a time, but for those that replace or remove what was lost for ever
  // while one is under way: two of those on top of it.
  static constexpr size_t kLiveMax = 4;

  // Of a cluster at its beginning: everybody goes by the only layout.
  explicit LayoutHistory(Layout only);

  std::span<const Layout> live() const { return live_; }  // oldest first; never empty
  const Layout& oldest() const { return live_.front(); }
  const Layout& newest() const { return live_.back(); }
  Digest origin() const { return newest().origin(); }
  // Null: not live.
  const Layout* Find(uint64_t version) const;

  LayoutProgress ProgressOf(NodeId member) const;
  // What all members of the newest layout have reached. Never below the oldest live version, which
  // is live because all have reached it.
  uint64_t AckedByAll() const { return ReachedByAll(&LayoutProgress::acked); }
  uint64_t SyncedByAll() const { return ReachedByAll(&LayoutProgress::synced); }
  uint64_t ReadByAll() const { return ReachedByAll(&LayoutProgress::reading); }

  // The next version was decided. kConflict: it does not follow the newest one, or has another
  // origin. kBusy: kLiveMax are live already.
  Status Add(Layout next);
  // A member has come so far, at least. True: that is news.
  bool Advance(NodeId member, LayoutProgress progress);
  // What another member knows. kWrongCluster: of another cluster; kConflict: it has other contents
  // of a version than we have, which no two members should ever see. Otherwise whether it told us
  // anything.
  Result<bool> Join(const LayoutHistory& other);

  // history := format(1) count layout{bytes}* member_count (id acked synced reading)*
  std::string Encode() const;
  static Result<LayoutHistory> Decode(std::string_view bytes);

  friend bool operator==(const LayoutHistory&, const LayoutHistory&) = default;

 private:
  LayoutHistory() = default;

  uint64_t ReachedByAll(uint64_t LayoutProgress::* what) const;
  // Drops what nobody reads by any more, and whom nobody waits for.
  void Settle();

  std::vector<Layout> live_;
  std::map<NodeId, LayoutProgress> progress_;
};

}  // namespace eddy::ring
