#include "tools/load_run.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/limits.h"
#include "base/random.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace eddy::tools {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kConnectTimeout{5};
constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kErrorKindsMax = 20;

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

std::unexpected<Error> FailErrno(const LoadTarget& target, std::string_view what) {
  return Fail(Code::kIo,
              fmt::format("{}:{}: {}: {}", target.host, target.port, what, std::strerror(errno)));
}

// A connected, blocking socket.
Result<Descriptor> Connect(const LoadTarget& target) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* addresses = nullptr;
  const int found =
      getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &addresses);
  if (found != 0) {
    return Fail(Code::kIo, fmt::format("{}: {}", target.host, gai_strerror(found)));
  }
  Descriptor socket_fd(socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{.tv_sec = kConnectTimeout.count(), .tv_usec = 0};
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  const int connected = connect(socket_fd.get(), addresses->ai_addr, addresses->ai_addrlen);
  freeaddrinfo(addresses);
  if (connected != 0) return FailErrno(target, "cannot connect");
  const int on = 1;
  setsockopt(socket_fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket_fd;
}

// The exchange of hellos, on a socket that still blocks.
Status Greet(const LoadTarget& target, const std::string& cluster, int fd) {
  std::string out;
  wire::Encoder().AppendHello({.cluster = cluster, .software = "eddyctl bench"}, &out);
  if (send(fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
    return FailErrno(target, "cannot send");
  }
  std::string in;
  for (;;) {
    const auto frame = wire::ParseFrame(in, wire::kHelloPayloadBytesMax);
    if (!frame) return std::unexpected(frame.error());
    if (*frame) {
      if ((*frame)->kind == wire::FrameKind::kHello) return {};
      const Result<Error> refusal = wire::DecodeRefusal((*frame)->payload);
      return std::unexpected(refusal ? *refusal : refusal.error());
    }
    // Exactly this frame: nothing else comes before we ask.
    char buffer[4096];
    const ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
    if (count < 0) return FailErrno(target, "no hello");
    if (count == 0) {
      return Fail(Code::kIo, fmt::format("{}:{} closed the connection: is it the native door?",
                                         target.host, target.port));
    }
    in.append(buffer, static_cast<size_t>(count));
  }
}

class Load {
 public:
  explicit Load(const LoadOptions& options)
      : options_(options), random_(options.seed), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    // Bytes that do not compress, drawn once: each value is a piece of them.
    Random bytes(options.seed);
    while (values_.size() < options.value_bytes + kValueOffsets) {
      values_.push_back(static_cast<char>('!' + bytes.Below(94)));
    }
  }

  Status ConnectAll() {
    connections_.resize(options_.connections);
    for (size_t i = 0; i < connections_.size(); i++) {
      Connection& connection = connections_[i];
      connection.target = &options_.targets[i % options_.targets.size()];
      auto socket_fd = Connect(*connection.target);
      if (!socket_fd) return std::unexpected(socket_fd.error());
      connection.socket = std::move(*socket_fd);
      const int fd = connection.socket.get();
      if (options_.door == Door::kNative) {
        if (const Status greeted = Greet(*connection.target, options_.cluster, fd); !greeted) {
          return greeted;
        }
      }
      fcntl(fd, F_SETFL, O_NONBLOCK);
      connection.protocol = MakeLoadProtocol({.door = options_.door,
                                              .bucket = options_.bucket,
                                              .quorum = options_.quorum,
                                              .client = random_.Next() | 1,
                                              .window = options_.window});
      connection.slots.resize(options_.window);
      connection.in.resize(kReadBytes);
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return FailErrno(*connection.target, "epoll");
      }
    }
    return {};
  }

  Result<LoadResult> Run(const std::function<void()>& measuring,
                         const std::function<void()>& measured) {
    now_ = Clock::now();
    Clock::time_point phase_end = now_ + options_.warm_up;
    Clock::time_point begin = now_;
    if (options_.fill) {
      measuring_ = true;
      measuring();
    }
    for (Connection& connection : connections_) {
      for (uint32_t slot = 0; slot < options_.window; slot++) {
        if (const Status asked = Ask(&connection, slot); !asked) {
          return std::unexpected(asked.error());
        }
      }
      if (const Status sent = Flush(&connection); !sent) return std::unexpected(sent.error());
    }
    while (options_.fill ? outstanding_ > 0 || !held_.empty() : !measuring_ || now_ < phase_end) {
      if (!options_.fill && !measuring_ && now_ >= phase_end) {
        measuring_ = true;
        measuring();
        begin = now_ = Clock::now();
        phase_end = begin + options_.duration;
      }
      if (const Status turned = Turn(); !turned) return std::unexpected(turned.error());
    }
    measured();
    result_.elapsed = std::chrono::duration_cast<Duration>(now_ - begin);
    return std::move(result_);
  }

 private:
  static constexpr size_t kValueOffsets = 1024;
  // In a fill, besides one refusal for each key.
  static constexpr uint64_t kRefusedMax = 10'000;
  static constexpr Duration kAskAgainAfter = std::chrono::milliseconds(100);

  struct Slot {
    Clock::time_point started;
    uint64_t key = 0;
    bool is_set = false;
  };

  struct Connection {
    const LoadTarget* target = nullptr;
    Descriptor socket;
    std::unique_ptr<LoadProtocol> protocol;
    std::vector<Slot> slots;  // requests outstanding
    std::string out;
    bool waits_to_write = false;
    std::vector<char> in;  // at its start 8-byte aligned, as all of the heap is
    size_t in_size = 0;
  };

  Status Turn() {
    epoll_event events[256];
    // Woken at least now and then, so that a run ends also when nothing answers.
    const int count = epoll_wait(epoll_.get(), events, std::size(events), 100);
    now_ = Clock::now();
    if (count < 0) return errno == EINTR ? Status{} : Fail(Code::kIo, std::strerror(errno));
    if (count > 0) last_event_ = now_;
    if (last_event_ != Clock::time_point{} && now_ - last_event_ > kConnectTimeout * 6) {
      return Fail(Code::kUnavailable, "no reply for 30 s: is the cluster alive? eddyctl status");
    }
    if (last_event_ == Clock::time_point{}) last_event_ = now_;
    for (int i = 0; i < count; i++) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        if (const Status read_ok = Read(connection); !read_ok) return read_ok;
      }
      if (const Status sent = Flush(connection); !sent) return sent;
    }
    return AskAgain();
  }

  // A fill is to end with every key written: what a busy node refuses waits a moment.
  Status AskAgain() {
    if (held_.empty() || now_ < ask_again_at_) return {};
    for (const auto& [connection, slot] : std::exchange(held_, {})) {
      if (const Status asked = Ask(connection, slot); !asked) return asked;
      if (const Status sent = Flush(connection); !sent) return sent;
    }
    return {};
  }

  Status Read(Connection* connection) {
    const ssize_t count =
        recv(connection->socket.get(), connection->in.data() + connection->in_size,
             connection->in.size() - connection->in_size, 0);
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return {};
      return FailErrno(*connection->target, "the connection was lost");
    }
    if (count == 0) {
      return Fail(Code::kIo, fmt::format("{}:{} closed the connection", connection->target->host,
                                         connection->target->port));
    }
    connection->in_size += static_cast<size_t>(count);
    size_t taken = 0;
    for (;;) {
      auto reply = connection->protocol->TakeReply(
          std::string_view(connection->in.data() + taken, connection->in_size - taken));
      if (!reply) return std::unexpected(reply.error());
      if (!*reply) break;
      taken += (*reply)->size;
      if (const Status went_on = Take(connection, std::move(**reply)); !went_on) return went_on;
    }
    // Native frames are multiples of 8 bytes, so what is left stays aligned.
    std::memmove(connection->in.data(), connection->in.data() + taken, connection->in_size - taken);
    connection->in_size -= taken;
    if (connection->in.size() - connection->in_size < kReadBytes / 2) {
      connection->in.resize(connection->in.size() * 2);
    }
    return {};
  }

  Status Take(Connection* connection, LoadReply reply) {
    if (reply.slot >= options_.window || outstanding_ == 0) {
      return Fail(Code::kCorruption, "a reply to nothing that was asked");
    }
    outstanding_--;
    if (options_.fill && reply.error && refused_++ < options_.keys + kRefusedMax) {
      again_.push_back(connection->slots[reply.slot].key);
      held_.emplace_back(connection, reply.slot);
      ask_again_at_ = now_ + kAskAgainAfter;
      return {};
    }
    if (measuring_) {
      if (reply.error) {
        const bool known = result_.errors.contains(reply.error->text);
        result_.errors[known || result_.errors.size() < kErrorKindsMax ? reply.error->text
                                                                       : "others"]++;
      } else {
        result_.operations++;
        if (reply.absent && !connection->slots[reply.slot].is_set) result_.absent++;
        const auto latency = now_ - connection->slots[reply.slot].started;
        result_.latency_us.Add(static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(latency).count()));
      }
    }
    return Ask(connection, reply.slot);
  }

  Status Ask(Connection* connection, uint32_t slot) {
    if (options_.fill && next_key_ == options_.keys && again_.empty()) return {};
    LoadRequest request{.slot = slot};
    const uint64_t number = NextKey();
    char key[16];
    request.key = KeyOf(number, &key);
    request.is_set = options_.fill || random_.Below(1000) < options_.set_per_mille;
    if (request.is_set) {
      request.value =
          std::string_view(values_).substr(random_.Below(kValueOffsets), options_.value_bytes);
    }
    connection->slots[slot] = {.started = now_, .key = number, .is_set = request.is_set};
    outstanding_++;
    return connection->protocol->AppendRequest(request, &connection->out);
  }

  uint64_t NextKey() {
    if (!options_.fill) return random_.Below(options_.keys);
    if (again_.empty()) return next_key_++;
    const uint64_t number = again_.back();
    again_.pop_back();
    return number;
  }

  // 16 bytes, spread over the ring by their hash as any key is.
  static std::string_view KeyOf(uint64_t number, char (*key)[16]) {
    std::memcpy(*key, "key:000000000000", 16);
    for (size_t i = 15; number > 0 && i > 3; number /= 10) {
      (*key)[i--] = static_cast<char>('0' + number % 10);
    }
    return {*key, 16};
  }

  Status Flush(Connection* connection) {
    if (!connection->out.empty()) {
      const ssize_t sent = send(connection->socket.get(), connection->out.data(),
                                connection->out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return FailErrno(*connection->target, "the connection was lost");
      }
      if (sent > 0) connection->out.erase(0, static_cast<size_t>(sent));
    }
    if (connection->waits_to_write == connection->out.empty()) {
      connection->waits_to_write = !connection->out.empty();
      epoll_event event{
          .events = EPOLLIN | (connection->waits_to_write ? uint32_t{EPOLLOUT} : uint32_t{0}),
          .data = {.ptr = connection}};
      epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->socket.get(), &event);
    }
    return {};
  }

  const LoadOptions& options_;
  Random random_;
  Descriptor epoll_;
  std::string values_;

  std::vector<Connection> connections_;
  // Of a fill: the keys that were refused, and the slots that are to ask for them.
  uint64_t next_key_ = 0;
  uint64_t refused_ = 0;
  std::vector<uint64_t> again_;
  std::vector<std::pair<Connection*, uint32_t>> held_;
  Clock::time_point ask_again_at_;
  uint64_t outstanding_ = 0;  // requests without a reply
  bool measuring_ = false;
  Clock::time_point now_;
  Clock::time_point last_event_;
  LoadResult result_;
};

}  // namespace

uint64_t LoadResult::error_count() const {
  uint64_t count = 0;
  for (const auto& [text, times] : errors) count += times;
  return count;
}

Result<LoadResult> RunLoad(const LoadOptions& options, const std::function<void()>& measuring,
                           const std::function<void()>& measured) {
  Load load(options);
  if (const Status connected = load.ConnectAll(); !connected) {
    return std::unexpected(connected.error());
  }
  return load.Run(measuring, measured);
}

}  // namespace eddy::tools
