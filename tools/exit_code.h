// How eddyctl ends: the numbers are a promise to scripts and stand in `eddyctl --help` and
// docs/EDDYCTL.md.
#pragma once

#include "base/status.h"

namespace eddy::tools {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,          // something on this side: a file that cannot be read, a broken pipe
  kUsage = 2,           // the command line or the request is wrong; again would fail again
  kNotFound = 3,        // get: nothing is stored under the key
  kUnavailable = 4,     // not done: no node reached, too few replicas, or a queue is full
  kUnknownOutcome = 5,  // a write that may or may not be stored
  kSiblings = 6,        // get: several concurrent values, and one was asked for
  kPartial = 7,         // import: some lines were not stored; export: some keys were not read
  kUnhealthy = 8,       // status, health, repair: a node does not answer or is not ready
  kRefused = 9,         // another cluster, or a state that contradicts the request
  kBroken = 10,         // chaos: a promise was broken, or the cluster did not recover
  kInterrupted = 130,   // stopped by Ctrl-C, after a report of what was done
};

ExitCode ExitCodeOf(Code code);

}  // namespace eddy::tools
