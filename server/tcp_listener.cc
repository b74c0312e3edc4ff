#include "server/tcp_listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"

namespace eddy::server {

namespace {

constexpr int kBacklog = 1024;

// Of a connection over the limit: hears nothing.
class RefusedSession final : public Session {
 public:
  size_t Consume(std::string_view input) override { return input.size(); }
};

std::string Explain(const ListenerOptions& options, int failed) {
  const bool v6 = options.host.find(':') != std::string::npos;
  const std::string at = v6 ? fmt::format("[{}]:{}", options.host, options.port)
                            : fmt::format("{}:{}", options.host, options.port);
  std::string advice = uv_strerror(failed);
  if (failed == UV_EADDRINUSE) {
    advice = fmt::format("the port is in use: stop whoever has it, or choose another with {}",
                         options.flag);
  } else if (failed == UV_EADDRNOTAVAIL) {
    advice = "the address is not one of this machine's: choose another with --host or --listen";
  } else if (failed == UV_EACCES) {
    advice = fmt::format("this user may not open that port: choose one above 1023 with {}",
                         options.flag);
  }
  return fmt::format("the {} door cannot be opened on {}: {}", options.door, at, advice);
}

}  // namespace

bool NumericAddress(const std::string& host, uint16_t port, sockaddr_storage* address) {
  return uv_ip4_addr(host.c_str(), port, reinterpret_cast<sockaddr_in*>(address)) == 0 ||
         uv_ip6_addr(host.c_str(), port, reinterpret_cast<sockaddr_in6*>(address)) == 0;
}

bool AddressToListenAt(const std::string& host, uint16_t port, sockaddr_storage* address) {
  if (NumericAddress(host, port, address)) return true;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  std::memcpy(address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return true;
}

TcpListener::TcpListener(TcpShared* shared, ListenerOptions options, MakeSession make_session,
                         Clock clock)
    : shared_(shared),
      options_(std::move(options)),
      make_session_(std::move(make_session)),
      clock_(std::move(clock)) {}

TcpListener::~TcpListener() { CHECK(empty()); }

Status TcpListener::Listen() {
  sockaddr_storage address{};
  if (!AddressToListenAt(options_.host, options_.port, &address)) {
    return Fail(Code::kIo, fmt::format("the {} door cannot be opened: the host '{}' has no "
                                       "address; choose another with --host or --listen",
                                       options_.door, options_.host));
  }
  socket_ = new uv_tcp_t;
  CHECK(uv_tcp_init(shared_->loop, socket_) == 0);
  socket_->data = this;
  int failed = uv_tcp_bind(socket_, reinterpret_cast<const sockaddr*>(&address), 0);
  if (failed == 0) {
    failed = uv_listen(reinterpret_cast<uv_stream_t*>(socket_), kBacklog,
                       [](uv_stream_t* handle, int status) {
                         static_cast<TcpListener*>(handle->data)->OnConnection(status);
                       });
  }
  if (failed != 0) {
    StopAccepting();
    return Fail(Code::kIo, Explain(options_, failed));
  }
  int size = sizeof(address);
  uv_tcp_getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
  // The port stands at the same place in both families.
  port_ = ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  return {};
}

void TcpListener::OnConnection(int status) {
  if (status != 0) {
    ++failed_;
    return;
  }
  auto made = std::make_unique<TcpConnection>(
      shared_, options_.hello_max, [this](TcpConnection* closed) { connections_.erase(closed); });
  TcpConnection* connection = made.get();
  const bool full = connections_.size() >= options_.connections_max;
  connections_.emplace(connection, std::move(made));
  if (!connection->Accept(reinterpret_cast<uv_stream_t*>(socket_))) {
    ++failed_;
  } else if (full) {
    ++refused_;
    connection->out()->append(options_.full_reply);
    connection->Start(std::make_unique<RefusedSession>(), clock_());
    connection->CloseAfterFlush();
  } else {
    ++accepted_;
    connection->Start(make_session_(connection), clock_());
  }
}

void TcpListener::CheckTimes(MonotonicTime now) {
  for (const auto& [connection, owned] : connections_) connection->CheckTimes(now);
}

void TcpListener::StopAccepting() {
  if (socket_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(socket_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); });
}

size_t TcpListener::unsent_bytes() const {
  size_t bytes = 0;
  for (const auto& [connection, owned] : connections_) bytes += connection->unsent_bytes();
  return bytes;
}

void TcpListener::StopConsuming() {
  StopAccepting();
  for (const auto& [connection, owned] : connections_) connection->StopConsuming();
}

void TcpListener::CloseGently() {
  StopAccepting();
  for (const auto& [connection, owned] : connections_) connection->CloseAfterFlush();
}

void TcpListener::Close() {
  StopAccepting();
  for (const auto& [connection, owned] : connections_) connection->Close("");
}

}  // namespace eddy::server
