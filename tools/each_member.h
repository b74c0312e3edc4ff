// An admin call to every member at the same time, and what each says.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "base/status.h"
#include "client/client.h"
#include "tools/command.h"
#include "tools/session.h"
#include "wire/hello.h"

namespace eddy::tools {

struct AskedMember {
  NodeId id;
  std::string name;
  client::Address address;
};

// Those that one node names, in the order of their names.
std::vector<AskedMember> MembersOf(const wire::NodeStatus& status);

// In the order of `members`: each one's answer as `read` makes it of the object that it gave and of
// the member's index. `read` may throw what the JSON library throws where the object is not as it
// should be.
template <class Answer, class Read>
std::vector<Result<Answer>> AskEach(const GlobalOptions& global,
                                    const std::vector<AskedMember>& members,
                                    const std::string& call,
                                    const nlohmann::ordered_json& arguments, Read read) {
  using Json = nlohmann::ordered_json;
  std::vector<client::Address> addresses;
  for (const AskedMember& member : members) addresses.push_back(member.address);
  std::vector<Result<Answer>> said;
  const auto answers = AskAdminOfAll(global, addresses, call, arguments.dump());
  for (size_t i = 0; i < answers.size(); ++i) {
    Result<Answer> answer = Fail(Code::kCorruption, "answers what this eddyctl cannot read");
    if (!answers[i]) {
      answer = std::unexpected(answers[i].error());
    } else {
      try {
        answer = read(Json::parse(*answers[i]), i);
      } catch (const Json::exception&) {
        // As it was.
      }
    }
    said.push_back(std::move(answer));
  }
  return said;
}

}  // namespace eddy::tools
