#include "client/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace eddy::client {

namespace {

constexpr size_t kBufferBytes = 64 * 1024;
// A buffer that grew beyond this for one large message is given back when it is empty.
constexpr size_t kBufferBytesKept = 1024 * 1024;
// In one call, so that one busy connection does not keep the others waiting.
constexpr size_t kFillBytesMax = 1024 * 1024;

}  // namespace

int PollMilliseconds(TimePoint until) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp(left, milliseconds(0), milliseconds(60'000)).count());
}

Connection::Connection(Address address, ConnectionOptions options)
    : address_(std::move(address)), options_(std::move(options)) {
  encoder_.AppendHello(wire::Hello{.cluster = options_.cluster, .software = options_.software},
                       &out_);
}

Connection::~Connection() { CloseSocket(); }

// ---- Connecting

Result<std::unique_ptr<Connection>> Connection::Open(const Address& address,
                                                     ConnectionOptions options) {
  std::unique_ptr<Connection> connection(new Connection(address, std::move(options)));
  if (Status resolved = connection->Resolve(); !resolved) {
    return std::unexpected(resolved.error());
  }
  connection->StartConnecting();
  if (connection->broken_) return std::unexpected(*connection->broken_);
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::Connect(const Address& address,
                                                        ConnectionOptions options,
                                                        TimePoint deadline) {
  auto connection = Open(address, std::move(options));
  if (!connection) return connection;
  Connection& opened = **connection;
  while (!opened.ready_) {
    pollfd poll_fd{.fd = opened.fd_, .events = opened.events(), .revents = 0};
    ::poll(&poll_fd, 1, PollMilliseconds(deadline));
    opened.Advance();
    if (opened.broken_) return std::unexpected(*opened.broken_);
    if (!opened.ready_ && std::chrono::steady_clock::now() >= deadline) {
      return Fail(Code::kUnavailable,
                  fmt::format("{} does not answer (is a node running there?)", ToString(address)));
    }
  }
  return connection;
}

Status Connection::Resolve() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(address_.host.c_str(), std::to_string(address_.port).c_str(), &hints, &found);
  if (error != 0) {
    return Fail(error == EAI_NONAME ? Code::kInvalidArgument : Code::kUnavailable,
                fmt::format("cannot find the host '{}': {}", address_.host, gai_strerror(error)));
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    SocketAddress candidate{.bytes = {}, .size = entry->ai_addrlen};
    std::memcpy(&candidate.bytes, entry->ai_addr, entry->ai_addrlen);
    candidates_.push_back(candidate);
  }
  freeaddrinfo(found);
  std::ranges::reverse(candidates_);
  return {};
}

void Connection::StartConnecting() {
  int error = errno;
  while (!candidates_.empty()) {
    CloseSocket();
    const SocketAddress candidate = candidates_.back();
    candidates_.pop_back();
    fd_ = ::socket(candidate.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ >= 0) {
      const int on = 1;
      ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      if (::connect(fd_, reinterpret_cast<const sockaddr*>(&candidate.bytes), candidate.size) ==
              0 ||
          errno == EINPROGRESS || errno == EINTR) {
        return;
      }
    }
    error = errno;
  }
  Break(Code::kUnavailable,
        fmt::format("cannot connect: {} (is a node running there?)", std::strerror(error)));
}

void Connection::FinishConnecting() {
  pollfd poll_fd{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (::poll(&poll_fd, 1, 0) != 1) return;
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) {
    connected_ = true;
    return;
  }
  errno = error;
  StartConnecting();
}

void Connection::CloseSocket() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Connection::Abandon() {
  if (fd_ < 0) return;
  // Close then resets the connection, instead of having the kernel deliver what is unsent for as
  // long as it takes.
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

// ---- Bytes

short Connection::events() const {
  if (!connected_) return POLLOUT;
  return out_sent_ < out_.size() ? POLLIN | POLLOUT : POLLIN;
}

void Connection::Flush() {
  while (!broken_ && connected_ && out_sent_ < out_.size()) {
    const ssize_t sent =
        ::send(fd_, out_.data() + out_sent_, out_.size() - out_sent_, MSG_NOSIGNAL);
    if (sent >= 0) {
      out_sent_ += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      // The node may have said why before it closed.
      const int error = errno;
      Fill();
      Break(Code::kUnavailable, fmt::format("the connection is lost: {}", std::strerror(error)));
    }
  }
  if (out_sent_ < out_.size()) return;
  out_sent_ = 0;
  out_.clear();
  if (out_.capacity() > kBufferBytesKept) out_ = std::string();
}

void Connection::Advance() {
  if (!broken_ && !connected_) FinishConnecting();
  if (broken_ || !connected_) return;
  Flush();
  Fill();
  if (!ready_) TakeHello();
}

void Connection::Fill() {
  size_t filled = 0;
  // Where so much has arrived there is a whole frame: it has to be taken first.
  constexpr size_t kWaitingBytesMax = wire::kPayloadBytesMax + kBufferBytes;
  while (!broken_ && filled < kFillBytesMax && in_end_ - in_begin_ < kWaitingBytesMax) {
    MakeRoom();
    const size_t room = in_capacity_ - in_end_;
    const ssize_t received = ::recv(fd_, in_.get() + in_end_, room, 0);
    if (received > 0) {
      in_end_ += static_cast<size_t>(received);
      filled += static_cast<size_t>(received);
      if (static_cast<size_t>(received) < room) return;
    } else if (received == 0) {
      Break(Code::kUnavailable, "the node closed the connection");
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      Break(Code::kUnavailable, fmt::format("the connection is lost: {}", std::strerror(errno)));
    }
  }
}

// Grows by doubling, so memory follows what really arrived and not what a header claims.
void Connection::MakeRoom() {
  const size_t waiting = in_end_ - in_begin_;
  if (waiting == 0 && in_capacity_ > kBufferBytesKept) {
    in_.reset();
    in_capacity_ = in_begin_ = in_end_ = 0;
  }
  if (in_capacity_ - in_end_ >= kBufferBytes / 4) return;
  if (waiting <= in_capacity_ / 2 && in_capacity_ > 0) {
    std::memmove(in_.get(), in_.get() + in_begin_, waiting);
  } else {
    const size_t capacity = std::max(kBufferBytes, 2 * in_capacity_);
    auto grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (waiting > 0) std::memcpy(grown.get(), in_.get() + in_begin_, waiting);
    in_ = std::move(grown);
    in_capacity_ = capacity;
  }
  in_begin_ = 0;
  in_end_ = waiting;
}

void Connection::Consume(size_t bytes) {
  in_begin_ += bytes;
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
}

// ---- Frames

std::optional<wire::Frame> Connection::FrontFrame() {
  const auto frame =
      wire::ParseFrame({in_.get() + in_begin_, in_end_ - in_begin_},
                       ready_ ? wire::kPayloadBytesMax : wire::kHelloPayloadBytesMax);
  if (!frame) {
    BreakStream(frame.error());
    return std::nullopt;
  }
  return *frame;
}

void Connection::TakeHello() {
  const auto frame = FrontFrame();
  if (!frame) return;
  if (frame->kind == wire::FrameKind::kRefusal) {
    const auto refusal = wire::DecodeRefusal(frame->payload);
    return BreakStream(refusal ? *refusal : refusal.error());
  }
  if (frame->kind != wire::FrameKind::kHello) {
    return BreakStream({Code::kCorruption, "the first frame is no hello"});
  }
  auto hello = wire::DecodeHello(frame->payload);
  if (!hello) return BreakStream(hello.error());
  hello_ = *std::move(hello);
  Consume(frame->size);
  CheckHello();
}

void Connection::CheckHello() {
  if (!options_.cluster.empty() && hello_.cluster != options_.cluster) {
    return BreakStream(
        {Code::kWrongCluster, fmt::format("the node belongs to cluster '{}', not '{}'",
                                          hello_.cluster, options_.cluster)});
  }
  if (hello_.version < wire::kProtocolVersionOldest ||
      hello_.version_oldest > wire::kProtocolVersion) {
    return BreakStream(
        {Code::kUnsupported,
         fmt::format("the node speaks versions {} to {} of the protocol, this client {} to {}",
                     hello_.version_oldest, hello_.version, wire::kProtocolVersionOldest,
                     wire::kProtocolVersion)});
  }
  ready_ = true;
  out_.append(held_);
  held_ = std::string();
  Flush();
}

Status Connection::Admit() const {
  if (broken_) return std::unexpected(*broken_);
  if (in_flight_ >= options_.in_flight_max ||
      out_.size() - out_sent_ + held_.size() > options_.unsent_bytes_max) {
    return Fail(Code::kBusy, "too many requests without a reply on one connection");
  }
  return {};
}

Status Connection::Send(const wire::ClientRequest& request) {
  if (Status admitted = Admit(); !admitted) return admitted;
  if (Status appended = encoder_.AppendClientRequest(request, Queue()); !appended) return appended;
  ++in_flight_;
  return {};
}

Status Connection::SendStatusRequest(RequestId id) {
  if (Status admitted = Admit(); !admitted) return admitted;
  encoder_.AppendStatusRequest(id, Queue());
  ++in_flight_;
  return {};
}

Status Connection::SendKeyListRequest(const wire::KeyListRequest& request) {
  if (Status admitted = Admit(); !admitted) return admitted;
  encoder_.AppendKeyListRequest(request, Queue());
  ++in_flight_;
  return {};
}

Status Connection::SendAdminRequest(const wire::AdminRequest& request) {
  if (Status admitted = Admit(); !admitted) return admitted;
  encoder_.AppendAdminRequest(request, Queue());
  ++in_flight_;
  return {};
}

Result<std::optional<Reply>> Connection::Next() {
  std::optional<wire::Frame> frame;
  if (ready_) frame = FrontFrame();
  if (!frame) {
    if (broken_) return std::unexpected(*broken_);
    return std::nullopt;
  }
  const auto malformed = [&](const Error& error) {
    BreakStream(error);
    return std::unexpected(*broken_);
  };
  std::optional<Reply> reply;
  switch (frame->kind) {
    case wire::FrameKind::kClientReply: {
      auto decoded = wire::DecodeClientReply(frame->payload);
      if (!decoded) return malformed(decoded.error());
      reply = *std::move(decoded);
      break;
    }
    case wire::FrameKind::kStatusReply: {
      auto decoded = wire::DecodeStatusReply(frame->payload);
      if (!decoded) return malformed(decoded.error());
      reply = StatusAnswer{decoded->first, std::move(decoded->second)};
      break;
    }
    case wire::FrameKind::kKeyListReply: {
      auto decoded = wire::DecodeKeyListReply(frame->payload);
      if (!decoded) return malformed(decoded.error());
      reply = *std::move(decoded);
      break;
    }
    case wire::FrameKind::kAdminReply: {
      auto decoded = wire::DecodeAdminReply(frame->payload);
      if (!decoded) return malformed(decoded.error());
      reply = *std::move(decoded);
      break;
    }
    case wire::FrameKind::kRefusal: {
      const auto refusal = wire::DecodeRefusal(frame->payload);
      return malformed(refusal ? *refusal : refusal.error());
    }
    default:
      return malformed({Code::kCorruption, "a frame that no node sends to a client"});
  }
  if (in_flight_ > 0) --in_flight_;
  Consume(frame->size);
  return reply;
}

Result<Reply> Connection::Receive(TimePoint deadline) {
  while (true) {
    auto reply = Next();
    if (!reply) return std::unexpected(reply.error());
    if (*reply) return *std::move(*reply);
    if (std::chrono::steady_clock::now() >= deadline) {
      return Fail(Code::kTimeout, fmt::format("{}: no reply by the deadline", ToString(address_)));
    }
    pollfd poll_fd{.fd = fd_, .events = events(), .revents = 0};
    ::poll(&poll_fd, 1, PollMilliseconds(deadline));
    Advance();
  }
}

void Connection::Break(Code code, std::string_view text) {
  if (broken_) return;
  broken_ = Error{code, fmt::format("{}: {}", ToString(address_), text)};
  CloseSocket();
}

void Connection::BreakStream(const Error& error) {
  in_begin_ = in_end_ = 0;
  // Bytes that arrived before the connection was lost may say more than its loss does.
  broken_.reset();
  Break(error.code, error.text);
}

}  // namespace eddy::client
