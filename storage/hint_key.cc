#include "storage/hint_key.h"

#include "base/bytes.h"
#include "storage/key.h"

namespace eddy::storage {

std::string EncodeHintOwner(NodeId owner) {
  std::string encoded;
  AppendBigEndian64(&encoded, owner.high);
  AppendBigEndian64(&encoded, owner.low);
  return encoded;
}

std::string EncodeHintKey(NodeId owner, std::string_view record_key) {
  std::string encoded;
  encoded.reserve(kHintOwnerBytes + record_key.size());
  AppendBigEndian64(&encoded, owner.high);
  AppendBigEndian64(&encoded, owner.low);
  encoded.append(record_key);
  return encoded;
}

Result<HintKey> DecodeHintKey(std::string_view encoded) {
  if (encoded.size() < kHintOwnerBytes) return Fail(Code::kCorruption, "a hint without an owner");
  ByteReader reader(encoded);
  HintKey key;
  key.owner.high = reader.BigEndian64();
  key.owner.low = reader.BigEndian64();
  key.record_key = encoded.substr(kHintOwnerBytes);
  if (auto record_key = DecodeKey(key.record_key); !record_key) {
    return std::unexpected(record_key.error());
  }
  return key;
}

std::string EndOfHints(NodeId owner) {
  if (++owner.low == 0 && ++owner.high == 0) return {};
  return EncodeHintOwner(owner);
}

}  // namespace eddy::storage
