#include "server/peer_transport.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "server/handshake.h"
#include "wire/frame.h"

namespace eddy::server {

namespace {

constexpr Duration kCheckTimesEvery = std::chrono::milliseconds(250);

TcpLimits PeerLimits() {
  TcpLimits limits;
  // Two nodes that each stopped reading until the other reads would wait for ever: what is too much
  // is dropped instead.
  limits.unsent_bytes_pause = limits.unsent_bytes_max;
  limits.vanished_max = std::chrono::seconds(5);
  return limits;
}

ListenerOptions DoorOf(const PeerOptions& options, const ring::Layout& layout) {
  std::string full;
  wire::Encoder().AppendRefusal(Error{Code::kBusy,
                                      "too many peer connections: is this address in the seed "
                                      "lists of other clusters?"},
                                &full);
  return ListenerOptions{.door = "peer",
                         .flag = "--peer-port",
                         .host = options.host,
                         .port = options.port,
                         .connections_max = 4 * layout.members().size() + 16,
                         .hello_max = options.hello_max,
                         .full_reply = std::move(full)};
}

bool WantsAnswer(const wire::PeerMessage& message) {
  if (const auto* write = std::get_if<wire::WriteRequest>(&message)) return write->op != 0;
  return std::holds_alternative<wire::ReadRequest>(message) ||
         std::holds_alternative<wire::ForwardRequest>(message) ||
         std::holds_alternative<wire::LeaseAnnouncement>(message) ||
         std::holds_alternative<wire::TreeRequest>(message) ||
         std::holds_alternative<wire::SegmentRequest>(message);
}

}  // namespace

// One peer connection's protocol: hello, then messages.
class PeerSession final : public Session {
 public:
  // `dialled` is null on a connection that came in: then the other side says hello first.
  PeerSession(PeerTransport* transport, TcpConnection* connection, PeerTransport::Link* dialled)
      : transport_(transport), connection_(connection), dialled_(dialled) {
    if (dialled != nullptr)
      transport->encoder_.AppendHello(transport->options_.hello, connection->out());
  }

  size_t Consume(std::string_view input) override {
    size_t used = 0;
    while (!ended_) {
      const size_t payload_max =
          link_ != nullptr ? wire::kPayloadBytesMax : wire::kHelloPayloadBytesMax;
      const auto frame = wire::ParseFrame(input.substr(used), payload_max);
      Status ok;
      if (!frame) {
        ok = std::unexpected(frame.error());
      } else if (!*frame) {
        break;
      } else {
        used += (*frame)->size;
        ok = OnFrame(**frame);
      }
      if (ok) continue;
      ended_ = true;
      transport_->Refused("this node", ok.error().text);
      transport_->encoder_.AppendRefusal(ok.error(), connection_->out());
      connection_->CloseAfterFlush();
    }
    return used;
  }

  void OnClosed(std::string_view reason) override {
    transport_->OnClosed(connection_, link_, dialled_, reason);
  }

 private:
  Status OnFrame(const wire::Frame& frame) {
    if (frame.kind == wire::FrameKind::kRefusal) {
      const auto refusal = wire::DecodeRefusal(frame.payload);
      if (!refusal) return std::unexpected(refusal.error());
      ended_ = true;
      transport_->Refused(dialled_ != nullptr ? dialled_->member->name : "a peer", refusal->text);
      connection_->CloseAfterFlush();
      return {};
    }
    if (link_ == nullptr && frame.kind == wire::FrameKind::kHello) {
      const auto hello = wire::DecodeHello(frame.payload);
      if (!hello) return std::unexpected(hello.error());
      auto link = transport_->OnHello(connection_, dialled_, *hello);
      if (!link) return std::unexpected(std::move(link.error()));
      link_ = *link;
      return {};
    }
    if (link_ != nullptr && frame.kind == wire::FrameKind::kPeerMessage) {
      auto message = wire::DecodePeerMessage(frame.payload);
      if (!message) return std::unexpected(std::move(message.error()));
      transport_->OnMessage(link_, *std::move(message));
      return {};
    }
    return Fail(Code::kUnsupported,
                "the peer door takes one hello and then messages of nodes: "
                "clients have a door of their own");
  }

