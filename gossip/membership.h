// What this node believes of all members, itself included, and how that changes by what it hears:
// beliefs only grow (MemberState::Join), what is new is passed on, a suspicion that is not refuted
// in time becomes a death, and what is said wrongly of this node itself is refuted. Every change of
// another member shows as an event. It knows nothing of packets and probes.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "gossip/broadcasts.h"
#include "gossip/counters.h"
#include "gossip/effects.h"
#include "gossip/member.h"
#include "gossip/member_table.h"
#include "gossip/state_sync.h"
#include "gossip/suspicion.h"

namespace eddy::gossip {

class Membership {
 public:
  struct Options {
    SuspicionOptions suspicion;
    Duration probe_period{};
    Duration gone_kept{};
    size_t members_max = 0;
  };

  enum class Heard : uint8_t {
    kOther,
    kOutdated,  // a doubt of what is known to be refuted, or gone by a goodbye
    kDoubted,   // a doubt of this node; refuted by this call
  };

  // Self is alive. The counters must live as long.
  Membership(const Options& options, const MemberState& self, Counters* counters);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  Heard Hear(MonotonicTime now, const Update& update);
  // The whole state of another node. Deaths in it are taken for suspicions where the member is
  // here: after a partition each side finds the other's members dead, and they shall refute it
  // before anybody believes it anew. True if this node was doubted.
  bool HearState(MonotonicTime now, const StateSync& state);
  // A probe of this node's own went unanswered.
  void Suspect(MonotonicTime now, NodeId id);
  // This node says goodbye.
  void Leave();
  // Suspicions end, and who was gone long enough is forgotten.
  void Expire(MonotonicTime now);
  MonotonicTime NextExpiry() const;
  // Suspects get as much more time.
  void Postpone(Duration by);

  const MemberState& self() const { return self_; }
  const MemberTable& others() const { return others_; }
  // All that are here, this node included.
  size_t cluster_size() const { return others_.here() + 1; }
  // Itself included.
  StateSync State() const;
  Broadcasts& broadcasts() { return broadcasts_; }
  const Broadcasts& broadcasts() const { return broadcasts_; }
  // Who came, or came back, since the last call.
  std::set<NodeId> TakeArrivals() { return std::exchange(arrivals_, {}); }
  // Appends what has happened since the last call.
  void TakeEvents(std::vector<Event>* events);

 private:
  Heard HearOfSelf(const MemberState& claim);
  void HearOfStranger(MonotonicTime now, const Update& update);
  void Change(MonotonicTime now, const MemberState& before, const Update& update);
  void BeginSuspicion(MonotonicTime now, const Update& update);
  void Happened(EventKind kind, const MemberState& member);

  const Options options_;

  MemberState self_;
  MemberTable others_;
  std::map<NodeId, Suspicion> suspicions_;  // exactly of those who are suspect
  MonotonicTime forget_at_;
  Broadcasts broadcasts_;
  std::set<NodeId> arrivals_;
  std::vector<Event> events_;
  Counters* counters_;
};

}  // namespace eddy::gossip
