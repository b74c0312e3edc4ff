// A node's whole table of members, itself included, as one message: sent and answered over a
// connection when a node starts, now and then with a random member, and when a partition heals
// (push-pull). Merging it brings everything that packets have lost. In an envelope (envelope.h):
//   state  := sender count member*
//   member := an update (update_codec.h), ids ascending; who is suspect or dead has the sender as
//             author
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "gossip/cluster_digest.h"
#include "gossip/member.h"
#include "ring/layout.h"

namespace eddy::gossip {

// Twice what a layout holds, for those who left or died and are not yet forgotten.
inline constexpr size_t kMembersMax = 2 * ring::kMembersMax;
// What a reader of a connection must be ready to take.
inline constexpr size_t kStateSyncBytesMax = 64 + kMembersMax * (48 + ring::kMemberHostBytesMax);

struct StateSync {
  NodeId sender;
  std::vector<MemberState> members;  // at most kMembersMax, ids ascending

  friend bool operator==(const StateSync&, const StateSync&) = default;
};

std::string EncodeStateSync(ClusterDigest cluster, const StateSync& state);

// kTooLarge beyond kStateSyncBytesMax; kWrongCluster for another cluster's, or for a format that
// this version does not know; kCorruption unless the bytes are what EncodeStateSync gives for some
// state.
Result<StateSync> DecodeStateSync(ClusterDigest cluster, std::string_view bytes);

}  // namespace eddy::gossip
