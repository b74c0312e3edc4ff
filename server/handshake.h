// Whether two sides may talk: the version and the cluster of a hello, judged the same on both
// doors. Pure.
#pragma once

#include "base/status.h"
#include "wire/hello.h"

namespace eddy::server {

// What a client of the native door said. kUnsupported: no common version; kWrongCluster: it asked
// for another cluster. The text names both sides' and what to do; it is meant for the other side.
[[nodiscard]] Status JudgeClient(const wire::Hello& own, const wire::Hello& theirs);

// What a node at the other end of a peer connection said; beyond the client's: it must be another
// node (kConflict), and of no cluster yet or of the same (kWrongCluster), where we are of one.
[[nodiscard]] Status JudgePeer(const wire::Hello& own, const wire::Hello& theirs);

}  // namespace eddy::server
