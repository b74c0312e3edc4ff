// What the verbs that show and change the cluster have in common: asking one member, asking all,
// and waiting until a change is done and its data has moved.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "tools/command.h"
#include "tools/session.h"

namespace eddy::tools {

inline const Error kUnreadable{Code::kCorruption, "the node answers what this eddyctl cannot read"};

// What one node says to an admin call, as an object.
Result<nlohmann::ordered_json> AskOne(const GlobalOptions& global, const client::Address& address,
                                      const std::string& call,
                                      const nlohmann::ordered_json& arguments);
std::vector<client::Address> AddressesOfMembers(const wire::NodeStatus& status);
// Of the node whose status it is.
client::Address AddressOfSelf(const wire::NodeStatus& status);

// Shows how far the members at these addresses are until nothing waits to be done or moves, and
// says so; Ctrl-C ends the waiting alone.
ExitCode WaitUntilSettled(const GlobalOptions& global,
                          const std::vector<client::Address>& addresses);

// Shows the same again each second, on a terminal in its place, until Ctrl-C. What `show` fails
// with is shown, and tried again.
ExitCode Watch(const GlobalOptions& global, const std::function<ExitCode()>& show);
inline constexpr const char* kWatchHelp = "Show it again each second, until Ctrl-C";

}  // namespace eddy::tools
