// A node for the tests of the client: a thread that speaks the native protocol on a port of its own
// on loopback, and answers what the test tells it to.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/status.h"
#include "client/address.h"
#include "wire/client_message.h"
#include "wire/codec.h"
#include "wire/hello.h"

namespace eddy::client {

// What a test does with a request; only from inside the handler, on the node's thread.
class Exchange {
 public:
  void Reply(const wire::ClientReply& reply) { encoder_->AppendClientReply(reply, out_); }
  void Refuse(const Error& error) {
    encoder_->AppendRefusal(error, out_);
    closes_ = true;
  }
  void Raw(std::string_view bytes) { out_->append(bytes); }
  // After what was appended was sent.
  void Close() { closes_ = true; }

 private:
  friend class FakeNode;
  wire::Encoder* encoder_ = nullptr;
  std::string* out_ = nullptr;
  bool closes_ = false;
};

// Done, with the key as the value of a get.
wire::ClientReply DoneReply(const wire::ClientRequest& request);
wire::ClientReply ErrorReply(const wire::ClientRequest& request, Code code, std::string text);

struct FakeNodeOptions {
  wire::Hello hello{.cluster = "test", .software = "fake", .node = {1, 1}, .node_name = "fake"};
  std::optional<Error> refusal;  // in place of the hello
  bool greets = true;            // false: accepts, and never says a word
  // To status requests, as it is when they come.
  std::function<wire::NodeStatus()> status;
  // To requests; without one they are answered by DoneReply.
  std::function<void(const wire::ClientRequest&, Exchange*)> handler;
};

class FakeNode {
 public:
  // Port 0: any that is free.
  explicit FakeNode(FakeNodeOptions options = {}, uint16_t port = 0);
  ~FakeNode();
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  const Address& address() const { return address_; }
  // Closes every socket, as a process that ends does.
  void Stop();

  std::vector<wire::ClientRequest> requests() const;
  // What the clients said first, and how many came.
  std::vector<wire::Hello> hellos() const;

 private:
  struct Peer;

  void Run();
  void Serve(Peer* peer);
  void Answer(Peer* peer, const wire::Frame& frame);

  const FakeNodeOptions options_;
  Address address_;
  int listener_ = -1;
  int stop_read_ = -1;
  int stop_write_ = -1;
  wire::Encoder encoder_;

  mutable std::mutex mutex_;
  std::vector<wire::ClientRequest> requests_;
  std::vector<wire::Hello> hellos_;
  std::thread thread_;
};

// An address that refuses connections for as long as it lives.
class ClosedPort {
 public:
  ClosedPort();
  ~ClosedPort();
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
  const Address& address() const { return address_; }

 private:
  Address address_;
  const int fd_;  // bound, and not listening
};

}  // namespace eddy::client
