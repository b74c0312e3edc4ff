#include "storage/inspection.h"

#include <utility>

#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::storage {

namespace {

class Inspector {
 public:
  explicit Inspector(const InspectProgress& progress) : progress_(progress) {}

  Inspection Run(Engine* engine) {
    for (const Space space : {Space::kMeta, Space::kHints, Space::kData}) {
      const Status scanned =
          engine->Scan(space, {}, {}, [&](std::string_view key, std::string_view row) {
            ++rows_;
            bytes_ += key.size() + row.size();
            const Status sound = LookAt(space, key, row);
            if (!sound.has_value()) Bad(space, key, sound.error().text);
            return progress_(rows_, bytes_);
          });
      if (!scanned.has_value()) found_.unreadable.emplace(space, scanned.error().text);
    }
    return std::move(found_);
  }

 private:
  void Bad(Space space, std::string_view key, std::string why) {
    ++found_.bad_rows;
    if (found_.first_bad.size() == Inspection::kBadShown) return;
    found_.first_bad.push_back({space, std::string(key), std::move(why)});
  }

  Status LookAt(Space space, std::string_view key, std::string_view row) {
    std::string stored(row);
    if (space == Space::kMeta) {
      ++found_.meta_rows;
      return UnsealRow(key, &stored);
    }
    std::string_view record_key = key;
    NodeId owner;
    if (space == Space::kHints) {
      const Result<HintKey> hint = DecodeHintKey(key);
      if (!hint.has_value()) return std::unexpected(hint.error());
      record_key = hint->record_key;
      owner = hint->owner;
    }
    const Result<RecordKey> named = DecodeKey(record_key);
    if (!named.has_value()) return std::unexpected(named.error());
    const Result<uint64_t> since = UnsealRecord(key, &stored);
    if (!since.has_value()) return std::unexpected(since.error());
    const Result<lattice::Record> record = DecodeRecord(stored);
    if (!record.has_value()) return std::unexpected(record.error());
    const uint64_t bytes = record_key.size() + stored.size();
    if (space == Space::kHints) {
      ++found_.hints[owner].rows;
      found_.hints[owner].bytes += bytes;
      return {};
    }
    BucketInspection& bucket = found_.buckets[std::string(named->bucket)];
    ++bucket.records;
    bucket.tombstones += record->IsTombstone() ? 1 : 0;
    bucket.bytes += bytes;
    ++found_.siblings[record->siblings().size()];
    found_.record_bytes.Add(stored.size());
    return {};
  }

  const InspectProgress& progress_;
  Inspection found_;
  uint64_t rows_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

Inspection Inspect(Engine* engine, const InspectProgress& progress) {
  return Inspector(progress).Run(engine);
}

Result<KeyInspection> InspectKey(Engine* engine, const std::string& key) {
  KeyInspection found;
  std::string stored;
  const Result<Presence> presence = engine->Get(Space::kData, key, Tier::kDisk, &stored);
  if (!presence.has_value()) {
    found.record = std::unexpected(presence.error());
  } else if (*presence == Presence::kFound) {
    const Result<uint64_t> since = UnsealRecord(key, &stored);
    found.remembered_since = since.value_or(0);
    found.record = since.has_value() ? Result<std::string>(std::move(stored))
                                     : Result<std::string>(std::unexpected(since.error()));
  }
  const Status scanned =
      engine->Scan(Space::kHints, {}, {}, [&](std::string_view row_key, std::string_view row) {
        const Result<HintKey> hint = DecodeHintKey(row_key);
        if (!hint.has_value() || hint->record_key != key) return true;
        std::string kept(row);
        const Result<uint64_t> since = UnsealRecord(row_key, &kept);
        found.hints.emplace(hint->owner, since.has_value()
                                             ? Result<std::string>(std::move(kept))
                                             : Result<std::string>(std::unexpected(since.error())));
        return true;
      });
  if (!scanned.has_value()) return std::unexpected(scanned.error());
  return found;
}

}  // namespace eddy::storage
