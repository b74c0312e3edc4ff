// What lies in a data directory, for people: counts and sizes, each row's checksum verified. Reads
// all of it and changes nothing. For a directory that no process has open.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/ids.h"
#include "base/status.h"
#include "storage/engine.h"

namespace eddy::storage {

struct BucketInspection {
  uint64_t records = 0;
  uint64_t tombstones = 0;  // of them
  uint64_t bytes = 0;       // keys and records
};

struct HintInspection {
  uint64_t rows = 0;
  uint64_t bytes = 0;
};

struct BadRow {
  Space space = Space::kData;
  std::string key;  // as it lies there
  std::string why;
};

struct Inspection {
  std::map<std::string, BucketInspection> buckets;
  // By the number of siblings of a record; 0: tombstones.
  std::map<uint64_t, uint64_t> siblings;
  Histogram record_bytes;
  std::map<NodeId, HintInspection> hints;  // by owner
  uint64_t meta_rows = 0;
  uint64_t bad_rows = 0;
  std::vector<BadRow> first_bad;  // at most kBadShown
  // Of a space that could not be read to its end: why.
  std::map<Space, std::string> unreadable;

  bool sound() const { return bad_rows == 0 && unreadable.empty(); }
  static constexpr size_t kBadShown = 10;
};

// `progress` is told how many rows and bytes were read by now; false: enough, and what was read so
// far is the result.
using InspectProgress = std::function<bool(uint64_t rows, uint64_t bytes)>;
Inspection Inspect(Engine* engine, const InspectProgress& progress);

// A key's record, and the hints for it.
struct KeyInspection {
  // Encoded; empty: there is none. kCorruption: it is bad.
  Result<std::string> record;
  uint64_t remembered_since = 0;
  std::map<NodeId, Result<std::string>> hints;
};
// `key`: encoded.
[[nodiscard]] Result<KeyInspection> InspectKey(Engine* engine, const std::string& key);

}  // namespace eddy::storage
