#include "tools/session.h"

#include <poll.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "client/connection.h"

namespace eddy::tools {

namespace {

constexpr RequestId kQuestion{.client = 1, .sequence = 1};

client::ClientOptions ClientOptionsOf(const GlobalOptions& global) {
  client::ClientOptions options;
  options.cluster = global.cluster;
  options.software = "eddyctl " EDDY_VERSION;
  options.timeout = global.timeout;
  // Who waits longer means large values or slow nodes, and not more attempts.
  options.attempt_timeout = std::max(options.attempt_timeout, global.timeout / 3);
  return options;
}

// A node that was asked and has not answered yet.
struct Asked {
  std::unique_ptr<client::Connection> connection;
  std::optional<Result<client::Reply>> answer;
};

using Send = std::function<Status(client::Connection*)>;

void Ask(const GlobalOptions& global, const client::Address& node, const Send& send, Asked* asked) {
  auto connection = client::Connection::Open(
      node, {.cluster = global.cluster, .software = "eddyctl " EDDY_VERSION});
  if (!connection) {
    asked->answer = std::unexpected(connection.error());
    return;
  }
  asked->connection = std::move(*connection);
  if (const Status sent = send(asked->connection.get()); !sent) {
    asked->answer = std::unexpected(sent.error());
  }
}

void TakeAnswer(Asked* asked) {
  asked->connection->Advance();
  auto reply = asked->connection->Next();
  if (!reply) {
    asked->answer = std::unexpected(reply.error());
  } else if (*reply) {
    asked->answer = *std::move(*reply);
  }
}

// What each of these nodes replies, asked at the same time; in their order.
std::vector<Result<client::Reply>> AskAll(const GlobalOptions& global,
                                          const std::vector<client::Address>& nodes,
                                          const Send& send) {
  std::vector<Asked> asked(nodes.size());
  for (size_t i = 0; i < nodes.size(); i++) Ask(global, nodes[i], send, &asked[i]);

  const client::TimePoint deadline = client::TimeIn(global.timeout);
  for (;;) {
    std::vector<pollfd> polled;
    for (Asked& one : asked) {
      if (one.answer) continue;
      TakeAnswer(&one);
      if (one.answer) continue;
      polled.push_back(
          {.fd = one.connection->fd(), .events = one.connection->events(), .revents = 0});
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (polled.empty() || left.count() <= 0) break;
    poll(polled.data(), polled.size(), static_cast<int>(left.count()));
  }

  std::vector<Result<client::Reply>> answers;
  for (Asked& one : asked) {
    if (one.answer) {
      answers.push_back(std::move(*one.answer));
    } else {
      answers.emplace_back(Fail(Code::kTimeout, "does not answer"));
    }
  }
  return answers;
}

Error NotAsked() { return {Code::kCorruption, "the node answered what was not asked"}; }

}  // namespace

Result<std::vector<client::Address>> AddressesOf(const GlobalOptions& global) {
  std::vector<client::Address> addresses;
  for (const std::string& node : global.nodes) {
    auto address = client::ParseAddress(node);
    if (!address) return std::unexpected(address.error());
    addresses.push_back(std::move(*address));
  }
  return addresses;
}

Result<std::unique_ptr<client::Client>> OpenClient(const GlobalOptions& global, Routing routing,
                                                   size_t window) {
  auto addresses = AddressesOf(global);
  if (!addresses) return std::unexpected(addresses.error());
  client::ClientOptions options = ClientOptionsOf(global);
  options.nodes = std::move(*addresses);
  options.ring_aware = routing == Routing::kReplicas;
  options.window = window;
  return std::make_unique<client::Client>(std::move(options));
}

Result<wire::NodeStatus> AskStatus(const GlobalOptions& global) {
  auto client = OpenClient(global, Routing::kGivenNodes);
  if (!client) return std::unexpected(client.error());
  return (*client)->Status();
}

std::vector<Result<wire::NodeStatus>> AskStatusOfAll(const GlobalOptions& global,
                                                     const std::vector<client::Address>& nodes) {
  std::vector<Result<wire::NodeStatus>> answers;
  for (auto& reply : AskAll(global, nodes, [](client::Connection* connection) {
         return connection->SendStatusRequest(kQuestion);
       })) {
    if (!reply) {
      answers.emplace_back(std::unexpected(reply.error()));
    } else if (auto* status = std::get_if<client::StatusAnswer>(&*reply)) {
      answers.emplace_back(std::move(status->status));
    } else {
      answers.emplace_back(std::unexpected(NotAsked()));
    }
  }
  return answers;
}

std::vector<Result<std::string>> AskAdminOfAll(const GlobalOptions& global,
                                               const std::vector<client::Address>& nodes,
                                               const std::string& call,
                                               const std::string& arguments) {
  std::vector<Result<std::string>> answers;
  for (auto& reply : AskAll(global, nodes, [&](client::Connection* connection) {
         return connection->SendAdminRequest(
             {.id = kQuestion, .call = call, .arguments = arguments});
       })) {
    if (!reply) {
      answers.emplace_back(std::unexpected(reply.error()));
    } else if (auto* said = std::get_if<wire::AdminReply>(&*reply)) {
      if (said->error) {
        answers.emplace_back(std::unexpected(*said->error));
      } else {
        answers.emplace_back(std::move(said->result));
      }
    } else {
      answers.emplace_back(std::unexpected(NotAsked()));
    }
  }
  return answers;
}

std::vector<wire::MemberStatus> CurrentMembers(const wire::NodeStatus& status) {
  std::vector<wire::MemberStatus> members;
  for (const wire::MemberStatus& member : status.members) {
    if (member.standing != wire::Standing::kRemoved) members.push_back(member);
  }
  return members;
}

std::string_view StandingName(wire::Standing standing) {
  switch (standing) {
    case wire::Standing::kMember:
      return "";
    case wire::Standing::kJoining:
      return "joining";
    case wire::Standing::kLeaving:
      return "leaving";
    case wire::Standing::kRemoved:
      return "removed";
  }
  return "";
}

}  // namespace eddy::tools
