#include "server/peer_transport.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "ring/layout.h"
#include "server/handshake.h"
#include "wire/frame.h"

namespace eddy::server {

namespace {

constexpr Duration kCheckTimesEvery = std::chrono::milliseconds(250);
constexpr size_t kConnectionsMax = 2 * ring::kMembersMax;

TcpLimits PeerLimits() {
  TcpLimits limits;
  // Two nodes that each stopped reading until the other reads would wait for ever: what is too much
  // is dropped instead.
  limits.unsent_bytes_pause = limits.unsent_bytes_max;
  limits.vanished_max = std::chrono::seconds(5);
  return limits;
}

ListenerOptions DoorOf(const PeerOptions& options) {
  std::string full;
  wire::Encoder().AppendRefusal(Error{Code::kBusy,
                                      "too many peer connections: is this address in the seed "
                                      "lists of other clusters?"},
                                &full);
  return ListenerOptions{.door = "peer",
                         .flag = "--peer-port",
                         .host = options.host,
                         .port = options.port,
                         .connections_max = kConnectionsMax,
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
  PeerSession(PeerTransport* transport, TcpConnection* connection, PeerTransport::Target* dialled)
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
      transport_->Refused(dialled_ != nullptr ? dialled_->name : "a peer", refusal->text);
      connection_->CloseAfterFlush();
      return {};
    }
    if (link_ == nullptr && frame.kind == wire::FrameKind::kHello) {
      const auto hello = wire::DecodeHello(frame.payload);
      if (!hello) return std::unexpected(hello.error());
      auto link = transport_->OnHello(connection_, dialled_, *hello);
      if (!link) return std::unexpected(std::move(link.error()));
      link_ = *link;
      if (link_ == nullptr) {
        ended_ = true;
        connection_->Close("it has another connection with this node");
      }
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
  PeerTransport::Target* const dialled_;
  PeerTransport::Link* link_ = nullptr;  // once greeted
  bool ended_ = false;
};

// A name that the system is looking up for a dial.
struct PeerTransport::Lookup {
  uv_getaddrinfo_t request;
  PeerTransport* transport;
  Target* target;
};

PeerTransport::PeerTransport(uv_loop_t* loop, PeerOptions options, PeerHandler* handler,
                             LogSink* log, Random random)
    : options_(std::move(options)),
      handler_(handler),
      log_(log),
      random_(random),
      shared_{.loop = loop, .limits = PeerLimits(), .input_age = options_.input_age},
      listener_(
          &shared_, DoorOf(options_),
          [this](TcpConnection* connection) {
            return std::make_unique<PeerSession>(this, connection, nullptr);
          },
          [handler] { return handler->clock(); }) {
  for (const Seed& seed : options_.seeds) {
    seeds_.push_back(Target{.name = seed.name,
                            .host = seed.host,
                            .port = seed.peer_port,
                            .node = std::nullopt,
                            .is_seed = true,
                            .backoff = options_.redial_min});
  }
}

PeerTransport::~PeerTransport() { CHECK(empty()); }

Status PeerTransport::Listen() {
  if (options_.port == 0) return {};
  return listener_.Listen();
}

void PeerTransport::SetCluster(Digest origin, const std::vector<ring::Member>& members) {
  options_.hello.layout = origin;
  for (auto& [id, link] : links_) link.target.is_member = false;
  members_ = 0;
  for (const ring::Member& member : members) {
    if (member.id == options_.hello.node) continue;
    Link& link = links_[member.id];
    const bool moved =
        link.target.host != member.doors.host || link.target.port != member.doors.peer;
    link.id = member.id;
    link.target.name = member.name;
    link.target.host = member.doors.host;
    link.target.port = member.doors.peer;
    link.target.node = member.id;
    link.target.is_member = true;
    if (moved) link.target.backoff = options_.redial_min;
    if (link.connection == nullptr) link.doors = member.doors;
    ++members_;
  }
}

void PeerTransport::Learn(NodeId node, const std::string& host, uint16_t port) {
  const auto found = links_.find(node);
  if (found == links_.end() || !found->second.target.is_member) return;
  Link& link = found->second;
  if (link.connection != nullptr) return;
  link.target.host = host;
  link.target.port = port;
  link.target.backoff = options_.redial_min;
  link.target.dial_at = {};
  link.doors.host = host;
  link.doors.peer = port;
}

const PeerTransport::Link* PeerTransport::Find(NodeId node) const {
  const auto found = links_.find(node);
  return found == links_.end() ? nullptr : &found->second;
}

const ring::Doors* PeerTransport::DoorsOf(NodeId node) const {
  if (node == options_.hello.node) return &options_.hello.doors;
  const Link* link = Find(node);
  return link == nullptr ? nullptr : &link->doors;
}

size_t PeerTransport::unsent_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, link] : links_) {
    if (link.connection != nullptr) bytes += link.connection->unsent_bytes();
  }
  return bytes;
}

