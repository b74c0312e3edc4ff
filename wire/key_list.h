// Which keys a node holds, page by page: what an export walks. Deleted and expired keys may be
// among them, and a key is listed by each of its replicas: the reader asks for the value, and so
// finds out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

namespace eddy::wire {

// A page holds at most so many keys, and is cut when they have more bytes than that.
inline constexpr size_t kKeyListKeysMax = 1000;
inline constexpr size_t kKeyListBytesMax = 1024 * 1024;
// A cursor is the place of a key in the node's store, so little longer than the longest key.
inline constexpr size_t kKeyListCursorBytesMax = 96 * 1024;

struct KeyListRequest {
  RequestId id;
  std::string bucket;  // empty: of every bucket
  std::string cursor;  // from the reply before; empty: from the beginning

  friend bool operator==(const KeyListRequest&, const KeyListRequest&) = default;
};

struct ListedKey {
  std::string bucket;
  std::string key;

  friend bool operator==(const ListedKey&, const ListedKey&) = default;
};

struct KeyListReply {
  RequestId id;
  std::optional<Error> error;
  // In the order of the ring: by token, then by bucket and key, shorter ones first.
  std::vector<ListedKey> keys;
  // Where to go on; empty: that was all. A page without a key can have one too: the node looks at
  // no more than a bounded number of records for each.
  std::string cursor;

  friend bool operator==(const KeyListReply&, const KeyListReply&) = default;
};

}  // namespace eddy::wire
