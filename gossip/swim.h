// Who is in the cluster and who of them is well: SWIM (Das, Gupta and Motivala, 2002) with
// Lifeguard (Dadgar, Phillips and Currey, 2017), as a pure value machine. Time and packets come in;
// effects go out. Each node probes one other every period; who does not answer, neither directly
// nor through helpers, is suspected; who is suspected and does not refute is dead. News travels on
// the packets that are sent anyway, and in rounds of their own while there is any. It only says
// whom to try first: it never decides ownership.
//
// What it promises, as measured in tests/gossip/swarm_test.cc: every crash is found by everybody,
// in a time that hardly grows with the cluster; lost packets and a node that is slow make nobody
// else dead; the sides of a partition find each other again for as long as they remember each other
// (gone_kept); a member is the same one, whatever its address, by its id.
//
// The caller's part:
//   - calls from one thread, with `now` never going back;
//   - takes the effects after every call (or after a batch of calls) and performs them: packets are
//     single datagrams to the other's peer door, and may be lost, repeated, late or in any order.
//     A probe that gets no answer goes over the connection between the two as well, if there is
//     one: where datagrams are blocked, nobody is dead for that;
//   - hands over the packets that have arrived before it calls Tick, and calls Tick when NextWake()
//     has come: a Tick that is later than kStallMin counts as this node's own fault;
//   - gives each start of a node a greater incarnation than the one before, such as the wall time
//     in milliseconds. If it does not, the member is believed to be where it was until it hears of
//     that and refutes it;
//   - brings a starting node together with the others: Introduce, again and again while one who
//     ought to be there is unknown (Find). Those are its seeds, or the members of the layout.
// Nothing is authenticated: who can send packets to the peer door can make any member dead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "gossip/cluster_digest.h"
#include "gossip/counters.h"
#include "gossip/effects.h"
#include "gossip/local_health.h"
#include "gossip/membership.h"
#include "gossip/packet.h"
#include "gossip/probe.h"
#include "gossip/probe_order.h"
#include "gossip/relays.h"

namespace eddy::gossip {

struct SwimOptions {
  // One probe each period; its direct ping has the timeout, what is left the helpers have. Both are
  // multiplied by local health, by `health_multiplier_max` at most.
  Duration probe_period = std::chrono::milliseconds(500);
  Duration probe_timeout = std::chrono::milliseconds(200);
  size_t indirect_probes = 3;
  unsigned health_multiplier_max = 8;
  SuspicionOptions suspicion;
  // While there is news: how often, and to how many at a time, besides what rides on probes.
  Duration gossip_period = std::chrono::milliseconds(200);
  size_t gossip_fanout = 3;
  // How often each node sends one piece of news, for each doubling of the cluster.
  unsigned broadcast_multiplier = 2;
  // How often a whole state is exchanged with a random member; zero: never.
  Duration sync_period = std::chrono::seconds(30);
  // How often a random member that is gone is pinged all the same; zero: never.
  Duration gone_contact_period = std::chrono::seconds(5);
  // How long the dead and those who left are remembered.
  Duration gone_kept = std::chrono::hours(24);
  size_t members_max = ring::kMembersMax + ring::kMembersMax / 2;  // beyond: who is new is refused
  size_t relays_max = 256;  // probes helped with at a time; beyond: a nack at once
};

class Swim {
 public:
  // A Tick that is so late that answers would have been missed.
  static constexpr Duration kStallMin = std::chrono::milliseconds(200);

  // Requires that `self` is alive at an address that others can reach.
  Swim(const SwimOptions& options, std::string_view cluster, const MemberState& self, Random random,
       MonotonicTime now);

  // Asks for a sync with whoever is there.
  void Introduce(const Address& seed);
  // A packet that came from `from`, as the socket says. Anything malformed is counted and dropped.
  void Receive(MonotonicTime now, const Address& from, std::string_view bytes);
  // One that came over the connection from that node; likewise.
  void ReceiveOverConnection(MonotonicTime now, NodeId from, std::string_view bytes);
  void Tick(MonotonicTime now);
  // Never later than probe_period times health_multiplier_max from now, unless it left.
  MonotonicTime NextWake() const;

