// What eddyctl asks of one node beside keys and health: calls by name (wire/admin.h). Everything
// here is looked up or begun at once; whatever takes time is asked about again. Calls that read the
// rows are in server/admin_looks.h.
#pragma once

#include <string_view>
#include <vector>

#include "base/time.h"
#include "node/node.h"
#include "server/fault_table.h"
#include "storage/hint_ledger.h"
#include "wire/admin.h"

namespace eddy::server {

// What is looked at. Without `faults` the calls for them are refused, also kUnsupported.
struct AdminSubject {
  node::Node* node;
  Now now;
  const storage::HintLedger* hints;
  FaultTable* faults = nullptr;
};

// The names of all calls there are, in order: those of server/admin_looks.h and
// server/admin_process.h, too.
std::vector<std::string_view> AdminCalls();

// kUnsupported for a call that is not known, kInvalidArgument for arguments that it does not take;
// both name what would be right.
wire::AdminReply RunAdmin(const AdminSubject& subject, const wire::AdminRequest& request);

}  // namespace eddy::server
