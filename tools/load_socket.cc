#include "tools/load_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "client/address.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace eddy::tools {

namespace {

std::unexpected<Error> FailErrno(const std::string& name, std::string_view what, int number) {
  const bool none_left = number == EMFILE || number == ENFILE;
  return Fail(none_left ? Code::kIo : Code::kUnavailable,
              fmt::format("{}: {}: {}{}", name, what, std::strerror(number),
                          none_left ? ": ask for fewer --connections, or raise ulimit -n" : ""));
}

}  // namespace

Result<LoadSocket> LoadSocket::Connect(const LoadTarget& target, Door door,
                                       std::string_view cluster) {
  const std::string name = client::ToString({.host = target.host, .port = target.port});
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* addresses = nullptr;
  const int found =
      getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &addresses);
  if (found != 0) {
    return Fail(Code::kUnavailable, fmt::format("{}: {}", name, gai_strerror(found)));
  }
  Descriptor fd(socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int failed = fd.get() < 0 ? errno : 0;
  if (failed == 0 && connect(fd.get(), addresses->ai_addr, addresses->ai_addrlen) != 0 &&
      errno != EINPROGRESS) {
    failed = errno;
  }
  freeaddrinfo(addresses);
  if (failed != 0) return FailErrno(name, "cannot connect", failed);
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return LoadSocket(std::move(fd), door, cluster, name);
}

Status LoadSocket::GoOn() {
  if (state_ == State::kConnecting) {
    int failed = 0;
    socklen_t size = sizeof(failed);
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) return FailErrno(name_, "cannot connect", failed);
    if (door_ != Door::kNative) {
      state_ = State::kUp;
      return {};
    }
    state_ = State::kGreeting;
    return SendHello();
  }
  return state_ == State::kGreeting ? TakeHello() : Status{};
}

Status LoadSocket::SendHello() {
  std::string out;
  wire::Encoder().AppendHello({.cluster = cluster_, .software = "eddyctl bench"}, &out);
  // Some hundred bytes into a socket that nothing was written to: they fit.
  if (send(fd_.get(), out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size())) {
    return {};
  }
  return FailErrno(name_, "cannot send", errno);
}

Status LoadSocket::TakeHello() {
  // Exactly this frame: nothing else comes before something is asked.
  char buffer[4096];
  const ssize_t count = recv(fd_.get(), buffer, sizeof(buffer), 0);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return {};
    return FailErrno(name_, "no hello", errno);
  }
  if (count == 0) {
    return Fail(Code::kUnavailable,
                fmt::format("{} closed the connection: is it the native door?", name_));
  }
  in_.append(buffer, static_cast<size_t>(count));
  const auto frame = wire::ParseFrame(in_, wire::kHelloPayloadBytesMax);
  if (!frame) return std::unexpected(frame.error());
  if (!*frame) return {};
  if ((*frame)->kind == wire::FrameKind::kHello) {
    state_ = State::kUp;
    in_ = {};
    return {};
  }
  const Result<Error> refusal = wire::DecodeRefusal((*frame)->payload);
  return std::unexpected(refusal ? *refusal : refusal.error());
}

}  // namespace eddy::tools
