#include "storage/record_codec.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace eddy::storage {

namespace {

using lattice::CausalContext;
using lattice::Interval;
using lattice::Record;
using lattice::Sibling;

constexpr uint8_t kRecordFormat = 1;
constexpr size_t kRememberedSinceBytes = sizeof(uint64_t);
constexpr size_t kChecksumBytes = sizeof(uint64_t);
// Index, counter, timestamp, expiry and the length of an empty value.
constexpr size_t kSiblingBytesMin = 1 + 1 + 8 + 1 + 1;
// Of a usual sibling without its value, so that encoding allocates once.
constexpr size_t kSiblingBytesUsual = 32;
constexpr size_t kIntervalBytesUsual = 32;

uint64_t ExpiryToVarint(WallTime expires_at) {
  if (expires_at == Sibling::kNever) return 0;
  const WallTime::rep ms = expires_at.time_since_epoch().count();
  CHECK(ms >= 0);
  return static_cast<uint64_t>(ms) + 1;
}

bool ExpiryFromVarint(uint64_t varint, WallTime* expires_at) {
  // kNever has the short form only.
  if (varint > static_cast<uint64_t>(Sibling::kNever.time_since_epoch().count())) return false;
  *expires_at = varint == 0 ? Sibling::kNever
                            : WallTime(WallTime::duration(static_cast<WallTime::rep>(varint - 1)));
  return true;
}

std::unexpected<Error> Malformed() { return Fail(Code::kCorruption, "malformed record"); }

}  // namespace

std::string EncodeRecord(const Record& record) {
  std::string encoded;
  if (record.empty()) return encoded;
  size_t bytes = 2 + record.context().intervals().size() * kIntervalBytesUsual +
                 kRememberedSinceBytes + kChecksumBytes;
  for (const Sibling& sibling : record.siblings())
    bytes += kSiblingBytesUsual + sibling.value.size();
  encoded.reserve(bytes);

  AppendU8(&encoded, kRecordFormat);
  record.context().AppendTo(&encoded);
  AppendVarint(&encoded, record.siblings().size());
  // Siblings are in the order of their actors, and so is the context.
  auto interval = record.context().intervals().begin();
  uint64_t actor_index = 0;
  for (const Sibling& sibling : record.siblings()) {
    for (; interval->actor != sibling.dot.actor; ++interval) {
      actor_index += std::next(interval)->actor != interval->actor;
    }
    AppendVarint(&encoded, actor_index);
    AppendVarint(&encoded, sibling.dot.counter);
    AppendU64(&encoded, sibling.timestamp.value);
    AppendVarint(&encoded, ExpiryToVarint(sibling.expires_at));
    AppendBytes(&encoded, sibling.value);
  }
  return encoded;
}

Result<Record> DecodeRecord(std::string_view encoded) {
  if (encoded.empty()) return Record();
  ByteReader reader(encoded);
  if (reader.U8() != kRecordFormat) return Malformed();
  Result<CausalContext> context = CausalContext::ReadFrom(&reader);
  if (!context.has_value()) return std::unexpected(context.error());
  if (context->empty()) return Malformed();

  const uint64_t count = reader.Varint();
  if (count > reader.rest().size() / kSiblingBytesMin) return Malformed();
  std::vector<Sibling> siblings;
  siblings.reserve(count);
  // Siblings are in the order of their actors, and so is the context.
  const auto intervals = context->intervals();
  auto interval = intervals.begin();
  uint64_t actor_index = 0;
  for (uint64_t i = 0; i < count; ++i) {
    Sibling& sibling = siblings.emplace_back();
    const uint64_t wanted_index = reader.Varint();
    if (wanted_index < actor_index) return Malformed();
    while (actor_index < wanted_index) {
      const auto next = std::next(interval);
      if (next == intervals.end()) return Malformed();
      actor_index += next->actor != interval->actor;
      interval = next;
    }
    sibling.dot.actor = interval->actor;
    sibling.dot.counter = reader.Varint();
    sibling.timestamp.value = reader.U64();
    if (!ExpiryFromVarint(reader.Varint(), &sibling.expires_at)) return Malformed();
    sibling.value = reader.Bytes();
    if (!reader.ok()) return Malformed();
  }
  if (!reader.AtEnd()) return Malformed();
  std::optional<Record> record = Record::FromParts(*std::move(context), std::move(siblings));
  if (!record.has_value()) return Malformed();
  return *std::move(record);
}

void SealRow(std::string_view key, std::string* row) { AppendU64(row, Hash64(*row, Hash64(key))); }

Status UnsealRow(std::string_view key, std::string* row) {
  const std::string_view all = *row;
  if (all.size() < kChecksumBytes) return Fail(Code::kCorruption, "a stored row is cut short");
  const std::string_view body = all.substr(0, all.size() - kChecksumBytes);
  if (ByteReader(all.substr(body.size())).U64() != Hash64(body, Hash64(key))) {
    return Fail(Code::kCorruption, "a stored row fails its checksum");
  }
  row->resize(body.size());
  return {};
}

static_assert(kRecordSealBytes == kRememberedSinceBytes + kChecksumBytes);

void SealRecord(std::string_view key, uint64_t remembered_since, std::string* encoded) {
  AppendU64(encoded, remembered_since);
  SealRow(key, encoded);
}

Result<uint64_t> UnsealRecord(std::string_view key, std::string* stored) {
  if (Status sealed = UnsealRow(key, stored); !sealed.has_value()) {
    return std::unexpected(sealed.error());
  }
  if (stored->size() < kRememberedSinceBytes) return Malformed();
  const size_t record_bytes = stored->size() - kRememberedSinceBytes;
  const uint64_t remembered_since =
      ByteReader(std::string_view(*stored).substr(record_bytes)).U64();
  stored->resize(record_bytes);
  return remembered_since;
}

}  // namespace eddy::storage
