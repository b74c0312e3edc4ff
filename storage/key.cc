#include "storage/key.h"

#include "base/bytes.h"
#include "base/check.h"

namespace eddy::storage {

std::string EncodeKey(const RecordKey& key) {
  CHECK(CheckKey(key.bucket, key.key).has_value());
  std::string encoded;
  encoded.reserve(8 + 1 + key.bucket.size() + 4 + key.key.size() + 1);
  AppendBigEndian64(&encoded, key.token);
  AppendU8(&encoded, static_cast<uint8_t>(key.bucket.size()));
  encoded.append(key.bucket);
  AppendBigEndian32(&encoded, static_cast<uint32_t>(key.key.size()));
  encoded.append(key.key);
  AppendU8(&encoded, static_cast<uint8_t>(RecordKind::kWhole));
  return encoded;
}

Result<RecordKey> DecodeKey(std::string_view encoded) {
  ByteReader reader(encoded);
  RecordKey key;
  key.token = reader.BigEndian64();
  key.bucket = reader.Raw(reader.U8());
  key.key = reader.Raw(reader.BigEndian32());
  const uint8_t kind = reader.U8();
  if (!reader.AtEnd() || kind != static_cast<uint8_t>(RecordKind::kWhole) ||
      !CheckKey(key.bucket, key.key).has_value()) {
    return Fail(Code::kCorruption, "malformed record key");
  }
  return key;
}

uint64_t TokenOfKey(std::string_view encoded) {
  CHECK(encoded.size() >= sizeof(uint64_t));
  return ByteReader(encoded).BigEndian64();
}

std::string FirstKeyOf(uint64_t token) {
  std::string prefix;
  AppendBigEndian64(&prefix, token);
  return prefix;
}

std::string FirstKeyAfter(uint64_t token) {
  return token == UINT64_MAX ? std::string() : FirstKeyOf(token + 1);
}

}  // namespace eddy::storage
