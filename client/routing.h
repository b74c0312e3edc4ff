// Where a key's replicas are: the layout that the nodes have, rebuilt from what one of them says.
#pragma once

#include "base/status.h"
#include "ring/layout.h"
#include "wire/hello.h"

namespace eddy::client {

// kCorruption when the members and owners in `status` make no layout.
[[nodiscard]] Result<ring::Layout> LayoutOf(const wire::NodeStatus& status);

}  // namespace eddy::client
