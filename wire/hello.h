// The first frame of either side. It settles the version and the cluster before anything else is
// parsed: a node or a client of another cluster is refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "ring/member.h"

namespace eddy::wire {

inline constexpr uint32_t kProtocolVersion = 1;
inline constexpr uint32_t kProtocolVersionOldest = 1;  // the oldest that we still speak

struct Hello {
  uint32_t version = kProtocolVersion;
  uint32_t version_oldest = kProtocolVersionOldest;
  std::string cluster;   // a client may leave it empty: any cluster
  std::string software;  // "eddyd 0.1.0"; shown, never decided upon
  // Of a node; a client leaves the rest as it is.
  NodeId node;
  std::string node_name;
  ring::Doors doors;
  Digest layout;  // the origin of its layouts, which names its cluster; zero: of none yet

  friend bool operator==(const Hello&, const Hello&) = default;
};

// Where a member stands, by the layouts that one node knows.
enum class Standing : uint8_t {
  kMember = 0,
  kJoining = 1,  // reads do not go by a layout with it yet
  kLeaving = 2,  // it hands over what it holds, and goes
  kRemoved = 3,  // the newest layout is without it
};

// A member as one node sees it.
struct MemberStatus {
  NodeId id;
  std::string name;
  std::string zone;
  uint32_t weight = 0;
  ring::Doors doors;
  bool reachable = false;
  Standing standing = Standing::kMember;

  friend bool operator==(const MemberStatus&, const MemberStatus&) = default;
};

struct Counter {
  std::string name;  // such as "gets" or "late_replies"
  uint64_t value = 0;

  friend bool operator==(const Counter&, const Counter&) = default;
};

// What a node says of itself and of what it sees.
struct NodeStatus {
  std::string cluster;
  std::string software;
  NodeId node;
  std::string name;
  bool ready = false;
  std::string reason;  // why it is not ready
  uint64_t uptime_seconds = 0;
  uint64_t layout_version = 0;    // that reads go by
  uint64_t layout_newest = 0;     // greater: data is being moved
  uint32_t partitions = 0;        // of the ring
  uint32_t partitions_owned = 0;  // by this node, as the first of the preference list
  uint64_t keys_estimate = 0;     // records held here, replicas and tombstones included
  uint64_t data_bytes = 0;
  uint64_t operations_in_flight = 0;
  // Of all live layouts, in ascending order of their ids. The weight is that in the layout that
  // reads go by; of a member that is not in there, 0.
  std::vector<MemberStatus> members;
  std::vector<uint32_t>
      owners;  // per partition an index into members: what a ring-aware client routes by
  std::vector<Counter> counters;
  // When the least lately compared of what this node shares with other owners was found equal on
  // both; absent: something never was since it started, or it does not compare.
  std::optional<uint64_t> equal_seconds_ago;

  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};

}  // namespace eddy::wire
