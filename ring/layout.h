// A layout says who holds what: the members, the ring's partitions and the owner of each. It is an
// immutable value that every member knows in the same bytes; whoever changes it makes the next
// version. From the owners follows, for every partition, the order in which the ring is walked
// (Dynamo section 4.2 and 4.3), of which a preference list is the beginning. Invariants: see Make.
// Safe to read from any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "ring/member.h"
#include "ring/partition.h"
#include "ring/token.h"

namespace eddy::ring {

inline constexpr size_t kMembersMax = 1024;
// How many distinct members of each walk are kept: a bucket's n and its fallbacks fit in here.
inline constexpr size_t kWalkMax = 16;

// A member's place in Layout::members(). It means nothing in another layout.
struct MemberIndex {
  uint16_t value = 0;

  friend auto operator<=>(const MemberIndex&, const MemberIndex&) = default;
};

// What a layout is made of.
struct LayoutParts {
  uint64_t version = 1;
  // The digest of this cluster's version 1, which names the cluster for ever: members have random
  // ids, so no two clusters have the same. Zero in version 1 itself.
  Digest origin = {};
  unsigned partition_bits = kPartitionBitsDefault;
  std::vector<Member> members;      // in ascending order of their ids
  std::vector<MemberIndex> owners;  // one for each partition, by its number

  friend bool operator==(const LayoutParts&, const LayoutParts&) = default;
};

// Whether a layout can have these members: kInvalidArgument, with a text that names the culprit,
// unless there are 1 to kMembersMax, in ascending order of ids that are all different and not none;
// names are all different, 1 to 64 bytes of [A-Za-z0-9_.-]; zones are like names but may be empty
// and shared; at least one weight is not 0 and none is over kMemberWeightMax; and hosts are within
// their limit; and who is leaving has weight 0.
Status CheckMembers(const std::vector<Member>& members);

class Layout {
 public:
  // kInvalidArgument, with a text that names the culprit, unless CheckMembers accepts the members,
  // the version is not 0, the origin is zero in version 1 and only there, and every partition has
  // an owner among the members, whose weight is not 0.
  static Result<Layout> Make(LayoutParts parts);

  // The canonical encoding: equal layouts have equal bytes, so digests can be compared. Integers
  // are varints but for ids and digests (big-endian); strings are preceded by their length.
  //   layout := format(1) version origin_high origin_low partition_bits member_count member* owner*
  //   member := id_high id_low name zone weight leaving(0 or 1) host native peer resp http
  //   owner  := index of the member; one for each partition, by its number
  const std::string& Encode() const { return encoded_; }
  // kCorruption unless the bytes are what Encode() gives for some layout; kWrongCluster for a
  // format that this version does not know.
  static Result<Layout> Decode(std::string_view bytes);
  // XXH3 of the encoding.
  Digest digest() const { return digest_; }

  uint64_t version() const { return parts_.version; }
  // What every version of one cluster has in common: of version 1 its own digest.
  Digest origin() const { return parts_.version == 1 ? digest_ : parts_.origin; }
  unsigned partition_bits() const { return parts_.partition_bits; }
  uint32_t partition_count() const { return PartitionCount(parts_.partition_bits); }
  PartitionId PartitionOf(Token token) const {
    return ring::PartitionOf(token, parts_.partition_bits);
  }

  // Sorted by id.
  const std::vector<Member>& members() const { return parts_.members; }
  const Member& member(MemberIndex index) const { return parts_.members[index.value]; }
  // Null if the id is not a member's.
  const Member* Find(NodeId id) const;
  std::optional<MemberIndex> IndexOf(NodeId id) const;

  MemberIndex OwnerOf(PartitionId partition) const { return parts_.owners[partition.value]; }

  // The members met when the ring is walked clockwise from the partition, each once, distinct zones
  // first: a first round takes one member of each zone as the walk meets them, a second round the
  // second member of each zone, and so on (section 4.6: the nodes of a list are spread across data
  // centres). The first is the owner. Members that own nothing count as met last, in the order of
  // their ids. Holds the first kWalkMax, or all that have weight if they are fewer. Borrowed from
  // the layout.
  std::span<const MemberIndex> Walk(PartitionId partition) const {
    return std::span(walks_).subspan(partition.value * walk_length_, walk_length_);
  }
  // The preference list for n replicas: the first min(n, members with weight, kWalkMax) of the
  // walk, so that the list for n begins the list for n + 1. What follows in the walk are the
  // fallbacks, in their order.
  std::span<const MemberIndex> PreferenceList(PartitionId partition, size_t n) const {
    return Walk(partition).first(n < walk_length_ ? n : walk_length_);
  }

  friend bool operator==(const Layout& a, const Layout& b) { return a.parts_ == b.parts_; }

 private:
  explicit Layout(LayoutParts parts);
  static std::string EncodeParts(const LayoutParts& parts);

  LayoutParts parts_;
  std::string encoded_;  // kept: all news of layouts is told and compared by it
  Digest digest_;
  std::vector<NodeId> ids_;  // of parts_.members, close together: they are looked for all the time
  size_t walk_length_ = 0;
  std::vector<MemberIndex> walks_;  // walk_length_ for each partition
};

}  // namespace eddy::ring
