// A connection of a load to one door, from connecting to the end of the hello, without ever
// blocking: the loop asks it to go on when the socket is ready. One thread.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "tools/load_protocol.h"

namespace eddy::tools {

struct LoadTarget {
  std::string host;
  uint16_t port = 0;
};

// A file descriptor with one owner.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class LoadSocket {
 public:
  enum class State { kConnecting, kGreeting, kUp };

  // Begins to connect. kUnavailable: it is refused already; kInvalidArgument: no such host; kIo.
  [[nodiscard]] static Result<LoadSocket> Connect(const LoadTarget& target, Door door,
                                                  std::string_view cluster);

  // To be called when the socket is ready, until the state is kUp. An error ends the connection:
  // kUnavailable where nobody listens or it is closed at once, else what the node refused with.
  [[nodiscard]] Status GoOn();

  State state() const { return state_; }
  int fd() const { return fd_.get(); }

 private:
  LoadSocket(Descriptor fd, Door door, std::string_view cluster, std::string name)
      : fd_(std::move(fd)), door_(door), cluster_(cluster), name_(std::move(name)) {}

  [[nodiscard]] Status SendHello();
  [[nodiscard]] Status TakeHello();

  Descriptor fd_;
  Door door_;
  std::string cluster_;
  std::string name_;  // of the target
  State state_ = State::kConnecting;
  std::string in_;
};

}  // namespace eddy::tools
