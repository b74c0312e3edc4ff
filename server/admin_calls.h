// The admin calls by subject, for the registry of server/admin.cc. Each takes a JSON object and
// gives one; kInvalidArgument for arguments that it does not take.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/time.h"
#include "node/node.h"
#include "server/fault_table.h"
#include "storage/hint_ledger.h"
#include "wire/admin.h"

namespace eddy::server {

using AdminAnswer = Result<nlohmann::ordered_json>;

// The arguments as an object; empty where none are given.
AdminAnswer AdminArgumentsOf(const wire::AdminRequest& request);
wire::AdminReply AdminReplyOf(const wire::AdminRequest& request, const AdminAnswer& answer);
// Replicas of the default number: what people mean by a member's share.
inline constexpr size_t kShownReplicas = 3;
// How many replicas each member holds, of that many of each partition.
std::map<NodeId, uint64_t> ReplicasByMember(const ring::Layout& layout);

// Refuses an argument that is not among these, by name.
Status CheckAdminNames(const nlohmann::ordered_json& arguments,
                       std::initializer_list<std::string_view> known);

// A number of an object; nullopt: it is not there.
Result<std::optional<uint64_t>> NumberWithin(const nlohmann::ordered_json& arguments,
                                             const char* name, uint64_t least, uint64_t most);

// By owner: keys and bytes of the hints that are kept here, and how many were noted and delivered
// in this life of the node (node/hint_book.h).
AdminAnswer ShowHints(const node::Node& node, const storage::HintLedger& ledger,
                      const nlohmann::ordered_json& arguments);

// What this node does now that takes long: `tasks`, objects with kind (repair: comparisons that
// somebody has begun; transfer: filling it with what the newest layout gives it; handover; mend:
// bringing back what its disk has lost; hints: for one owner), how far it is, and whether it can be
// cancelled. Only a repair can: `kind`.
AdminAnswer ShowTasks(const node::Node& node, const storage::HintLedger& ledger,
                      const nlohmann::ordered_json& arguments);
AdminAnswer CancelTask(node::Node* node, Now now, const nlohmann::ordered_json& arguments);

// The layouts as this node knows them, every member's progress, and the orders that wait here.
AdminAnswer ShowCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// What this node copies because of the newest layout, from whom and how far it is, and what it has
// to hand over.
AdminAnswer ShowTransfers(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// Who holds which partition, by each live layout, oldest first: its members, and for each partition
// (or the one of the argument `partition`) the preference list as indices into them. `replicas`:
// the lists' length, 3 if it is missing.
AdminAnswer ShowRing(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// `changes`: objects with kind (join, leave, remove, replace, replace_lost, weight, zone), node (a
// name), and by (the name of what replaces it), weight or zone. What they would make of the
// cluster; with `staged`, they and what is staged; without `changes`, what is staged.
AdminAnswer PlanCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// Stages them, and says what all that is staged would make.
AdminAnswer StageCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// Orders all that is staged, if its plan is still the one of the argument `digest`; or drops it.
AdminAnswer CommitCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
AdminAnswer ClearCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// The order to make `changes` now, whatever is staged.
AdminAnswer OrderCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);
// Removals alone, without a vote.
AdminAnswer ForceCluster(node::Node* node, Now now, const nlohmann::ordered_json& arguments);

// What is in the fault table. Setting it takes the place of all before: `rules`, objects with peer
// (a member's name, or the HOST:PORT of its peer door), way (in, out, or both, which is the
// default), and drop, lose_per_mille, delay_ms; clock_offset_ms and disk_full of the node itself, 0
// and false if they are missing.
AdminAnswer ShowFaults(const FaultTable& faults, const nlohmann::ordered_json& arguments);
AdminAnswer SetFaults(const node::Node& node, FaultTable* faults,
                      const nlohmann::ordered_json& arguments);

}  // namespace eddy::server
