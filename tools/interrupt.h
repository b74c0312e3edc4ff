// Ctrl-C for work that ends between two steps, with a report of what was done. The first one is
// noted; a second one ends the process at once.
#pragma once

namespace eddy::tools {

void CatchInterrupt();
bool Interrupted();

}  // namespace eddy::tools
