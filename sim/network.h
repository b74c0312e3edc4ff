// The network between the nodes, on virtual time. In its ordered manner two nodes share one
// connection, as TCP gives it: what is sent arrives in order or the connection breaks, and with it
// all that was on its way; both ends are told, in their own time. A direction that is cut holds
// what was sent until it is mended or the connection is given up. In its hostile manner each packet
// goes by itself: lost, repeated, overtaken, arriving at a later life of the process.
//
// Invariant: a message is delivered only while both directions of what it needs are allowed and its
// receiver runs, and nothing is delivered that was not sent.
//
// Datagrams, which gossip sends, go each by itself on every network.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "sim/plan.h"
#include "sim/world.h"
#include "wire/codec.h"
#include "wire/peer_message.h"

namespace eddy::sim {

// This version of the protocol, or the one that will come (sim/next_version.h).
enum class Version : uint8_t { kThis, kNext };

// Where what the network brings goes. Called for running processes only.
class NetworkListener {
 public:
  virtual ~NetworkListener() = default;
  virtual void Deliver(NodeIndex to, NodeIndex from, wire::PeerMessage message) = 0;
  virtual void DeliverDatagram(NodeIndex to, NodeIndex from, std::string bytes) = 0;
  virtual void PeerUp(NodeIndex at, NodeIndex peer) = 0;
  virtual void PeerDown(NodeIndex at, NodeIndex peer) = 0;
  // Who this machine is now: a message is for who the machine was when it was sent.
  virtual uint64_t IdentityOf(NodeIndex) const { return 0; }
};

class Network {
 public:
  // Borrows the world and the listener.
  Network(World* world, const NetworkPlan& plan, uint32_t nodes, bool codec, Random random,
          NetworkListener* listener);

  void Send(NodeIndex from, NodeIndex to, wire::PeerMessage message);
  // To whoever is there when it arrives.
  void SendDatagram(NodeIndex from, NodeIndex to, std::string bytes);

  // Which version of the protocol the process there speaks from now on.
  void SetVersion(NodeIndex node, Version version) { versions_[node.value] = version; }
  Version VersionOf(NodeIndex node) const { return versions_[node.value]; }

  // A process runs, or runs no more; `abrupt`: its machine did not even close its connections.
  void ProcessUp(NodeIndex node);
  void ProcessDown(NodeIndex node, bool abrupt);

  // Faults. Each Cut needs its Mend, and each Slow its Restore.
  void Cut(NodeIndex from, NodeIndex to);
  void Mend(NodeIndex from, NodeIndex to);
  void Slow(NodeIndex from, NodeIndex to, Duration by);
  void Restore(NodeIndex from, NodeIndex to, Duration by);
  void Reset(NodeIndex a, NodeIndex b);
  void Storm(uint32_t lost_per_10000, uint32_t repeated_per_10000, Duration late);
  void Calm() { Storm(0, 0, Duration{}); }

  // kArrival to kStalled.
  void OnEvent(const Event& event);

  uint64_t delivered() const { return delivered_; }
  uint64_t lost() const { return lost_; }
  // Messages on their way.
  size_t under_way() const { return under_way_; }

 private:
  // From one node to another.
  struct Direction {
    uint32_t cuts = 0;
    Duration slowed{};
    VirtualTime last_arrival;
    // Sent over the present connection, in order. Arrivals that found the direction cut are owed.
    std::deque<wire::PeerMessage> queue;
    uint32_t owed = 0;
    // The connection over which the receiver believes to reach this sender; 0: none.
    uint64_t told = 0;
  };
  // Between two nodes, kept under the lower one's place first.
  struct Connection {
    bool up = false;
    bool connecting = false;
    uint64_t number = 0;  // of the present or last one; what names an older one is stale
  };
  struct Packet {
    NodeIndex from;
    NodeIndex to;
    uint64_t identities = 0;  // of both, when it was sent; of a message
    std::variant<wire::PeerMessage, std::string> content;
  };

  Direction& DirectionOf(NodeIndex from, NodeIndex to) {
    return directions_[from.value * nodes_ + to.value];
  }
  Connection& ConnectionOf(NodeIndex a, NodeIndex b) {
    return a < b ? connections_[a.value * nodes_ + b.value]
                 : connections_[b.value * nodes_ + a.value];
  }
  bool Runs(NodeIndex node) const { return runs_[node.value]; }
  Duration Draw(const Span& span);
  Duration DelayOf(const Direction& direction);
  bool PassCodec(Version version, wire::PeerMessage* message);
  void ScheduleArrival(NodeIndex from, NodeIndex to);
  void SendPacket(Packet packet, uint32_t lost_per_10000);
  void Arrive(NodeIndex from, NodeIndex to, uint64_t connection);
  void ArrivePacket(uint64_t packet);
  uint64_t IdentitiesOf(NodeIndex a, NodeIndex b) const {
    return listener_->IdentityOf(a) << 32 | listener_->IdentityOf(b);
  }
  void Hand(NodeIndex from, NodeIndex to, wire::PeerMessage message);
  void Connect(NodeIndex a, NodeIndex b);
  void Break(NodeIndex a, NodeIndex b, Duration notice_most);
  // What a process hears of its connections: each one's end, before the next one's beginning.
  void TellUp(NodeIndex at, NodeIndex peer, uint64_t connection);
  void TellDown(NodeIndex at, NodeIndex peer, uint64_t connection);

  World* const world_;
  const NetworkPlan plan_;
  const uint32_t nodes_;
  const bool codec_;
  NetworkListener* const listener_;
  Random random_;
  wire::Encoder encoder_;

  std::array<bool, kNodesMax> runs_{};
  std::array<Version, kNodesMax> versions_{};
  std::vector<Direction> directions_;
  std::vector<Connection> connections_;
  uint64_t next_connection_ = 1;

  std::vector<Packet> packets_;  // hostile: by number; free ones are listed below
  std::vector<uint64_t> packets_free_;
  uint32_t storm_lost_ = 0;
  uint32_t storm_repeated_ = 0;
  Duration storm_late_{};

  uint64_t delivered_ = 0;
  uint64_t lost_ = 0;
  size_t under_way_ = 0;
};

}  // namespace eddy::sim
