#include "server/gossip_door.h"

#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "server/tcp_listener.h"

namespace eddy::server {

struct GossipDoor::Lookup {
  uv_getaddrinfo_t request;
  GossipDoor* door;
  gossip::Address of;
};

GossipDoor::GossipDoor(uv_loop_t* loop, gossip::Address at, Receive receive, Clock clock,
                       FaultTable* faults)
    : loop_(loop),
      at_(std::move(at)),
      receive_(std::move(receive)),
      clock_(std::move(clock)),
      faults_(faults) {}

GossipDoor::~GossipDoor() { CHECK(empty()); }

Status GossipDoor::Open() {
  if (at_.port == 0) return {};
  sockaddr_storage address{};
  if (!AddressToListenAt(at_.host, at_.port, &address)) {
    return Fail(Code::kIo, fmt::format("the gossip door cannot be opened: the host '{}' has no "
                                       "address; choose another with --host or --listen",
                                       at_.host));
  }
  socket_ = new uv_udp_t;
  CHECK(uv_udp_init(loop_, socket_) == 0);
  socket_->data = this;
  int failed = uv_udp_bind(socket_, reinterpret_cast<const sockaddr*>(&address), 0);
  if (failed == 0) {
    failed = uv_udp_recv_start(
        socket_,
        [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
          auto* door = static_cast<GossipDoor*>(handle->data);
          *buffer = uv_buf_init(door->buffer_.data(), static_cast<unsigned>(door->buffer_.size()));
        },
        [](uv_udp_t* socket, ssize_t size, const uv_buf_t* buffer, const sockaddr* from, unsigned) {
          // Errors are echoes of what was sent to nobody; without a sender there was nothing.
          if (size < 0 || from == nullptr) return;
          static_cast<GossipDoor*>(socket->data)
              ->OnDatagram(std::string_view(buffer->base, static_cast<size_t>(size)), from);
        });
  }
  if (failed == 0) return {};
  Close();
  return Fail(Code::kIo,
              fmt::format("the gossip door cannot be opened on {} port {} (UDP): {}; the port is "
                          "the peer door's, choose another with --peer-port",
                          at_.host, at_.port, uv_strerror(failed)));
}

void GossipDoor::OnDatagram(std::string_view bytes, const sockaddr* from) {
  ++counters_.received;
  if (closing_) return;
  std::array<char, INET6_ADDRSTRLEN> host{};
  uint16_t port = 0;
  if (from->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(from);
    uv_ip4_name(v4, host.data(), host.size());
    port = ntohs(v4->sin_port);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(from);
    uv_ip6_name(v6, host.data(), host.size());
    port = ntohs(v6->sin6_port);
  }
  const gossip::Address peer{.host = host.data(), .port = port};
  if (Passes(FaultTable::Direction::kIn, peer, bytes)) receive_(peer, bytes);
}

bool GossipDoor::Passes(FaultTable::Direction direction, const gossip::Address& peer,
                        std::string_view bytes) {
  if (faults_ == nullptr) return true;
  const auto verdict = faults_->Judge(peer.host, peer.port, direction);
  if (verdict.drop || verdict.lose ||
      (verdict.delay > Duration::zero() && kept_.size() >= kKeptMax)) {
    return false;
  }
  if (verdict.delay == Duration::zero()) return true;
  kept_.push_back({clock_() + verdict.delay, direction, peer, std::string(bytes)});
  return false;
}

void GossipDoor::Tick(MonotonicTime now) {
  // Datagrams may pass each other, so each is due for itself.
  std::deque<Kept> due;
  std::erase_if(kept_, [&](Kept& kept) {
    if (kept.due > now) return false;
    due.push_back(std::move(kept));
    return true;
  });
  for (const Kept& kept : due) {
    if (closing_) return;
    if (kept.direction == FaultTable::Direction::kOut) {
      SendNow(kept.peer, kept.bytes);
    } else {
      receive_(kept.peer, kept.bytes);
    }
  }
}

void GossipDoor::Send(const gossip::Address& to, std::string_view bytes) {
  if (Passes(FaultTable::Direction::kOut, to, bytes)) SendNow(to, bytes);
}

void GossipDoor::SendNow(const gossip::Address& to, std::string_view bytes) {
  sockaddr_storage numeric{};
  const sockaddr* address = socket_ == nullptr ? nullptr : Resolve(to, &numeric);
  if (address == nullptr) {
    ++counters_.dropped;
    return;
  }
  // Only read from.
  const uv_buf_t buffer =
      uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
  const bool sent = uv_udp_try_send(socket_, &buffer, 1, address) >= 0;
  ++(sent ? counters_.sent : counters_.dropped);
}

const sockaddr* GossipDoor::Resolve(const gossip::Address& to, sockaddr_storage* numeric) {
  if (NumericAddress(to.host, to.port, numeric)) {
    return reinterpret_cast<const sockaddr*>(numeric);
  }
  if (names_.size() >= kNamesMax && !names_.contains(to) && lookups_ == 0) names_.clear();
  if (names_.size() >= kNamesMax && !names_.contains(to)) return nullptr;
  Name& name = names_[to];
  const bool found = name.address.ss_family != AF_UNSPEC;
  const bool due = !found || clock_() - name.looked_up_at >= kKnownFor;
  if (due && !name.looking) LookUp(to, &name);
  return found ? reinterpret_cast<const sockaddr*>(&name.address) : nullptr;
}

void GossipDoor::LookUp(const gossip::Address& to, Name* name) {
  auto lookup = std::make_unique<Lookup>(Lookup{.request = {}, .door = this, .of = to});
  lookup->request.data = lookup.get();
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  const int failed = uv_getaddrinfo(
      loop_, &lookup->request,
      [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
        const std::unique_ptr<Lookup> owned(static_cast<Lookup*>(request->data));
        GossipDoor* door = owned->door;
        --door->lookups_;
        Name& looked_up = door->names_[owned->of];
        looked_up.looking = false;
        looked_up.looked_up_at = door->clock_();
        if (status == 0) std::memcpy(&looked_up.address, found->ai_addr, found->ai_addrlen);
        uv_freeaddrinfo(found);
      },
      to.host.c_str(), std::to_string(to.port).c_str(), &hints);
  if (failed != 0) return;
  name->looking = true;
  ++lookups_;
  static_cast<void>(lookup.release());  // the callback owns it
}

void GossipDoor::Close() {
  closing_ = true;
  if (socket_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(socket_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_udp_t*>(handle); });
}

}  // namespace eddy::server
