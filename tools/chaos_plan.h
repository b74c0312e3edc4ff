// Which faults `eddyctl chaos` makes, in which order: a function of the seed. Two rows of them run
// side by side: what happens to nodes, one at a time, and what happens to the network, one at a
// time. Every kind comes before any comes again. To whom it happens is drawn with the fault, and
// settled when its turn comes, by who is there then.
//
// The rule, for N = 3 and W = 2: an acknowledged write is on two disks, so one disk may be lost,
// and no second one before every replica is whole again. Therefore a disk is taken away, and a node
// comes or goes, only when nothing is broken, no data is being moved and all replicas have just
// been found equal. Killing, pausing and cutting off take no disk away and may come at any time,
// also while a lost disk is being refilled.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace eddy::tools {

enum class ChaosFaultKind : uint8_t {
  // Of a node.
  kKill,
  kPause,
  kRestart,
  kWipe,
  kJoin,
  kLeave,
  kClock,
  kDiskFull,
  // Of the network.
  kPartition,
  kOneWay,
  kIsolate,
  kDelay,
  kLoss,
  kUnplug,
};

std::string_view ChaosFaultName(ChaosFaultKind kind);
// Whether it has to wait until all is quiet.
bool NeedsQuiet(ChaosFaultKind kind);

struct ChaosFault {
  ChaosFaultKind kind = ChaosFaultKind::kKill;
  Duration pause{};  // before it, with nothing of its row
  Duration lasts{};
  uint64_t draw = 0;  // for whom
};

// One row.
class ChaosPlan {
 public:
  static ChaosPlan OfNodes(uint64_t seed);
  // With cables (tools/chaos_machines.h) also kUnplug.
  static ChaosPlan OfNetwork(uint64_t seed, bool cables);

  ChaosFault Next();

 private:
  ChaosPlan(std::vector<ChaosFaultKind> kinds, uint64_t seed);

  const std::vector<ChaosFaultKind> kinds_;
  std::vector<ChaosFaultKind> left_;  // of this round
  Random random_;
};

}  // namespace eddy::tools
