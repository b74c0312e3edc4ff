// What a node believes of a member of the cluster, as a value that all nodes merge in the same way:
// the later life wins, and within one life the worse news. Only the member itself begins a later
// life, by a greater incarnation; so it can refute what was said of an earlier one, and nobody else
// can (SWIM, section 4.2).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/ids.h"

namespace eddy::gossip {

// Where a member's peer door is, for packets as for connections.
struct Address {
  std::string host;
  uint16_t port = 0;

  friend auto operator<=>(const Address&, const Address&) = default;
};

// Whether packets can carry the address: 1 to ring::kMemberHostBytesMax printable bytes, no blanks,
// and a port that is not 0.
bool IsAddress(const Address& address);

// A number that only its member raises: at a restart, when its address changes, and to refute.
struct Incarnation {
  uint64_t value = 0;

  friend auto operator<=>(const Incarnation&, const Incarnation&) = default;
};

// Far above every clock in milliseconds that is used for a start, so that there is always a greater
// one to refute with.
inline constexpr Incarnation kIncarnationMax{uint64_t{1} << 56};

// Ordered: what comes later wins within one incarnation. Numbers travel; never renumber.
enum class Liveness : uint8_t {
  kAlive = 0,
  kSuspect = 1,  // left probes unanswered; it has until the suspicion's end to refute
  kDead = 2,     // the suspicion was not refuted
  kLeft = 3,     // said goodbye
};
inline constexpr size_t kLivenesses = 4;

// What its member wants to refute.
inline bool IsDoubt(Liveness liveness) {
  return liveness == Liveness::kSuspect || liveness == Liveness::kDead;
}

struct MemberState {
  NodeId id;
  // These three decide, in this order. Addresses differ within one incarnation only if two
  // processes run under one id; even then all nodes choose the same one.
  Incarnation incarnation;
  Liveness liveness = Liveness::kAlive;
  Address address;

  // Whether it takes part: it is probed, gossiped to, and counted as the cluster's size.
  bool IsHere() const { return liveness == Liveness::kAlive || liveness == Liveness::kSuspect; }
  // Requires that both are of one member, or that one of them is the empty value, the least of all.
  // True if joining `other` would change this one.
  bool IsBelow(const MemberState& other) const;
  void Join(const MemberState& other);

  friend bool operator==(const MemberState&, const MemberState&) = default;
};

// What travels of it. Doubts name their author, since only what different members have found
// independently confirms a suspicion.
struct Update {
  MemberState member;
  NodeId from;  // none unless it is a doubt

  friend bool operator==(const Update&, const Update&) = default;
};

}  // namespace eddy::gossip
