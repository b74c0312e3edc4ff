// A loop and plain client sockets for tests: everything on one thread, so a test decides when each
// side moves. Waiting is polling with a bounded deadline.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/time.h"

namespace eddy::server {

class TestLoop {
 public:
  TestLoop() { CHECK(uv_loop_init(&loop_) == 0); }
  ~TestLoop() {
    uv_run(&loop_, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop_) == 0);
  }

  uv_loop_t* get() { return &loop_; }
  // Done after every iteration: what the daemon does in a turn.
  std::function<void()> turn = [] {};

  void Step() {
    uv_run(&loop_, UV_RUN_NOWAIT);
    turn();
  }
  // False after ten seconds, in which nothing that a test waits for should take so long.
  bool Until(const std::function<bool()>& done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      Step();
    }
    return true;
  }

 private:
  uv_loop_t loop_;
};

inline MonotonicTime RealTime() {
  return MonotonicTime(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// A client's end, never blocking.
class TestSocket {
 public:
  explicit TestSocket(uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    CHECK(fd_ >= 0);
    if (receive_bytes > 0) {
      CHECK(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)) == 0);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // On loopback the kernel completes the connection by itself.
    CHECK(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    CHECK(::fcntl(fd_, F_SETFL, O_NONBLOCK) == 0);
  }
  ~TestSocket() { ::close(fd_); }
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;

  // How much of it the kernel took.
  size_t SendSome(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) broken_ = true;
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  void EndInput() { ::shutdown(fd_, SHUT_WR); }
  // Takes what has arrived into `received`.
  void Receive() {
    char bytes[64 * 1024];
    for (;;) {
      const ssize_t size = ::recv(fd_, bytes, sizeof(bytes), 0);
      if (size > 0) {
        received.append(bytes, static_cast<size_t>(size));
        continue;
      }
      if (size == 0) ended_ = true;
      if (size < 0 && errno != EAGAIN) broken_ = true;
      return;
    }
  }
  // The other side has closed in order; the connection was reset.
  bool ended() const { return ended_; }
  bool broken() const { return broken_; }

  std::string received;

 private:
  const int fd_;
  bool ended_ = false;
  bool broken_ = false;
};

// Sends all of it, stepping the loop, and takes what comes back meanwhile. False if the connection
// ended before.
inline bool SendAll(TestLoop* loop, TestSocket* socket, std::string_view bytes) {
  return loop->Until([&] {
    bytes.remove_prefix(socket->SendSome(bytes));
    socket->Receive();
    return bytes.empty() || socket->broken() || socket->ended();
  }) && bytes.empty();
}

}  // namespace eddy::server
