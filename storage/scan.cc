#include "storage/scan.h"

#include <utility>

#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::storage {

StoreResult ScanPage(Engine* engine, const StoreVerb& verb) {
  const auto& scan = std::get<ScanVerb>(verb.action);
  const bool hints = verb.hint_owner.has_value();
  std::string from = verb.key;
  std::string to = scan.end;
  if (hints) {
    from = EncodeHintKey(*verb.hint_owner, verb.key);
    to = scan.end.empty() ? EndOfHints(*verb.hint_owner) : EncodeHintKey(*verb.hint_owner, to);
  }
  const size_t prefix = hints ? kHintOwnerBytes : 0;

  StoreResult page{verb.id, Stage::kApplied, std::string()};
  size_t bytes = 0;
  const Status scanned = engine->Scan(
      hints ? Space::kHints : Space::kData, from, to,
      [&](std::string_view key, std::string_view stored) {
        if (page.rows.size() >= scan.rows_max || bytes >= scan.bytes_max) {
          page.next = key.substr(prefix);
          return false;
        }
        ScannedRow row{.key = std::string(key.substr(prefix)), .record = {}, .digest = {}};
        std::string record(stored);
        if (const auto since = UnsealRecord(key, &record); !since.has_value()) {
          row.record = std::unexpected(since.error());
        } else if (const auto named = DecodeKey(row.key); !named.has_value()) {
          row.record = std::unexpected(named.error());
        } else {
          row.digest = RecordDigest(record);
          row.bytes = static_cast<uint32_t>(record.size());
          bytes += row.key.size() + record.size();
          if (!scan.digests_only) row.record = std::move(record);
        }
        page.rows.push_back(std::move(row));
        return true;
      });
  if (!scanned.has_value()) {
    page.record = std::unexpected(scanned.error());
    page.rows.clear();
    page.next.clear();
  }
  return page;
}

}  // namespace eddy::storage
