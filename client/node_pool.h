// The nodes that a client knows: a connection to each that is used, which of them are down for the
// moment, and the layout that says who holds a key. Internal to client/.
#pragma once

#include <poll.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "client/address.h"
#include "client/client.h"
#include "client/connection.h"
#include "ring/layout.h"
#include "ring/token.h"

namespace eddy::client {

// A node's place in the pool; it keeps it as long as the pool is.
using NodeIndex = size_t;

class NodePool {
 public:
  // Status requests of the pool carry this id, which no operation has.
  NodePool(const ClientOptions& options, RequestId status_id);

  // Where to send a request for a key with this token: the first of its replicas, and then of all
  // nodes, that is sound, leaving out those in `tried`; where none is, the first that is not down.
  // Nothing when there is none. A node that failed is sound again when it has said hello: until
  // then it is only probed, so that a node that hangs holds nothing up twice.
  std::optional<NodeIndex> Choose(ring::Token token, const std::set<NodeIndex>& tried,
                                  TimePoint now) const;
  // Not down at the moment.
  bool Usable(NodeIndex node, TimePoint now) const;
  // The connection to a usable node, opened if there was none.
  [[nodiscard]] Result<Connection*> ConnectionTo(NodeIndex index, TimePoint now);
  // Drops the connection and counts the node as down for a while, longer each time.
  void Fail(NodeIndex index, const Error& error, TimePoint now);
  // Why nothing can be sent to anybody.
  Error WhyNobody() const;

  struct Events {
    std::function<void(NodeIndex, wire::ClientReply)> on_reply;
    // The node failed (and Fail was called). `was_ready`: requests had gone out to it.
    std::function<void(NodeIndex, const Error&, bool was_ready)> on_failure;
  };
  // Sends and receives, and waits until `until` for something to happen.
  void Poll(TimePoint until, const Events& events);
  // Whether requests have gone out to the node.
  bool Ready(NodeIndex node) const;

  std::vector<Address> addresses() const;
  const ring::Layout* layout() const { return layout_ ? &*layout_ : nullptr; }

 private:
  struct Node {
    Address address;
    NodeId id;  // none until it is known
    std::unique_ptr<Connection> connection;
    bool greeted = false;  // the hello on this connection was looked at
    bool worked = false;   // a hello came once
    TimePoint connect_deadline;
    TimePoint down_until;
    unsigned failures = 0;  // since it last worked
    Error last_error{Code::kUnavailable, {}};
  };

  // Connects to the nodes that were down for long enough.
  void Probe(TimePoint now);
  void Advance(NodeIndex index, TimePoint now, const Events& events);
  void Greet(NodeIndex index, TimePoint now);
  void AskLayout(NodeIndex index, TimePoint now);
  void TakeLayout(const wire::NodeStatus& status);
  // The node with this id or address, added if there is none; nothing when the pool is full.
  std::optional<NodeIndex> Add(NodeId id, const Address& address);

  const ClientOptions& options_;  // the owner's
  const RequestId status_id_;

  std::vector<std::unique_ptr<Node>> nodes_;  // the given ones first
  std::optional<ring::Layout> layout_;
  std::vector<std::optional<NodeIndex>> node_of_member_;  // by MemberIndex
  TimePoint layout_due_;

  std::vector<pollfd> poll_fds_;  // scratch
  std::vector<NodeIndex> polled_;
};

}  // namespace eddy::client
