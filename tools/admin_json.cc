#include "tools/admin_json.h"

#include <algorithm>
#include <utility>

#include "tools/session.h"

namespace eddy::tools {

using Json = nlohmann::ordered_json;

std::vector<Result<Json>> AskEachJson(const GlobalOptions& global,
                                      const std::vector<client::Address>& nodes,
                                      const std::string& call, const Json& arguments) {
  std::vector<Result<Json>> answers;
  for (auto& said : AskAdminOfAll(global, nodes, call, arguments.dump())) {
    if (!said) {
      answers.emplace_back(std::unexpected(said.error()));
      continue;
    }
    Json json = Json::parse(*said, nullptr, false);
    if (json.is_object()) {
      answers.emplace_back(std::move(json));
    } else {
      answers.emplace_back(
          Fail(Code::kCorruption, "the node answers what this eddyctl cannot read"));
    }
  }
  return answers;
}

Result<Json> AskJson(const GlobalOptions& global, const client::Address& node,
                     const std::string& call, const Json& arguments) {
  return std::move(AskEachJson(global, {node}, call, arguments).front());
}

client::Address AddressOf(const wire::MemberStatus& member) {
  return {.host = member.doors.host, .port = member.doors.native};
}

std::vector<wire::MemberStatus> MembersByName(const wire::NodeStatus& status) {
  std::vector<wire::MemberStatus> members = CurrentMembers(status);
  std::ranges::sort(members, {}, &wire::MemberStatus::name);
  return members;
}

}  // namespace eddy::tools
