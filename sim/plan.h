// What a seed says a world is: its cluster, its network, its disks, its clients and the faults they
// will meet. Everything that is drawn once is drawn here; each run turns on a random subset of the
// faults (swarm testing), since some bugs show only where most faults are absent. A plain value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "node/bucket.h"
#include "node/node.h"

namespace eddy::sim {

enum class Fault : uint8_t {
  kPowerLoss,  // a machine stops at once: what no sync covered is gone, but for a drawn part of it
  kKill,       // a process stops at once: the operating system keeps what was logged
  kCleanStop,  // a process stops in order, and comes back
  kPause,      // a process stands still and goes on as if nothing had happened
  kWipe,       // a machine stops, and comes back with an empty disk, in its own place
  kSplit,      // two groups of nodes that do not hear each other
  kOneWay,     // one node's messages to another do not arrive
  kClog,       // a link that has become slow
  kReset,      // a connection breaks
  kSlowDisk,   // syncs and reads that take long
  kIoError,    // a read, a write or a sync of the store fails
  kClockJump,  // a node's wall clock jumps
  kLostReplies,  // a client's connection breaks before the reply
  kStorm,        // packets are lost, repeated and late (hostile networks only)
  kLeave,        // a member is told to leave; its machine comes back as another one
  kReplace,      // a node that waits to be let in is told to take over from a member
  kDiskFull,     // a store refuses what needs room
  kRot,          // a bit of a stored record flips, on a machine that runs or does not
  kZone,         // the nodes of one zone and all others do not hear each other
  kRolling,      // one process after the other stops in order and comes back
  kDrift,        // all of a node's clocks run faster or slower
};
inline constexpr size_t kFaults = 21;
inline constexpr std::array<std::string_view, kFaults> kFaultNames = {
    "power-loss", "kill",    "clean-stop", "pause",    "wipe",       "split",           "one-way",
    "clog",       "reset",   "slow-disk",  "io-error", "clock-jump", "lost-replies",    "storm",
    "leave",      "replace", "disk-full",  "rot",      "zone",       "rolling-restart", "drift"};

struct Span {
  Duration least{};
  Duration most{};
};

struct NetworkPlan {
  // Ordered: connections as TCP gives them; what goes wrong breaks a connection and all that is on
  // its way on it. Otherwise packets, each for itself: lost, repeated, overtaken, delivered to a
  // later life of the node. The protocol must be safe on both.
  bool ordered = true;
  Span delay;
  // How long a connection stays while its packets do not get through; and until it is tried again.
  Span stall_before_reset;
  Span reconnect;
  uint32_t lost_per_10000 = 0;  // hostile only, as is the next
  uint32_t repeated_per_10000 = 0;
  uint32_t datagrams_lost_per_10000 = 0;  // besides, on both
};

struct DiskPlan {
  Span sync;
  Span turn;                   // from a verb to the turn of the store that executes it
  Span commit;                 // from a turn to its write to the engine
  uint32_t miss_per_1000 = 0;  // reads that must be fetched first
  Span fetch;
};

struct BucketPlan {
  std::string name;
  node::BucketProperties properties;
};

struct WorkloadPlan {
  uint32_t clients = 8;
  uint32_t operations_per_second = 100;
  uint32_t keys_per_bucket = 8;
  uint32_t hot_percent = 0;  // of all operations, on one key
  // Weights of what a client does next.
  struct Mix {
    uint32_t get = 30;
    uint32_t get_then_put = 30;
    uint32_t get_then_delete = 8;
    uint32_t put_seen = 10;     // with a context kept from earlier
    uint32_t put_blind = 12;    // with none
    uint32_t delete_blind = 4;  // likewise
    uint32_t bad = 2;           // a request that must be refused
  };
  Mix mix;
  uint32_t expiring_percent = 0;    // of puts
  uint32_t own_quorum_percent = 0;  // of requests, that choose n, r or w themselves
  uint32_t large_percent = 0;       // of values
  uint32_t attempts_max = 3;
  uint32_t impatient_percent = 0;  // of attempts, given up before their deadline and tried again
  Span deadline;
};

struct FaultPlan {
  // The mean time between two of a kind; none: this run does without.
  std::array<std::optional<Duration>, kFaults> every;
  Span lasts;
  uint32_t wipes_max = 1;
};

struct Plan {
  uint64_t seed = 0;
  uint32_t nodes = 3;
  // Of them, the members at the beginning; the others join in the first part of the run.
  uint32_t founders = 3;
  bool found = false;  // they found the cluster as eddyd does, the first of them for all
  // Whether nodes that come later are let in by themselves, or wait for an order, since either they
  // or all nodes are set so.
  enum class Joining : uint8_t { kFreely, kWaiting, kOrdered };
  Joining joining = Joining::kFreely;
  uint32_t zones = 1;
  unsigned partition_bits = 6;
  node::NodeOptions node;
  // At the end the replicas must become equal with no read at all; needs node.anti_entropy_period.
  bool converge_unread = false;
  std::vector<BucketPlan> buckets;
  NetworkPlan network;
  DiskPlan disk;
  uint64_t hint_bytes_max = storage::HintLedger::kBytesMaxDefault;
  WorkloadPlan workload;
  FaultPlan faults;
  std::chrono::milliseconds clock_skew_max{};  // either way, jumps included
  uint32_t drift_ppm_max = 0;                  // either way: how much too fast or slow clocks run
  // Whether preference lists change in this run.
  bool MembersChange() const {
    return founders != nodes || faults.every[static_cast<size_t>(Fault::kLeave)] ||
           faults.every[static_cast<size_t>(Fault::kWipe)];
  }
  bool codec = false;  // every message is encoded and decoded on its way
  bool mixed = false;  // processes are of this version, or of the next (sim/next_version.h)
};

struct PlanOptions {
  uint64_t seed = 1;
  std::optional<uint32_t> nodes;
  std::optional<uint32_t> operations_per_second;
  std::array<bool, kFaults> without{};  // kinds of faults that are left out
};

inline constexpr uint32_t kNodesMax = 50;

Plan DrawPlan(const PlanOptions& options);

// One line a part, for people.
std::string DescribePlan(const Plan& plan);

}  // namespace eddy::sim
