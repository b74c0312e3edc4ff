// Admin calls (wire/admin.h) with their arguments and answers as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "client/address.h"
#include "tools/command.h"
#include "wire/hello.h"

namespace eddy::tools {

// What each of these nodes answers, asked at the same time; in their order. kCorruption for an
// answer that is no object.
std::vector<Result<nlohmann::ordered_json>> AskEachJson(const GlobalOptions& global,
                                                        const std::vector<client::Address>& nodes,
                                                        const std::string& call,
                                                        const nlohmann::ordered_json& arguments);
Result<nlohmann::ordered_json> AskJson(const GlobalOptions& global, const client::Address& node,
                                       const std::string& call,
                                       const nlohmann::ordered_json& arguments);

client::Address AddressOf(const wire::MemberStatus& member);
// Those that are left by the newest layout, in the order of their names.
std::vector<wire::MemberStatus> MembersByName(const wire::NodeStatus& status);

}  // namespace eddy::tools
