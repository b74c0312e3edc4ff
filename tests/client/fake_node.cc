#include "tests/client/fake_node.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "wire/frame.h"

namespace eddy::client {

namespace {

int BoundSocket(uint16_t port, Address* address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  local.sin_port = htons(port);
  CHECK(::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) == 0);
  socklen_t size = sizeof(local);
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0);
  *address = {"127.0.0.1", ntohs(local.sin_port)};
  return fd;
}

}  // namespace

wire::ClientReply DoneReply(const wire::ClientRequest& request) {
  wire::ClientReply reply{.id = request.id, .needed = 2, .answered = 2, .context = "context"};
  if (!request.IsWrite()) {
    reply.siblings.push_back({.dot = {ActorId{1, 1}, 1}, .value = request.key});
  }
  return reply;
}

wire::ClientReply ErrorReply(const wire::ClientRequest& request, Code code, std::string text) {
  return {.id = request.id, .error = Error{code, std::move(text)}, .needed = 2, .answered = 1};
}

struct FakeNode::Peer {
  int fd;
  std::string in;
  std::string out;
  bool greeted = false;
  bool closing = false;
  bool gone = false;
};

FakeNode::FakeNode(FakeNodeOptions options, uint16_t port) : options_(std::move(options)) {
  listener_ = BoundSocket(port, &address_);
  CHECK(::listen(listener_, 64) == 0);
  int pipe[2];
  CHECK(::pipe2(pipe, O_CLOEXEC) == 0);
  stop_read_ = pipe[0];
  stop_write_ = pipe[1];
  thread_ = std::thread([this] { Run(); });
}

FakeNode::~FakeNode() { Stop(); }

void FakeNode::Stop() {
  if (!thread_.joinable()) return;
  ::close(stop_write_);
  thread_.join();
}

std::vector<wire::ClientRequest> FakeNode::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<wire::Hello> FakeNode::hellos() const {
  const std::lock_guard lock(mutex_);
  return hellos_;
}

void FakeNode::Run() {
  std::vector<std::unique_ptr<Peer>> peers;
  while (true) {
    std::vector<pollfd> fds{{stop_read_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& peer : peers) {
      const bool unsent = !peer->out.empty();
      fds.push_back({peer->fd, static_cast<short>(unsent ? POLLIN | POLLOUT : POLLIN), 0});
    }
    ::poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) break;
    for (size_t i = 0; i < peers.size(); ++i) {
      if (fds[i + 2].revents != 0) Serve(peers[i].get());
    }
    std::erase_if(peers, [](const auto& peer) {
      if (peer->gone) ::close(peer->fd);
      return peer->gone;
    });
    if (fds[1].revents != 0) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) peers.push_back(std::make_unique<Peer>(Peer{.fd = fd, .in = {}, .out = {}}));
    }
  }
  for (const auto& peer : peers) ::close(peer->fd);
  ::close(listener_);
  ::close(stop_read_);
}

void FakeNode::Serve(Peer* peer) {
  char buffer[64 * 1024];
  const ssize_t received = ::recv(peer->fd, buffer, sizeof(buffer), 0);
  if (received == 0 || (received < 0 && errno != EAGAIN)) {
    peer->gone = true;
    return;
  }
  if (received > 0) peer->in.append(buffer, static_cast<size_t>(received));
  size_t taken = 0;
  while (!peer->closing) {
    const auto frame =
        wire::ParseFrame(std::string_view(peer->in).substr(taken), wire::kPayloadBytesMax);
    CHECK(frame.has_value());
    if (!*frame) break;
    Answer(peer, **frame);
    taken += (*frame)->size;
  }
  peer->in.erase(0, taken);
  const ssize_t sent = ::send(peer->fd, peer->out.data(), peer->out.size(), MSG_NOSIGNAL);
  if (sent > 0) peer->out.erase(0, static_cast<size_t>(sent));
  if (peer->closing && peer->out.empty()) peer->gone = true;
}

void FakeNode::Answer(Peer* peer, const wire::Frame& frame) {
  if (!peer->greeted) {
    auto hello = wire::DecodeHello(frame.payload);
    CHECK(frame.kind == wire::FrameKind::kHello && hello.has_value());
    {
      const std::lock_guard lock(mutex_);
      hellos_.push_back(*std::move(hello));
    }
    peer->greeted = true;
    if (!options_.greets) return;
    if (options_.refusal) {
      encoder_.AppendRefusal(*options_.refusal, &peer->out);
      peer->closing = true;
    } else {
      encoder_.AppendHello(options_.hello, &peer->out);
    }
    return;
  }
  if (frame.kind == wire::FrameKind::kStatusRequest) {
    const auto id = wire::DecodeStatusRequest(frame.payload);
    CHECK(id.has_value());
    encoder_.AppendStatusReply(*id, options_.status ? options_.status() : wire::NodeStatus{},
                               &peer->out);
    return;
  }
  CHECK(frame.kind == wire::FrameKind::kClientRequest);
  RequestId id;
  const auto request = wire::DecodeClientRequest(frame.payload, &id);
  CHECK(request.has_value());
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(*request);
  }
  Exchange exchange;
  exchange.encoder_ = &encoder_;
  exchange.out_ = &peer->out;
  if (options_.handler) {
    options_.handler(*request, &exchange);
  } else {
    exchange.Reply(DoneReply(*request));
  }
  peer->closing = exchange.closes_;
}

ClosedPort::ClosedPort() : fd_(BoundSocket(0, &address_)) {}
ClosedPort::~ClosedPort() { ::close(fd_); }

}  // namespace eddy::client
