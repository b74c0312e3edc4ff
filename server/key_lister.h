// A page of the keys that a node holds. A scan reads from disk, so it is for a thread beside the
// loop's (server/inspector.h).
#pragma once

#include <cstddef>

#include "storage/engine.h"
#include "wire/key_list.h"

namespace eddy::server {

// A page ends after wire::kKeyListKeysMax keys, or when it has looked at so many records, or at so
// many bytes of them.
inline constexpr size_t kKeyListRecordsMax = 10'000;
inline constexpr size_t kKeyListScanBytesMax = 4 * 1024 * 1024;
wire::KeyListReply ListKeys(storage::Engine* engine, const wire::KeyListRequest& request);

}  // namespace eddy::server
