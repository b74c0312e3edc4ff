// The admin calls that read a node's rows (server/inspector.h runs them): what it holds of one key,
// and which keys have many siblings. Pure functions of the engine, on any thread.
//
//   key.show       bucket_base64, key_base64: the N of its bucket, the record that is held here,
//                  and the hints that are kept here of it, by owner
//   siblings.page  least, bucket_base64 (all buckets if it is missing), cursor (the last answer's;
//                  the beginning if it is missing): the keys of a page that have so many siblings,
//                  and the cursor of the next page, if there is one
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "node/bucket.h"
#include "storage/engine.h"
#include "wire/admin.h"

namespace eddy::server {

inline constexpr std::array<std::string_view, 2> kLooks = {"key.show", "siblings.page"};
inline bool IsLook(std::string_view call) {
  return std::ranges::find(kLooks, call) != kLooks.end();
}

// What a page reads at most.
inline constexpr size_t kLookRecordsMax = 10'000;
inline constexpr size_t kLookBytesMax = size_t{4} << 20;

// What a look goes by beside the rows. `now` says which siblings have expired.
struct LookSubject {
  WallTime now;
  const node::BucketTable* buckets;
  std::vector<NodeId> hint_owners;  // for whom there may be hints here
};

// Requires IsLook. Errors as with RunAdmin.
wire::AdminReply RunLook(storage::Engine* engine, const LookSubject& subject,
                         const wire::AdminRequest& request);

}  // namespace eddy::server
