#include "client/node_pool.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "client/routing.h"

namespace eddy::client {

namespace {

constexpr Duration kDownMin = std::chrono::milliseconds(100);
constexpr Duration kDownMax = std::chrono::seconds(5);
// Of a member that never answered: perhaps its address means nothing where the client is.
constexpr Duration kDownMaxStranger = std::chrono::seconds(60);
// The members of a layout, and as many that were members before.
constexpr size_t kNodesMax = 2 * ring::kMembersMax;

}  // namespace

NodePool::NodePool(const ClientOptions& options, RequestId status_id)
    : options_(options), status_id_(status_id) {
  for (const Address& address : options_.nodes) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->address = address;
  }
}

// ---- Choosing

std::optional<NodeIndex> NodePool::Choose(ring::Token token, const std::set<NodeIndex>& tried,
                                          TimePoint now) const {
  const auto first = [&](auto fits) -> std::optional<NodeIndex> {
    if (layout_) {
      for (const ring::MemberIndex member : layout_->Walk(layout_->PartitionOf(token))) {
        const auto node = node_of_member_[member.value];
        if (node && !tried.contains(*node) && fits(*node)) return node;
      }
    }
    for (NodeIndex node = 0; node < nodes_.size(); ++node) {
      if (!tried.contains(node) && fits(node)) return node;
    }
    return std::nullopt;
  };
  const auto sound = first([&](NodeIndex node) { return nodes_[node]->failures == 0; });
  return sound ? sound : first([&](NodeIndex node) { return Usable(node, now); });
}

bool NodePool::Usable(NodeIndex node, TimePoint now) const {
  return nodes_[node]->connection != nullptr || nodes_[node]->down_until <= now;
}

bool NodePool::Ready(NodeIndex node) const {
  return nodes_[node]->connection != nullptr && nodes_[node]->connection->ready();
}

Error NodePool::WhyNobody() const {
  if (nodes_.empty()) return {Code::kInvalidArgument, "no node to talk to; give at least one"};
  if (nodes_.size() == 1) return nodes_.front()->last_error;
  return {nodes_.front()->last_error.code,
          fmt::format("none of {} nodes can be reached; {}", nodes_.size(),
                      nodes_.front()->last_error.text)};
}

std::vector<Address> NodePool::addresses() const {
  std::vector<Address> addresses;
  for (const auto& node : nodes_) addresses.push_back(node->address);
  return addresses;
}

// ---- Connections

Result<Connection*> NodePool::ConnectionTo(NodeIndex index, TimePoint now) {
  Node& node = *nodes_[index];
  if (node.connection == nullptr) {
    auto opened = Connection::Open(node.address,
                                   {.cluster = options_.cluster, .software = options_.software});
    if (!opened) {
      Fail(index, opened.error(), now);
      return std::unexpected(opened.error());
    }
    node.connection = *std::move(opened);
    node.greeted = false;
    node.connect_deadline = now + options_.connect_timeout;
  }
  return node.connection.get();
}

void NodePool::Fail(NodeIndex index, const Error& error, TimePoint now) {
  Node& node = *nodes_[index];
  if (node.connection != nullptr) node.connection->Abandon();
  node.connection.reset();
  node.last_error = error;
  const bool stranger = !node.worked && index >= options_.nodes.size();
  node.down_until = now + std::min(stranger ? kDownMaxStranger : kDownMax,
                                   kDownMin * (1 << std::min(node.failures, 10u)));
  ++node.failures;
}

void NodePool::Probe(TimePoint now) {
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    const Node& node = *nodes_[index];
    // When it cannot be opened, that is one more failure, and a longer pause.
    if (node.failures > 0 && node.connection == nullptr && node.down_until <= now) {
      (void)ConnectionTo(index, now);
    }
  }
}

void NodePool::Poll(TimePoint until, const Events& events) {
  Probe(std::chrono::steady_clock::now());
  poll_fds_.clear();
  polled_.clear();
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    Node& node = *nodes_[index];
    if (node.connection == nullptr) continue;
    node.connection->Flush();
    // No descriptor: it broke just now, and there is nothing to wait for.
    if (node.connection->fd() < 0) until = TimePoint{};
    if (!node.connection->ready()) until = std::min(until, node.connect_deadline);
    poll_fds_.push_back(
        {.fd = node.connection->fd(), .events = node.connection->events(), .revents = 0});
    polled_.push_back(index);
  }
  ::poll(poll_fds_.data(), poll_fds_.size(), PollMilliseconds(until));
  const TimePoint now = std::chrono::steady_clock::now();
  for (size_t i = 0; i < polled_.size(); ++i) {
    if (poll_fds_[i].revents != 0 || poll_fds_[i].fd < 0) {
      Advance(polled_[i], now, events);
    } else if (const Node& node = *nodes_[polled_[i]];
               !node.connection->ready() && now >= node.connect_deadline) {
      const Error error{
          Code::kUnavailable,
          fmt::format("{} does not answer; is a node running there?", ToString(node.address))};
      Fail(polled_[i], error, now);
      events.on_failure(polled_[i], error, false);
    }
  }
}

void NodePool::Advance(NodeIndex index, TimePoint now, const Events& events) {
  Connection& connection = *nodes_[index]->connection;
  connection.Advance();
  if (connection.ready()) Greet(index, now);
  while (true) {
    auto reply = connection.Next();
    if (!reply) {
      const Error& error = reply.error();
      const bool was_ready = connection.ready();
      Fail(index, error, now);
      return events.on_failure(index, error, was_ready);
    }
    if (!*reply) return;
    if (auto* status = std::get_if<StatusAnswer>(&**reply)) {
      TakeLayout(status->status);
    } else if (auto* answer = std::get_if<wire::ClientReply>(&**reply)) {
      events.on_reply(index, std::move(*answer));
    }
    // Anything else was not asked for.
  }
}

// ---- The layout

void NodePool::Greet(NodeIndex index, TimePoint now) {
  Node& node = *nodes_[index];
  if (!node.greeted) {
    node.greeted = true;
    node.worked = true;
    node.failures = 0;
    node.id = node.connection->hello().node;
    // Much may have changed since it was last heard of.
    layout_due_ = now;
  }
  if (layout_due_ <= now) AskLayout(index, now);
}

void NodePool::AskLayout(NodeIndex index, TimePoint now) {
  if (!options_.ring_aware) return;
  if (nodes_[index]->connection->SendStatusRequest(status_id_)) {
    layout_due_ = now + options_.layout_refresh;
    nodes_[index]->connection->Flush();
  }
}

void NodePool::TakeLayout(const wire::NodeStatus& status) {
  auto layout = LayoutOf(status);
  // Without one, or with an older one, requests still get to their replicas: the nodes forward.
  if (!layout || (layout_ && layout->version() <= layout_->version())) return;
  layout_ = *std::move(layout);
  node_of_member_.clear();
  for (const ring::Member& member : layout_->members()) {
    node_of_member_.push_back(Add(member.id, {member.doors.host, member.doors.native}));
  }
}

std::optional<NodeIndex> NodePool::Add(NodeId id, const Address& address) {
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    Node& node = *nodes_[index];
    if (node.id == id || node.address == address) {
      node.id = id;
      return index;
    }
  }
  if (address.host.empty() || address.port == 0 || nodes_.size() >= kNodesMax) return std::nullopt;
  nodes_.push_back(std::make_unique<Node>());
  nodes_.back()->id = id;
  nodes_.back()->address = address;
  return nodes_.size() - 1;
}

}  // namespace eddy::client
