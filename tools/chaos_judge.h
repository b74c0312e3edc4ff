// The judge of `eddyctl chaos`: holds what clients were told (tools/chaos_history.h) against what
// Eddy promises. A pure function of the history, and so itself put to the test with histories in
// which something was lost, came back or was made up (tests/tools/chaos_judge_test.cc).
//
// It keeps the promises of sim/checker.h and argues as that does, but it is another judge: that of
// the simulator is told by the stores which dot each write got, also of writes that nobody
// acknowledged, and follows disks and layouts in virtual time. Here is only what clients see. A
// write's dot is known from the context of its acknowledgement or from a read that shows its value;
// a write whose outcome is unknown and which nobody ever saw binds nobody.
//
//   No value from nowhere.       What a read shows was written, to that key, by a put that had
//                                begun and was not refused; a dot has one value for ever.
//   Seen is shown or replaced.   A read whose context covers a write shows it, unless a write or
//                                delete that had seen it had begun.
//   Siblings are concurrent.     No sibling shown had been seen by another one's writer.
//   A context is honest.         A put's reply claims to have seen nothing but what its client had
//                                seen, and itself. (Not in buckets where the last writer wins.)
//   Reads do not go back.        A read that r owners answer covers what was told with s owners
//                                behind it before the read began, where s + r > n, and shows
//                                nothing that was gone there. (Not where a disk was lost since.)
//   The last writer wins.        In such a bucket a read shows nothing that was over before an
//                                acknowledged write began which it has seen.
//   Nothing is lost.             When all is healed, the context of every key covers all that was
//                                ever acknowledged, whatever disks were lost, and all replicas
//                                show the same through every node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/chaos_history.h"

namespace eddy::tools {

struct ChaosViolation {
  std::string promise;  // as above, in short
  std::string text;
  std::vector<std::string> operations;  // the last ones of that key before it, one a line
};

struct ChaosVerdict {
  uint64_t operations = 0;
  uint64_t reads = 0;  // that were answered
  uint64_t writes_acknowledged = 0;
  uint64_t writes_unknown = 0;
  uint64_t not_done = 0;
  uint64_t final_reads = 0;
  // Acknowledged writes that are neither there in the end nor replaced by one that had seen them.
  uint64_t lost = 0;
  std::map<std::string, uint64_t> broken;  // how often, by promise
  std::vector<ChaosViolation> violations;  // the first ones

  static constexpr size_t kViolationsMax = 20;
  static constexpr size_t kOperationsShown = 40;  // of a violation's key

  bool kept() const { return broken.empty(); }
};

// Requires that numbers of operations are unique. With `converged` false, the final reads are held
// to no more than the others are.
ChaosVerdict JudgeChaos(const ChaosHistory& history, bool converged = true);

}  // namespace eddy::tools