  PeerTransport* const transport_;
  TcpConnection* const connection_;
  PeerTransport::Link* const dialled_;
  PeerTransport::Link* link_ = nullptr;  // once greeted
  bool ended_ = false;
};

// A name that the system is looking up for a dial.
struct PeerTransport::Lookup {
  uv_getaddrinfo_t request;
  PeerTransport* transport;
  size_t link;
};

PeerTransport::PeerTransport(uv_loop_t* loop, PeerOptions options, const ring::Layout* layout,
                             PeerHandler* handler, LogSink* log, Random random)
    : options_(std::move(options)),
      layout_(layout),
      handler_(handler),
      log_(log),
      random_(random),
      shared_{.loop = loop, .limits = PeerLimits()},
      listener_(
          &shared_, DoorOf(options_, *layout),
          [this](TcpConnection* connection) {
            return std::make_unique<PeerSession>(this, connection, nullptr);
          },
          [handler] { return handler->clock(); }) {
  for (const ring::Member& member : layout->members()) {
    links_.push_back(Link{.member = &member,
                          .doors = member.doors,
                          .dials = options_.hello.node < member.id,
                          .backoff = options_.redial_min});
    if (IsSelf(links_.back())) links_.back().doors = options_.hello.doors;
  }
}

PeerTransport::~PeerTransport() { CHECK(empty()); }

Status PeerTransport::Listen() {
  if (links_.size() == 1) return {};
  return listener_.Listen();
}

void PeerTransport::Send(NodeId to, const wire::PeerMessage& message) {
  const auto index = layout_->IndexOf(to);
  Link* link = index ? &links_[index->value] : nullptr;
  if (link == nullptr || link->connection == nullptr ||
      link->connection->unsent_bytes() > options_.queue_bytes_max) {
    ++counters_.messages_dropped;
    return;
  }
  if (!encoder_.AppendPeerMessage(message, link->connection->out())) {
    ++counters_.messages_dropped;
    return;
  }
  ++counters_.messages_sent;
  if (WantsAnswer(message)) link->asked = true;
  link->connection->QueueFlush();
}

void PeerTransport::Tick(MonotonicTime now) {
  if (closing_) return;
  for (size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (link.connection == nullptr) {
      if (link.dials && !link.dialling && now >= link.dial_at) Dial(i, now);
      continue;
    }
    if (!link.asked) {
      link.silent_since.reset();
    } else if (!link.silent_since) {
      link.silent_since = now;
    } else if (now - *link.silent_since > options_.silence_max) {
      link.connection->Close("it was asked and has not answered");
    }
  }
  if (now - times_checked_at_ < kCheckTimesEvery) return;
  times_checked_at_ = now;
  listener_.CheckTimes(now);
  for (const auto& [connection, owned] : dialled_) connection->CheckTimes(now);
}

void PeerTransport::Dial(size_t index, MonotonicTime now) {
  Link& link = links_[index];
  link.dialling = true;
  // Half of the pause is drawn, so that nodes that started together do not dial together.
  const auto half = static_cast<uint64_t>(link.backoff.count()) / 2;
  link.dial_at = now + Duration(half + random_.Below(half + 1));
  link.backoff = std::min(2 * link.backoff, options_.redial_max);

  sockaddr_storage address{};
  const ring::Doors& doors = link.member->doors;
  if (NumericAddress(doors.host, doors.peer, &address)) {
    return DialAddress(index, reinterpret_cast<const sockaddr*>(&address));
  }
  auto lookup = std::make_unique<Lookup>(Lookup{.transport = this, .link = index});
  lookup->request.data = lookup.get();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const int failed = uv_getaddrinfo(
      shared_.loop, &lookup->request,
      [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
        const std::unique_ptr<Lookup> owned(static_cast<Lookup*>(request->data));
        PeerTransport* self = owned->transport;
        --self->lookups_;
        if (status != 0) {
          self->DialFailed(&self->links_[owned->link], uv_strerror(status));
        } else if (!self->closing_) {
          self->DialAddress(owned->link, found->ai_addr);
        }
        uv_freeaddrinfo(found);
      },
      doors.host.c_str(), std::to_string(doors.peer).c_str(), &hints);
  if (failed != 0) return DialFailed(&link, uv_strerror(failed));
  ++lookups_;
  static_cast<void>(lookup.release());  // the callback owns it
}

void PeerTransport::DialAddress(size_t index, const sockaddr* address) {
  auto made = std::make_unique<TcpConnection>(
      &shared_, options_.hello_max, [this](TcpConnection* closed) { dialled_.erase(closed); });
  TcpConnection* connection = made.get();
  dialled_.emplace(connection, std::move(made));
  connection->Connect(address, std::make_unique<PeerSession>(this, connection, &links_[index]),
                      handler_->clock());
}

void PeerTransport::DialFailed(Link* link, std::string_view why) {
  link->dialling = false;
  if (closing_) return;
  const ring::Doors& doors = link->member->doors;
  log_.Log(handler_->clock(), fmt::format("dial {}", link->member->name), LogLevel::kWarning,
           fmt::format("cannot reach {} at {} port {}: {}; trying on", link->member->name,
                       doors.host, doors.peer, why));
}

Result<PeerTransport::Link*> PeerTransport::OnHello(TcpConnection* connection, Link* dialled,
                                                    const wire::Hello& theirs) {
  const auto index = layout_->IndexOf(theirs.node);
  if (auto ok = JudgePeer(options_.hello, theirs, index.has_value()); !ok) {
    return std::unexpected(ok.error());
  }
  Link* link = &links_[index->value];
  if (dialled != nullptr && dialled != link) {
    return Fail(Code::kConflict,
                fmt::format("node {} dialled {} and reached {}: two seeds share an address",
                            options_.hello.node_name, dialled->member->name, theirs.node_name));
  }
  if (dialled == nullptr) {
    if (link->dials) {
      return Fail(Code::kConflict, fmt::format("node {} is the one to dial {}, not the other way",
                                               options_.hello.node_name, theirs.node_name));
    }
    encoder_.AppendHello(options_.hello, connection->out());
  }

  if (link->connection != nullptr) {
    // Theirs is newer: the old one may have died without our kernel knowing yet.
    link->connection->Close("the peer has connected anew");
    ++counters_.connections_lost;
    handler_->OnPeerDown(theirs.node);
  }
  link->connection = connection;
  link->dialling = false;
  link->backoff = options_.redial_min;
  link->asked = false;
  link->silent_since.reset();
  link->doors = theirs.doors;
  ++counters_.connections_made;
  log_.Log(handler_->clock(), fmt::format("up {}", theirs.node_name), LogLevel::kInfo,
           fmt::format("connected with {} ({})", theirs.node_name, theirs.software));
  handler_->OnPeerUp(theirs.node);
  return link;
}

void PeerTransport::OnMessage(Link* link, wire::PeerMessage message) {
  ++counters_.messages_received;
  link->asked = false;
  link->silent_since.reset();
  handler_->OnPeerMessage(link->member->id, std::move(message));
}

void PeerTransport::OnClosed(TcpConnection* connection, Link* link, Link* dialled,
                             std::string_view reason) {
  if (link == nullptr && dialled != nullptr) {
    return DialFailed(dialled, reason.empty() ? "it closed the connection" : reason);
  }
  if (link == nullptr || link->connection != connection) return;
  link->connection = nullptr;
  ++counters_.connections_lost;
  if (!closing_) {
    log_.Log(handler_->clock(), fmt::format("down {}", link->member->name), LogLevel::kWarning,
             fmt::format("lost the connection with {}: {}", link->member->name,
                         reason.empty() ? "it closed" : reason));
  }
  handler_->OnPeerDown(link->member->id);
}

void PeerTransport::Refused(std::string_view by, std::string_view text) {
  ++counters_.refusals;
  log_.Log(handler_->clock(), fmt::format("refused {}", text), LogLevel::kError,
           fmt::format("a peer connection was refused by {}: {}", by, text));
}

void PeerTransport::Close() {
  closing_ = true;
  listener_.Close();
  for (const auto& [connection, owned] : dialled_) connection->Close("");
}

}  // namespace eddy::server
