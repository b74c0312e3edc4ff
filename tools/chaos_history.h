// What `eddyctl chaos` writes down while it breaks a cluster: every operation with what its client
// was told, and when a disk was lost. Plain values, judged afterwards (tools/chaos_judge.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/hybrid_clock.h"
#include "base/status.h"
#include "base/time.h"
#include "lattice/causal_context.h"
#include "lattice/dot.h"

namespace eddy::tools {

struct ChaosKey {
  std::string bucket;
  std::string key;
  bool last_writer = false;  // the bucket shows the last writer's value, and no siblings
};

struct ChaosShown {
  lattice::Dot dot;
  Timestamp timestamp;
  // The operation that the value names as its writer; 0: it names none, so nobody wrote it.
  uint64_t writer = 0;
};

enum class ChaosKind : uint8_t { kGet, kPut, kDelete };

struct ChaosOperation {
  enum class Outcome : uint8_t {
    kDone,
    kNotDone,
    kUnknown,  // of a write, which may be stored; also what was not answered when the run ended
  };

  uint64_t number = 0;  // not 0; of a put, what its value names
  ChaosKind kind = ChaosKind::kGet;
  uint32_t key = 0;  // in ChaosHistory::keys
  // Read after all faults were healed and the replicas found equal, through one node alone.
  bool final = false;
  uint8_t node = 0;  // then: which one
  Duration began{};  // since the run began
  Duration ended{};
  Outcome outcome = Outcome::kUnknown;
  Code error{};  // where it is not done
  uint8_t n = 0;
  uint8_t quorum = 0;             // r of a read, w of a write
  uint8_t primaries = 0;          // how many of those who answered are owners
  lattice::CausalContext seen;    // what the write replaces
  lattice::CausalContext told;    // the context of the reply
  std::vector<ChaosShown> shown;  // of a read
};

struct ChaosHistory {
  std::vector<ChaosKey> keys;
  std::vector<ChaosOperation> operations;
  // When a disk with acknowledged writes on it was taken away, ascending.
  std::vector<Duration> disk_losses;
  // How far the nodes' clocks were apart, and the timestamps of writes with them.
  Duration clock_skew{};
};

}  // namespace eddy::tools
