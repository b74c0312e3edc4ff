// A client of a cluster. It sends each request to a node that holds the key, goes to another node
// when one fails, is busy or silent, and tries again with the same request id until the answer or
// the deadline.
//
//   client::Client client({.nodes = {{"127.0.0.1", 7400}}, .cluster = "eddy"});
//   auto cart = client.Get("carts", "alice");
//   if (!cart) return Complain(cart.error());
//   auto done = client.Put("carts", "alice", Merge(cart->siblings), cart->context);
//   if (!done) return Complain(done.error());
//
// Many at once, from one thread:
//
//   for (Line& line : lines) client.Submit(RequestOf(line), [&](wire::ClientReply reply) { ... });
//   client.Drain();
//
// Errors have the three classes of the protocol: done (no error), not done, and
// Code::kUnknownOutcome: a write that may be stored. A retry goes to the same coordinator as long
// as that can be reached, and it makes no second write of it. After a coordinator fell silent the
// retry goes to another; a value that the first had stored may then be there twice, as a sibling of
// itself.
//
// One thread at a time. Connects on first use.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "client/address.h"
#include "ring/layout.h"
#include "wire/client_message.h"
#include "wire/hello.h"

namespace eddy::client {

struct ClientOptions {
  std::vector<Address> nodes;  // some of the cluster; the others are found through them
  std::string cluster;         // refuse any other; empty: any
  std::string software = "eddy client";
  // Send each request to a replica of its key. False: to the given nodes only, and to the first of
  // them that works.
  bool ring_aware = true;
  wire::QuorumOptions quorum;  // for what a request does not say itself

  Duration timeout = std::chrono::seconds(5);          // of an operation, all attempts together
  Duration attempt_timeout = std::chrono::seconds(2);  // then the node counts as silent
  Duration connect_timeout = std::chrono::seconds(1);
  int attempts_max = 6;
  // Before the second attempt; doubles with each further one.
  Duration backoff_min = std::chrono::milliseconds(10);
  Duration backoff_max = std::chrono::milliseconds(500);
  // How old the client's picture of the ring may grow.
  Duration layout_refresh = std::chrono::seconds(30);

  // Operations, and bytes of their requests, that are under way at once.
  size_t window = 128;
  size_t window_bytes = 64 * 1024 * 1024;
};

class Client {
 public:
  using Done = std::move_only_function<void(wire::ClientReply)>;

  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One operation, blocking. The error is the reply's, or says why there is none. An absent key is
  // no error: it has no siblings.
  [[nodiscard]] Result<wire::ClientReply> Get(std::string bucket, std::string key);
  [[nodiscard]] Result<wire::ClientReply> Put(std::string bucket, std::string key,
                                              std::string value, std::string context = {});
  [[nodiscard]] Result<wire::ClientReply> Delete(std::string bucket, std::string key,
                                                 std::string context = {});
  // The same for any request; quorum and deadline come from the options where it has none, and an
  // id where it has none. A reply with an error still says how many replicas answered.
  wire::ClientReply Execute(wire::ClientRequest request);

  // Many operations. `done` is called once, from inside Poll, Drain or a blocking call; it may call
  // Submit, and nothing else. When the window is full Submit polls until there is room; from inside
  // `done` it answers kBusy instead, but one Submit there always finds room.
  void Submit(wire::ClientRequest request, Done done);
  // Submitted and not called back.
  size_t in_flight() const;
  // Moves everything on, waiting up to `wait` for something to happen.
  void Poll(Duration wait);
  // Until everything is answered. What is not, when the client goes, is never called back.
  void Drain();

  // What the node at that address, or the first that can be reached, says of the cluster. One
  // attempt for each, on a connection of its own.
  [[nodiscard]] Result<wire::NodeStatus> Status(const Address& address);
  [[nodiscard]] Result<wire::NodeStatus> Status();

  // By which requests are routed now; null until a node told it. Valid until the next call.
  const ring::Layout* layout() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace eddy::client