bool PeerTransport::TooMuchWaits(const Link& link) const {
  // The sum is only looked at where there may be something to find.
  const size_t share = options_.queues_bytes_max / std::max<size_t>(links_.size(), 1);
  return link.connection->unsent_bytes() > share && unsent_bytes() > options_.queues_bytes_max;
}

void PeerTransport::Send(NodeId to, const wire::PeerMessage& message) {
  const auto found = links_.find(to);
  Link* link = found == links_.end() ? nullptr : &found->second;
  if (link == nullptr || link->connection == nullptr || TooMuchWaits(*link)) {
    ++counters_.messages_dropped;
    return;
  }
  if (options_.faults != nullptr) {
    wire::PeerMessage copy = message;
    if (WantsAnswer(message)) link->asked = true;
    if (!Passes(link, FaultTable::Direction::kOut, &copy)) return;
  }
  SendNow(link, message);
}

void PeerTransport::SendNow(Link* link, const wire::PeerMessage& message) {
  if (!encoder_.AppendPeerMessage(message, link->connection->out())) {
    ++counters_.messages_dropped;
    return;
  }
  ++counters_.messages_sent;
  if (WantsAnswer(message)) link->asked = true;
  link->connection->QueueFlush();
}

bool PeerTransport::Passes(Link* link, FaultTable::Direction direction,
                           wire::PeerMessage* message) {
  const auto verdict = options_.faults->Judge(link->doors.host, link->doors.peer, direction);
  FaultGate& gate = direction == FaultTable::Direction::kOut ? link->out : link->in;
  const FaultGate::Way way = gate.Admit(verdict, handler_->clock(), message);
  if (way == FaultGate::Way::kBreak) link->connection->Close("a fault that was asked for");
  return way == FaultGate::Way::kPass;
}

void PeerTransport::TickFaults(Link* link, MonotonicTime now) {
  while (!link->connection->closed()) {
    const auto message = link->out.Next(now);
    if (!message) break;
    SendNow(link, *message);
  }
  // How long it has waited in the gate, the gate knows.
  if (options_.input_age != nullptr) options_.input_age->Use(std::nullopt);
  while (!link->connection->closed()) {
    auto message = link->in.Next(now);
    if (!message) break;
    ReceiveNow(link, *std::move(message));
  }
  const bool gap = link->out.has_gap() || link->in.has_gap();
  if (gap && !options_.faults->Cuts(link->doors.host, link->doors.peer)) {
    link->connection->Close("messages were dropped, as was asked for");
  }
}

