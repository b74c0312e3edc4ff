#include "server/key_lister.h"

#include "storage/key.h"

namespace eddy::server {

wire::KeyListReply ListKeys(storage::Engine* engine, const wire::KeyListRequest& request) {
  wire::KeyListReply reply{.id = request.id, .error = std::nullopt, .keys = {}, .cursor = {}};
  size_t records = 0;
  size_t scanned_bytes = 0;
  size_t listed_bytes = 0;
  const auto visit = [&](std::string_view place, std::string_view value) {
    const bool full = reply.keys.size() == wire::kKeyListKeysMax ||
                      listed_bytes >= wire::kKeyListBytesMax || records == kKeyListRecordsMax ||
                      scanned_bytes >= kKeyListScanBytesMax;
    if (full) {
      // The next page begins at this record.
      reply.cursor = place;
      return false;
    }
    ++records;
    scanned_bytes += place.size() + value.size();
    // A row that is no record of ours is the scrubber's business, and not listed.
    const auto key = storage::DecodeKey(place);
    if (key && (request.bucket.empty() || key->bucket == request.bucket)) {
      listed_bytes += key->bucket.size() + key->key.size();
      reply.keys.push_back({.bucket = std::string(key->bucket), .key = std::string(key->key)});
    }
    return true;
  };
  if (Status scanned = engine->Scan(storage::Space::kData, request.cursor, {}, visit); !scanned) {
    return {.id = request.id, .error = scanned.error(), .keys = {}, .cursor = {}};
  }
  return reply;
}

}  // namespace eddy::server
