// What eddyctl asks of one node beside keys and health: calls by name (wire/admin.h). Everything
// here is looked up or begun at once; whatever takes time is asked about again.
#pragma once

#include "base/time.h"
#include "node/node.h"
#include "server/fault_table.h"
#include "wire/admin.h"

namespace eddy::server {

// kUnsupported for a call that is not known, kInvalidArgument for arguments that it does not take;
// both name what would be right. Without `faults` the calls for them are refused, also
// kUnsupported.
wire::AdminReply RunAdmin(node::Node* node, Now now, const wire::AdminRequest& request,
                          FaultTable* faults = nullptr);

}  // namespace eddy::server
