// One connection to a node's native door: the hello, then requests and replies, pipelined. Most
// programs want Client, which retries and chooses the node; this is for one node and no second try.
//
//   auto connection = Connection::Connect({"127.0.0.1", 7400}, {},
//   TimeIn(std::chrono::seconds(1))); if (!connection) return Complain(connection.error());
//   wire::ClientRequest request{.id = {42, 1}, .bucket = "carts", .key = "alice"};
//   if (auto sent = (*connection)->Send(request); !sent) return Complain(sent.error());
//   auto reply = (*connection)->Receive(TimeIn(std::chrono::seconds(1)));
//
// Connect and Receive block, until their deadline at most, and nothing else does: an owner of many
// connections polls them itself (Open, fd, events, Advance, Next). One thread at a time.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"
#include "client/address.h"
#include "wire/admin.h"
#include "wire/client_message.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/key_list.h"

namespace eddy::client {

using TimePoint = std::chrono::steady_clock::time_point;

inline TimePoint TimeIn(Duration duration) { return std::chrono::steady_clock::now() + duration; }

// Milliseconds for poll(2): never early, never negative, and at most a minute.
int PollMilliseconds(TimePoint until);

struct ConnectionOptions {
  std::string cluster;  // the only one to talk to; empty: any
  std::string software = "eddy client";
  // Requests without a reply, and bytes not yet sent, beyond which Send says kBusy.
  size_t in_flight_max = 4096;
  size_t unsent_bytes_max = 32 * 1024 * 1024;
};

struct StatusAnswer {
  RequestId id;
  wire::NodeStatus status;
};
using Reply = std::variant<wire::ClientReply, StatusAnswer, wire::KeyListReply, wire::AdminReply>;

class Connection {
 public:
  // Starts to connect. A host that is a name is looked up, which may block; a number is not.
  // kInvalidArgument when there is no such host.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> Open(const Address& address,
                                                                ConnectionOptions options);
  // Connects and exchanges hellos. kUnavailable when the node cannot be reached by the deadline,
  // kWrongCluster, kUnsupported when there is no protocol version in common, or the node's own
  // words when it refuses.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> Connect(const Address& address,
                                                                   ConnectionOptions options,
                                                                   TimePoint deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Puts a request on its way; the reply carries its id. Before ready() it waits for the node's
  // hello, and if that never comes it was never sent. kBusy (receive replies first), or what
  // wire::CheckRequest says: the request was not sent, and the connection is sound.
  [[nodiscard]] Status Send(const wire::ClientRequest& request);
  [[nodiscard]] Status SendStatusRequest(RequestId id);
  // Requires the limits of wire/key_list.h.
  [[nodiscard]] Status SendKeyListRequest(const wire::KeyListRequest& request);
  // Requires the limits of wire/admin.h.
  [[nodiscard]] Status SendAdminRequest(const wire::AdminRequest& request);

  // The next reply, in the order in which the node finished. kTimeout: none by the deadline, and
  // the connection is sound. Any other error: it is broken, and what was not answered may or may
  // not have been done.
  [[nodiscard]] Result<Reply> Receive(TimePoint deadline);

  // When this goes, what was sent and has not arrived is not to arrive any more: its owner has
  // given up on the node, and asks another. (What the node's kernel has taken may still be done.)
  void Abandon();

  // The hellos were exchanged: the node's is there.
  bool ready() const { return ready_; }
  const wire::Hello& hello() const { return hello_; }
  const Address& address() const { return address_; }

  // For an owner that polls: `fd` (which may change until ready()) and the events to wait for.
  int fd() const { return fd_; }
  short events() const;
  // Sends what can be sent without waiting.
  void Flush();
  // The same, and takes in what has arrived.
  void Advance();
  // A reply that has arrived; nothing when there is none yet; the error when the connection is
  // broken and all that came before was taken.
  [[nodiscard]] Result<std::optional<Reply>> Next();

 private:
  struct SocketAddress {
    sockaddr_storage bytes;
    socklen_t size;
  };

  Connection(Address address, ConnectionOptions options);
  [[nodiscard]] Status Resolve();
  // Goes through candidates_ until one is not refused at once.
  void StartConnecting();
  void FinishConnecting();
  void CloseSocket();
  void Fill();
  void MakeRoom();
  void TakeHello();
  void CheckHello();
  // The frame at the front of what arrived; nothing when it is not whole, or broken.
  std::optional<wire::Frame> FrontFrame();
  void Consume(size_t bytes);
  [[nodiscard]] Status Admit() const;
  std::string* Queue() { return ready_ ? &out_ : &held_; }
  // Ends the connection; what arrived before can still be taken. The first reason stays.
  void Break(Code code, std::string_view text);
  // The same for a stream that makes no sense from here on.
  void BreakStream(const Error& error);

  const Address address_;
  const ConnectionOptions options_;

  int fd_ = -1;
  std::vector<SocketAddress> candidates_;  // still to be tried, the next one last
  bool connected_ = false;
  bool ready_ = false;
  wire::Hello hello_;
  std::optional<Error> broken_;
  size_t in_flight_ = 0;

  wire::Encoder encoder_;
  std::string out_;
  size_t out_sent_ = 0;  // of out_
  std::string held_;     // requests, until the node's hello is there

  // [in_begin_, in_end_) arrived and is not taken; in_begin_ is aligned as frames are.
  std::unique_ptr<char[]> in_;
  size_t in_capacity_ = 0;
  size_t in_begin_ = 0;
  size_t in_end_ = 0;
};

}  // namespace eddy::client
