// A door's listening socket and the connections that came in by it. It owns them all. Loop thread
// only; destroy it only after Close and a turn of the loop (`empty`).
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"
#include "base/time.h"
#include "server/session.h"
#include "server/tcp_connection.h"

namespace eddy::server {

// A numeric IPv4 or IPv6 address and a port, or nothing where `host` is a name.
bool NumericAddress(const std::string& host, uint16_t port, sockaddr_storage* address);

// The address of a host to open a door at, a name of this machine included. Blocks for its lookup.
bool AddressToListenAt(const std::string& host, uint16_t port, sockaddr_storage* address);

struct ListenerOptions {
  std::string door;  // "native": how errors name it
  std::string flag;  // "--native-port": how to choose another port
  std::string host;  // a numeric address, or a name of this machine
  uint16_t port = 0;
  size_t connections_max = 10'000;
  // Within what time a client must have begun to speak; zero: any.
  Duration hello_max{};
  // What a client too many is told before the connection closes.
  std::string full_reply;
};

class TcpListener {
 public:
  using MakeSession = std::function<std::unique_ptr<Session>(TcpConnection*)>;
  using Clock = std::function<MonotonicTime()>;

  TcpListener(TcpShared* shared, ListenerOptions options, MakeSession make_session, Clock clock);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  // kIo, naming the door, the address and the flag, when the port is in use or the address is not
  // this machine's. Blocks for the lookup of a name.
  [[nodiscard]] Status Listen();
  // The port, also where 0 was asked for and the system chose.
  uint16_t port() const { return port_; }

  void CheckTimes(MonotonicTime now);
  // No new connections, and no new requests on those there are.
  void StopConsuming();
  // Ends every connection after what waits is sent; and at once.
  void CloseGently();
  void Close();
  bool empty() const { return connections_.empty() && socket_ == nullptr; }

  const std::string& door() const { return options_.door; }
  size_t connections() const { return connections_.size(); }
  // That clients have not taken yet.
  size_t unsent_bytes() const;
  uint64_t accepted() const { return accepted_; }
  // Over the limit; and accepted by the kernel but not by us, such as for want of descriptors.
  uint64_t refused() const { return refused_; }
  uint64_t failed() const { return failed_; }

 private:
  void OnConnection(int status);
  void StopAccepting();

  TcpShared* const shared_;
  const ListenerOptions options_;
  const MakeSession make_session_;
  const Clock clock_;

  // Heap-allocated, since libuv uses it until its close callback, which frees it.
  uv_tcp_t* socket_ = nullptr;
  uint16_t port_ = 0;
  std::unordered_map<TcpConnection*, std::unique_ptr<TcpConnection>> connections_;
  uint64_t accepted_ = 0;
  uint64_t refused_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace eddy::server
