// Messages between the members: one TCP connection a pair of nodes, dialled by the one with the
// smaller id, so that two nodes never dial past each other. A hello each way settles cluster,
// member and layout before a message is parsed. A connection that breaks is dialled again, sooner
// at first and slower later; what was on its way is lost, and the node is told (PeerDown), which is
// all that it is promised. Loop thread only.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "ring/layout.h"
#include "server/log_sink.h"
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
  // A peer that was asked something and has said nothing for so long is as good as gone (it may be
  // paused, and its kernel still accept bytes): the connection is closed and dialled again.
  Duration silence_max = std::chrono::seconds(3);
  // Bytes waiting for one peer. Beyond: messages to it are dropped and counted.
  size_t queue_bytes_max = 64 * 1024 * 1024;
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

  // `layout` and `handler` outlive the transport.
  PeerTransport(uv_loop_t* loop, PeerOptions options, const ring::Layout* layout,
                PeerHandler* handler, LogSink* log, Random random);
  ~PeerTransport();
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  // Opens the peer door, unless the cluster is of one; errors as TcpListener::Listen.
  [[nodiscard]] Status Listen();
  // Queues a message; it leaves with Flush, or is dropped when there is no way to `to`.
  void Send(NodeId to, const wire::PeerMessage& message);
  void Flush() { shared_.Flush(); }
  // Dials, redials, and ends connections that fell silent.
  void Tick(MonotonicTime now);

  void Close();
  bool empty() const { return listener_.empty() && dialled_.empty() && lookups_ == 0; }

  // As the member's hello said; what the layout says before it was heard.
  const ring::Doors& DoorsOf(ring::MemberIndex member) const { return links_[member.value].doors; }
  const Counters& counters() const { return counters_; }
  uint64_t bytes_read() const { return shared_.bytes_read; }
  uint64_t bytes_written() const { return shared_.bytes_written; }

 private:
  friend class PeerSession;

  // Another member, as the transport sees it.
  struct Link {
    const ring::Member* member;
    ring::Doors doors;
    bool dials;  // we to them
    // Set once hellos are exchanged.
    TcpConnection* connection = nullptr;
    // Between the beginning of a dial and its hello or its failure.
    bool dialling = false;
    MonotonicTime dial_at;
    Duration backoff{};
    // Something that wants an answer was sent, and nothing heard since.
    bool asked = false;
    std::optional<MonotonicTime> silent_since;
  };
  struct Lookup;

  bool IsSelf(const Link& link) const { return link.member->id == options_.hello.node; }
  void Dial(size_t index, MonotonicTime now);
  void DialAddress(size_t index, const sockaddr* address);
  void DialFailed(Link* link, std::string_view why);

  // From sessions. `dialled` is null on a connection that came in.
  Result<Link*> OnHello(TcpConnection* connection, Link* dialled, const wire::Hello& theirs);
  void OnMessage(Link* link, wire::PeerMessage message);
  void OnClosed(TcpConnection* connection, Link* link, Link* dialled, std::string_view reason);
  void Refused(std::string_view by, std::string_view text);

  const PeerOptions options_;
  const ring::Layout* const layout_;
  PeerHandler* const handler_;
  LimitedLog log_;
  Random random_;
  wire::Encoder encoder_;
  TcpShared shared_;
  TcpListener listener_;

  std::vector<Link> links_;  // by member index, this node included; never resized
  std::unordered_map<TcpConnection*, std::unique_ptr<TcpConnection>> dialled_;
  size_t lookups_ = 0;
  bool closing_ = false;
  MonotonicTime times_checked_at_;
  Counters counters_;
};

}  // namespace eddy::server