void PeerTransport::Tick(MonotonicTime now) {
  if (closing_) return;
  if (!began_at_) began_at_ = now;
  for (auto& [id, link] : links_) {
    if (link.connection == nullptr) continue;
    if (options_.faults != nullptr) TickFaults(&link, now);
    if (!link.asked) {
      link.silent_since.reset();
    } else if (!link.silent_since) {
      link.silent_since = now;
    } else if (now - *link.silent_since > options_.silence_max) {
      link.connection->Abandon("it was asked and has not answered");
    }
  }
  TickDials(now);
  if (now - times_checked_at_ < kCheckTimesEvery) return;
  times_checked_at_ = now;
  listener_.CheckTimes(now);
  for (const auto& [connection, owned] : dialled_) connection->CheckTimes(now);
}

void PeerTransport::TickDials(MonotonicTime now) {
  for (auto& [id, link] : links_) {
    Target& target = link.target;
    if (!target.is_member || link.connection != nullptr || target.dialling) continue;
    const bool ours = Smaller(id) || now >= std::max(link.down_since, *began_at_) +
                                                options_.dial_out_of_turn_after;
    if (ours && now >= target.dial_at) Dial(&target, now);
  }
  for (size_t i = 0; i < seeds_.size(); ++i) {
    Target& seed = seeds_[i];
    if (seed.dialling || now < seed.dial_at) continue;
    // Members are dialled as such.
    const Link* link = seed.node ? Find(*seed.node) : nullptr;
    if (seed.node == options_.hello.node ||
        (link != nullptr && (link->connection != nullptr || link->target.is_member))) {
      continue;
    }
    const bool connected = std::ranges::any_of(links_, [&](const auto& entry) {
      const Link& other = entry.second;
      return other.connection != nullptr && other.doors.host == seed.host &&
             other.doors.peer == seed.port;
    });
    const bool ours =
        i < options_.seeds_dialled || now >= *began_at_ + options_.dial_out_of_turn_after;
    if (ours && !connected) Dial(&seed, now);
  }
}

void PeerTransport::Dial(Target* target, MonotonicTime now) {
  target->dialling = true;
  // Half of the pause is drawn, so that nodes that started together do not dial together.
  const auto half = static_cast<uint64_t>(target->backoff.count()) / 2;
  target->dial_at = now + Duration(half + random_.Below(half + 1));
  // Where the members are known, a seed that cannot be reached is nobody that is missed.
  const Duration most = target->is_seed && members_ > 0 ? kSeedRedialMax : options_.redial_max;
  target->backoff = std::min(2 * target->backoff, most);
  if (options_.faults != nullptr && options_.faults->Cuts(target->host, target->port)) {
    return DialFailed(target, "a fault that was asked for");
  }

  sockaddr_storage address{};
  if (NumericAddress(target->host, target->port, &address)) {
    return DialAddress(target, reinterpret_cast<const sockaddr*>(&address));
  }
  auto lookup = std::make_unique<Lookup>(Lookup{.transport = this, .target = target});
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
          self->DialFailed(owned->target, uv_strerror(status));
        } else if (!self->closing_) {
          self->DialAddress(owned->target, found->ai_addr);
        }
        uv_freeaddrinfo(found);
      },
      target->host.c_str(), std::to_string(target->port).c_str(), &hints);
  if (failed != 0) return DialFailed(target, uv_strerror(failed));
  ++lookups_;
  static_cast<void>(lookup.release());  // the callback owns it
}

void PeerTransport::DialAddress(Target* target, const sockaddr* address) {
  auto made = std::make_unique<TcpConnection>(
      &shared_, options_.hello_max, [this](TcpConnection* closed) { dialled_.erase(closed); });
  TcpConnection* connection = made.get();
  dialled_.emplace(connection, std::move(made));
  connection->Connect(address, std::make_unique<PeerSession>(this, connection, target),
                      handler_->clock());
}

void PeerTransport::DialFailed(Target* target, std::string_view why) {
  target->dialling = false;
  if (closing_) return;
  log_.Log(handler_->clock(), fmt::format("dial {}", target->name), LogLevel::kWarning,
           fmt::format("cannot reach {} at {} port {}: {}; trying on: start it if it is down, else "
                       "look at the network between the two (TCP and UDP on that port)",
                       target->name, target->host, target->port, why));
}

