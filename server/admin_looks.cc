#include "server/admin_looks.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/hash.h"
#include "base/limits.h"
#include "ring/token.h"
#include "server/admin_calls.h"
#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kSiblingsLeastMax = 1'000'000;

int64_t Milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Json DotOf(ActorId actor, uint64_t counter) {
  return {{"actor", actor.ToHex()}, {"counter", counter}};
}

// Of a record that is there; without the values, which are the clients' affair.
Json Describe(const lattice::Record& record, std::string_view encoded) {
  Json context = Json::array();
  for (const lattice::Interval& interval : record.context().intervals()) {
    context.push_back(
        {{"actor", interval.actor.ToHex()}, {"after", interval.after}, {"last", interval.last}});
  }
  Json siblings = Json::array();
  for (const lattice::Sibling& sibling : record.siblings()) {
    Json shown = DotOf(sibling.dot.actor, sibling.dot.counter);
    shown["time_ms"] = Milliseconds(sibling.timestamp.wall());
    if (sibling.expires_at != lattice::Sibling::kNever) {
      shown["expires_at_ms"] = Milliseconds(sibling.expires_at);
    }
    shown["bytes"] = sibling.value.size();
    siblings.push_back(std::move(shown));
  }
  const Digest digest = storage::RecordDigest(encoded);
  return {{"digest", IdToHex(digest.high, digest.low)},
          {"bytes", encoded.size()},
          {"context", std::move(context)},
          {"siblings", std::move(siblings)}};
}

// null where there is no row; an object with the member `error` where it cannot be trusted.
Result<Json> ReadRow(storage::Engine* engine, storage::Space space, const std::string& key) {
  std::string row;
  const auto presence = engine->Get(space, key, storage::Tier::kDisk, &row);
  if (!presence) return std::unexpected(presence.error());
  if (*presence == storage::Presence::kAbsent) return Json();
  if (const auto unsealed = storage::UnsealRecord(key, &row); !unsealed) {
    return Json{{"error", unsealed.error().text}};
  }
  const auto record = storage::DecodeRecord(row);
  if (!record) return Json{{"error", record.error().text}};
  return Describe(*record, row);
}

// nullopt: it is not there.
Result<std::optional<std::string>> BytesOf(const Json& arguments, const char* name) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return std::nullopt;
  if (found->is_string()) {
    if (auto bytes = DecodeBase64(found->get<std::string>(), Base64::kStandard)) return bytes;
  }
  return Fail(Code::kInvalidArgument, fmt::format("{} must be bytes in Base64", name));
}

AdminAnswer ShowKey(storage::Engine* engine, const LookSubject& subject, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"bucket_base64", "key_base64"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto bucket = BytesOf(arguments, "bucket_base64");
  if (!bucket) return std::unexpected(bucket.error());
  const auto key = BytesOf(arguments, "key_base64");
  if (!key) return std::unexpected(key.error());
  if (!*bucket || !*key) {
    return Fail(Code::kInvalidArgument, "bucket_base64 and key_base64 must be given");
  }
  if (Status ok = CheckKey(**bucket, **key); !ok) return std::unexpected(ok.error());
  const std::string encoded = storage::EncodeKey(
      {.token = ring::TokenOf(**bucket, **key).value, .bucket = **bucket, .key = **key});
  const auto record = ReadRow(engine, storage::Space::kData, encoded);
  if (!record) return std::unexpected(record.error());
  Json hints = Json::array();
  for (const NodeId owner : subject.hint_owners) {
    const auto hint =
        ReadRow(engine, storage::Space::kHints, storage::EncodeHintKey(owner, encoded));
    if (!hint) return std::unexpected(hint.error());
    if (!hint->is_null()) hints.push_back({{"owner", owner.ToHex()}, {"record", *hint}});
  }
  return Json{
      {"n", subject.buckets->Find(**bucket).n}, {"record", *record}, {"hints", std::move(hints)}};
}

AdminAnswer PageOfSiblings(storage::Engine* engine, WallTime now, const Json& arguments) {
  if (Status ok = CheckAdminNames(arguments, {"least", "bucket_base64", "cursor"}); !ok) {
    return std::unexpected(ok.error());
  }
  const auto least = NumberWithin(arguments, "least", 1, kSiblingsLeastMax);
  if (!least) return std::unexpected(least.error());
  const auto bucket = BytesOf(arguments, "bucket_base64");
  if (!bucket) return std::unexpected(bucket.error());
  const auto cursor = BytesOf(arguments, "cursor");
  if (!cursor) return std::unexpected(cursor.error());

  Json keys = Json::array();
  std::optional<std::string> next;
  size_t records = 0;
  size_t bytes = 0;
  const auto visit = [&](std::string_view place, std::string_view row) {
    if (records == kLookRecordsMax || bytes >= kLookBytesMax) {
      next = place;
      return false;
    }
    ++records;
    bytes += place.size() + row.size();
    const auto key = storage::DecodeKey(place);
    if (!key || (*bucket && key->bucket != **bucket)) return true;
    std::string encoded(row);
    if (!storage::UnsealRecord(place, &encoded)) return true;  // a matter for repair
    const auto record = storage::DecodeRecord(encoded);
    if (!record) return true;
    const auto siblings = std::ranges::count_if(
        record->siblings(), [&](const lattice::Sibling& each) { return !each.ExpiredAt(now); });
    if (std::cmp_less(siblings, least->value_or(2))) return true;
    keys.push_back({{"bucket_base64", EncodeBase64(key->bucket, Base64::kStandard)},
                    {"key_base64", EncodeBase64(key->key, Base64::kStandard)},
                    {"siblings", siblings},
                    {"bytes", encoded.size()}});
    return true;
  };
  if (Status scanned =
          engine->Scan(storage::Space::kData, cursor->value_or(std::string()), {}, visit);
      !scanned) {
    return std::unexpected(scanned.error());
  }
  Json page = {{"records", records}, {"keys", std::move(keys)}};
  if (next) page["cursor"] = EncodeBase64(*next, Base64::kStandard);
  return page;
}

}  // namespace

wire::AdminReply RunLook(storage::Engine* engine, const LookSubject& subject,
                         const wire::AdminRequest& request) {
  const auto arguments = AdminArgumentsOf(request);
  if (!arguments) return AdminReplyOf(request, std::unexpected(arguments.error()));
  return AdminReplyOf(request, request.call == "key.show"
                                   ? ShowKey(engine, subject, *arguments)
                                   : PageOfSiblings(engine, subject.now, *arguments));
}

}  // namespace eddy::server
