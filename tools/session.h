// From the global options to a client, and the questions that go to nodes rather than to keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "client/client.h"
#include "tools/command.h"
#include "wire/hello.h"

namespace eddy::tools {

enum class Routing {
  kGivenNodes,  // only to those named with --node, the first that works: they forward
  kReplicas,    // each request to a replica of its key, wherever that is
};

[[nodiscard]] Result<std::vector<client::Address>> AddressesOf(const GlobalOptions& global);
[[nodiscard]] Result<std::unique_ptr<client::Client>> OpenClient(const GlobalOptions& global,
                                                                 Routing routing,
                                                                 size_t window = 1);

// What the first of the given nodes that answers says of the cluster.
[[nodiscard]] Result<wire::NodeStatus> AskStatus(const GlobalOptions& global);
// What each of these nodes says, asked at the same time; in their order.
std::vector<Result<wire::NodeStatus>> AskStatusOfAll(const GlobalOptions& global,
                                                     const std::vector<client::Address>& nodes);

// The members that are left by the newest layout.
std::vector<wire::MemberStatus> CurrentMembers(const wire::NodeStatus& status);
// "joining" or "leaving"; empty for a plain member.
std::string_view StandingName(wire::Standing standing);

// What each says to an admin call (wire/admin.h), likewise.
std::vector<Result<std::string>> AskAdminOfAll(const GlobalOptions& global,
                                               const std::vector<client::Address>& nodes,
                                               const std::string& call,
                                               const std::string& arguments);

}  // namespace eddy::tools