Result<PeerTransport::Link*> PeerTransport::OnHello(TcpConnection* connection, Target* dialled,
                                                    const wire::Hello& theirs) {
  const NodeId self = options_.hello.node;
  if (dialled != nullptr) dialled->dialling = false;
  if (dialled != nullptr && dialled->is_seed) {
    dialled->node = theirs.node;
    // An address of our own.
    if (theirs.node == self) return nullptr;
  }
  if (auto ok = JudgePeer(options_.hello, theirs); !ok) return std::unexpected(ok.error());
  // Of what was cut nobody hears a word.
  if (options_.faults != nullptr && options_.faults->Cuts(theirs.doors.host, theirs.doors.peer)) {
    return nullptr;
  }
  if (!links_.contains(theirs.node) && links_.size() >= members_ + kStrangersMax) {
    return Fail(Code::kBusy, fmt::format("node {} has met too many nodes that are no members",
                                         options_.hello.node_name));
  }
  Link& link = links_[theirs.node];
  link.id = theirs.node;
  if (!link.target.is_member) link.target.name = theirs.node_name;
  const auto of_smaller = [&](bool ours) { return ours == Smaller(theirs.node); };
  const bool ours = dialled != nullptr;
  if (link.connection != nullptr && of_smaller(link.ours) && !of_smaller(ours)) return nullptr;
  if (!ours) encoder_.AppendHello(options_.hello, connection->out());

  if (link.connection != nullptr) {
    // Theirs is newer: the old one may have died without our kernel knowing yet.
    link.connection->Close("the peer has connected anew");
    ++counters_.connections_lost;
    handler_->OnPeerDown(theirs.node);
  }
  link.connection = connection;
  link.ours = ours;
  link.target.backoff = options_.redial_min;
  if (dialled != nullptr) dialled->backoff = options_.redial_min;
  link.asked = false;
  link.silent_since.reset();
  link.out.Reset();
  link.in.Reset();
  link.doors = theirs.doors;
  ++counters_.connections_made;
  log_.Log(handler_->clock(), fmt::format("up {}", theirs.node_name), LogLevel::kInfo,
           fmt::format("connected with {} ({})", theirs.node_name, theirs.software));
  handler_->OnPeerUp(theirs.node);
  return &link;
}

void PeerTransport::OnMessage(Link* link, wire::PeerMessage message) {
  if (options_.faults != nullptr) {
    // Of a connection that was closed by a fault some messages may still be in the input.
    if (link->connection == nullptr || link->connection->closed()) return;
    if (!Passes(link, FaultTable::Direction::kIn, &message)) return;
  }
  ReceiveNow(link, std::move(message));
}

void PeerTransport::ReceiveNow(Link* link, wire::PeerMessage message) {
  ++counters_.messages_received;
  link->asked = false;
  link->silent_since.reset();
  handler_->OnPeerMessage(link->id, std::move(message));
}

void PeerTransport::OnClosed(TcpConnection* connection, Link* link, Target* dialled,
                             std::string_view reason) {
  if (link == nullptr && dialled != nullptr && dialled->dialling) {
    return DialFailed(dialled, reason.empty() ? "it closed the connection" : reason);
  }
  if (link == nullptr || link->connection != connection) return;
  link->connection = nullptr;
  link->down_since = handler_->clock();
  ++counters_.connections_lost;
  if (!closing_) {
    log_.Log(handler_->clock(), fmt::format("down {}", link->target.name), LogLevel::kWarning,
             fmt::format("lost the connection with {}: {}; dialling it again, and keeping for it "
                         "what it misses: nothing to do unless it stays away",
                         link->target.name, reason.empty() ? "it closed" : reason));
  }
  handler_->OnPeerDown(link->id);
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