  // Says goodbye, so that nobody has to find out. From then on it does nothing but spread that, and
  // answer; once GoodbyeSpread() or after a second or two the caller may stop.
  void Leave(MonotonicTime now);
  bool GoodbyeSpread() const;

  // Push-pull over a connection, at most kStateSyncBytesMax each way: who begins sends SyncBytes(),
  // the other sends back what AnswerSync gives, and that goes into FinishSync. Errors are those of
  // DecodeStateSync; then nothing was changed.
  std::string SyncBytes() const;
  Result<std::string> AnswerSync(MonotonicTime now, std::string_view bytes);
  Status FinishSync(MonotonicTime now, std::string_view bytes);

  // Moves the effects out; `*effects` is cleared first, and its capacity reused.
  void TakeEffects(Effects* effects);

  const MemberState& self() const { return membership_.self(); }
  // Null for itself and if unknown.
  const MemberState* Find(NodeId id) const { return membership_.others().Find(id); }
  // Itself included, ids ascending.
  std::vector<MemberState> Members() const { return membership_.State().members; }
  // How many are alive or suspect, itself included.
  size_t cluster_size() const { return membership_.cluster_size(); }
  // 0: it does well.
  unsigned health_score() const { return health_.score(); }
  size_t broadcasts_queued() const { return membership_.broadcasts().size(); }
  const Counters& counters() const { return counters_; }

 private:
  // A ping to a member that is believed gone.
  struct Contact {
    NodeId target;
    uint64_t sequence = 0;
  };

  bool has_left() const { return self().liveness == Liveness::kLeft; }

  // How a packet came, and its answer goes.
  struct Way {
    Address address;
    NodeId connection;  // none: by datagram
  };

  void ReceiveFrom(MonotonicTime now, const Way& from, std::string_view bytes);
  // What the packet's sender should know, since its doubts show that it does not.
  std::vector<Update> HearUpdates(MonotonicTime now, const Packet& packet);
  // Each receives one kind of packet.
  void OnPing(const Way& from, const Packet& packet, std::vector<Update> corrections);
  void OnPingRequest(MonotonicTime now, const Address& from, const Packet& packet);
  void OnAck(const Way& from, const Packet& packet);
  void OnNack(const Packet& packet);

  void NoticeStall(MonotonicTime now);
  void AdvanceProbe(MonotonicTime now);
  void AskHelpers();
  void JudgeProbe(MonotonicTime now);
  void BeginProbe(MonotonicTime now);
  void SendNacks(MonotonicTime now);
  void GossipRound(MonotonicTime now);
  void SyncWithSomebody(MonotonicTime now);
  void ContactTheGone(MonotonicTime now);

  Status Merge(MonotonicTime now, std::string_view bytes);
  // Up to `count` different members of which `wanted` is true, at random.
  template <class Wanted>
  std::vector<const MemberState*> Pick(size_t count, Wanted wanted);
  // What a packet to the member must say first: that it is doubted, so that it can refute.
  void AppendDoubt(NodeId about, std::vector<Update>* updates) const;
  // Fills the packet up with news.
  void Send(const Address& to, Packet packet) { Send(Way{to, {}}, std::move(packet)); }
  void Send(const Way& to, Packet packet);

  const SwimOptions options_;
  const ClusterDigest cluster_;

  Random random_;
  Counters counters_;
  Membership membership_;
  LocalHealth health_;
  ProbeOrder order_;
  std::optional<Probe> probe_;
  MonotonicTime probe_at_;  // when the next one begins
  std::optional<Contact> contact_;
  Relays relays_;
  uint64_t
      sequence_;  // of the last question asked; begins at random, so that answers to an earlier
                  // life of this node answer nothing
  MonotonicTime gossip_at_;
  MonotonicTime sync_at_;
  MonotonicTime contact_at_;
  Effects effects_;
};

}  // namespace eddy::gossip
