// hints.show: what this node keeps for others, and how far it is delivered.
#include <map>
#include <utility>

#include "server/admin_calls.h"

namespace eddy::server {

using Json = nlohmann::ordered_json;

AdminAnswer ShowHints(const node::Node& node, const storage::HintLedger& ledger,
                      const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {}); !ok) return std::unexpected(ok.error());
  struct Kept {
    storage::HintUsage usage;
    node::HintBook::Notes notes;
  };
  std::map<NodeId, Kept> owners;
  for (const auto& [owner, usage] : ledger.usage()) owners[owner].usage = usage;
  for (const auto& [owner, notes] : node.hint_book().notes()) owners[owner].notes = notes;
  Json shown = Json::array();
  for (const auto& [owner, kept] : owners) {
    shown.push_back({{"owner", owner.ToHex()},
                     {"keys", kept.usage.rows},
                     {"bytes", kept.usage.bytes},
                     {"noted", kept.notes.noted},
                     {"delivered", kept.notes.delivered}});
  }
  return Json{{"life", node.life()},
              {"bytes_max", ledger.bytes_max()},
              {"refused", ledger.refused()},
              {"owners", std::move(shown)}};
}

}  // namespace eddy::server
