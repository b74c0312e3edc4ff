// The key under which a stand-in keeps a record for an owner that cannot be reached (Dynamo,
// section 4.6), in Space::kHints:
//
//   [owner, 16 bytes big-endian] [record key (storage/key.h)]
//
// So the hints for one owner are one contiguous range, in token order. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"

namespace eddy::storage {

inline constexpr size_t kHintOwnerBytes = 16;

std::string EncodeHintOwner(NodeId owner);
std::string EncodeHintKey(NodeId owner, std::string_view record_key);

struct HintKey {
  NodeId owner;
  std::string_view record_key;  // borrowed
};
// kCorruption for anything EncodeHintKey would not have written.
[[nodiscard]] Result<HintKey> DecodeHintKey(std::string_view encoded);

// The first key behind all hints for `owner`; empty: the end of the space.
std::string EndOfHints(NodeId owner);

}  // namespace eddy::storage
