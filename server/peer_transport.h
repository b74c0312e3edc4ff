// Messages between nodes: one TCP connection a pair. A hello each way settles who the other is, and
// that it is of the same cluster, before a message is parsed; whether it is a member is for the
// node to heed. A connection that breaks is dialled again, sooner at first and slower later; what
// was on its way is lost, and the node is told (PeerDown), which is all that it is promised. Loop
// thread only.
//
// Whom it dials: the members that it is told of, where it has the smaller id, so that two nodes do
// not dial past each other; and the seeds, by their addresses, which is how a node finds others
// before it knows of any. Whoever is not dialled by the one whose turn it is, because an address
// has changed, say, is dialled by the other after a while. Where two connections of one pair meet,
// that which the smaller id dialled stays.
#pragma once

#include <uv.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "ring/member.h"
#include "server/fault_gate.h"
#include "server/fault_table.h"
#include "server/log_sink.h"
#include "server/seed.h"
#include "server/tcp_connection.h"
#include "server/tcp_listener.h"
#include "wire/codec.h"
#include "wire/hello.h"
#include "wire/peer_message.h"

namespace eddy::server {

// What happens at the other end of the transport.
class PeerHandler {
 public:
  virtual ~PeerHandler() = default;
  virtual void OnPeerUp(NodeId peer) = 0;
  virtual void OnPeerDown(NodeId peer) = 0;
  virtual void OnPeerMessage(NodeId from, wire::PeerMessage message) = 0;
  virtual MonotonicTime clock() = 0;
};

struct PeerOptions {
  wire::Hello hello;  // what this node says of itself
  std::string host;   // of the peer door
  uint16_t port = 0;
  Duration redial_min = std::chrono::milliseconds(50);
  Duration redial_max = std::chrono::milliseconds(500);
  Duration hello_max = std::chrono::seconds(3);
  // Addresses to look for other nodes at, this node's own left out. Those for whom this node waits
  // a while whether they dial it come last.
  std::vector<Seed> seeds;
  size_t seeds_dialled = 0;  // how many of them it does not wait for
  Duration dial_out_of_turn_after = std::chrono::seconds(1);
  // A peer that was asked something and has said nothing for so long is as good as gone (it may be
  // paused, and its kernel still accept bytes): the connection is closed and dialled again.
  Duration silence_max = std::chrono::seconds(3);
  // Bytes waiting for all peers. Beyond, messages to those are dropped, and counted, for whom more
  // waits than for the others: who does not listen takes no room from those who do.
  size_t queues_bytes_max = 64 * 1024 * 1024;
  InputAge* input_age = nullptr;  // as of TcpShared
  // What breaks the network on purpose; null: nothing does. Outlives the transport.
  FaultTable* faults = nullptr;
};

class PeerSession;

class PeerTransport {
 public:
  struct Counters {
    uint64_t messages_sent = 0;
    uint64_t messages_received = 0;
    uint64_t messages_dropped = 0;  // no connection, its queue full, or too large
    uint64_t connections_made = 0;
    uint64_t connections_lost = 0;
    uint64_t refusals = 0;  // hellos refused, by us or by them
  };

  // `handler` outlives the transport. The port 0 opens no door.
  PeerTransport(uv_loop_t* loop, PeerOptions options, PeerHandler* handler, LogSink* log,
                Random random);
  ~PeerTransport();
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  // Opens the peer door; errors as TcpListener::Listen.
  [[nodiscard]] Status Listen();
  // Who this node is: before the loop runs, where the options did not say it yet.
  void SetSelf(NodeId self) { options_.hello.node = self; }
  // The cluster that it belongs to from now on (ring/layout.h, origin), and its members, this node
  // included or not.
  void SetCluster(Digest origin, const std::vector<ring::Member>& members);
  // Where a member is found now, if it is not connected: it may have moved.
  void Learn(NodeId node, const std::string& host, uint16_t port);
  // Queues a message; it leaves with Flush, or is dropped when there is no way to `to`.
  void Send(NodeId to, const wire::PeerMessage& message);
  void Flush() { shared_.Flush(); }
  // Dials, redials, and ends connections that fell silent.
  void Tick(MonotonicTime now);

  void Close();
  bool empty() const { return listener_.empty() && dialled_.empty() && lookups_ == 0; }

  // As its hello said, and before one was heard, as SetCluster did; null: of an unknown node.
  const ring::Doors* DoorsOf(NodeId node) const;
  const Counters& counters() const { return counters_; }
  uint64_t bytes_read() const { return shared_.bytes_read; }
  uint64_t bytes_written() const { return shared_.bytes_written; }
  // That others have not taken yet.
  size_t unsent_bytes() const;

 private:
  friend class PeerSession;

  // Nodes that are no members may be so many.
  static constexpr size_t kStrangersMax = 256;
  static constexpr Duration kSeedRedialMax = std::chrono::seconds(5);

  // An address to dial.
  struct Target {
    std::string name;  // for people
    std::string host;
    uint16_t port = 0;
    std::optional<NodeId> node;  // who answered there last; of a member, who is meant
    bool is_seed = false;
    bool is_member = false;
    // Between the beginning of a dial and its hello or its failure.
    bool dialling = false;
    MonotonicTime dial_at;
    Duration backoff{};
  };
  // Another node, as the transport sees it. Never removed, so that it may be pointed to.
  struct Link {
    NodeId id;
    Target target;
    ring::Doors doors;
    // Set once hellos are exchanged.
    TcpConnection* connection = nullptr;
    bool ours = false;  // we dialled it
    MonotonicTime down_since;
    // Something that wants an answer was sent, and nothing heard since.
    bool asked = false;
    std::optional<MonotonicTime> silent_since;
    // Used where there is a fault table.
    FaultGate out;
    FaultGate in;
  };
  struct Lookup;

  const Link* Find(NodeId node) const;
  bool TooMuchWaits(const Link& link) const;
  bool Smaller(NodeId other) const { return options_.hello.node < other; }
  // The part of Send and OnMessage that no fault keeps from its work.
  void SendNow(Link* link, const wire::PeerMessage& message);
  void ReceiveNow(Link* link, wire::PeerMessage message);
  // Whether the message passes now; if not, its gate has seen to it.
  bool Passes(Link* link, FaultTable::Direction direction, wire::PeerMessage* message);
  void TickFaults(Link* link, MonotonicTime now);
  void TickDials(MonotonicTime now);
  void Dial(Target* target, MonotonicTime now);
  void DialAddress(Target* target, const sockaddr* address);
  void DialFailed(Target* target, std::string_view why);

  // From sessions. `dialled` is null on a connection that came in.
  // Null: this connection is one too many, and is to be closed without a word.
  Result<Link*> OnHello(TcpConnection* connection, Target* dialled, const wire::Hello& theirs);
  void OnMessage(Link* link, wire::PeerMessage message);
  void OnClosed(TcpConnection* connection, Link* link, Target* dialled, std::string_view reason);
  void Refused(std::string_view by, std::string_view text);

  PeerOptions options_;
  PeerHandler* const handler_;
  LimitedLog log_;
  Random random_;
  wire::Encoder encoder_;
  TcpShared shared_;
  TcpListener listener_;

  std::map<NodeId, Link> links_;
  std::vector<Target> seeds_;  // never resized
  size_t members_ = 0;
  std::optional<MonotonicTime> began_at_;
  std::unordered_map<TcpConnection*, std::unique_ptr<TcpConnection>> dialled_;
  size_t lookups_ = 0;
  bool closing_ = false;
  MonotonicTime times_checked_at_;
  Counters counters_;
};

}  // namespace eddy::server
