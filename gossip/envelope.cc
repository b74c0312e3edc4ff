#include "gossip/envelope.h"

#include <fmt/core.h>

#include "base/bytes.h"
#include "base/hash.h"

namespace eddy::gossip {

namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kChecksumBytes = 8;

}  // namespace

std::string OpenEnvelope(uint32_t magic, ClusterDigest cluster) {
  std::string bytes;
  AppendBigEndian32(&bytes, magic);
  AppendU8(&bytes, kFormat);
  AppendU64(&bytes, cluster.value);
  return bytes;
}

void SealEnvelope(std::string* bytes) { AppendU64(bytes, Hash64(*bytes)); }

Result<std::string_view> ReadEnvelope(uint32_t magic, ClusterDigest cluster,
                                      std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.BigEndian32() != magic) return Fail(Code::kCorruption, "not gossip: no magic");
  // Before the checksum, which may be another one in another format.
  const uint8_t format = reader.U8();
  if (!reader.ok() || bytes.size() < kEnvelopeBytes) {
    return Fail(Code::kCorruption, "gossip that ends too early");
  }
  if (format != kFormat) {
    return Fail(Code::kWrongCluster,
                fmt::format("gossip of format {}, this version knows {}; upgrade this node", format,
                            kFormat));
  }
  const size_t sealed_bytes = bytes.size() - kChecksumBytes;
  if (ByteReader(bytes.substr(sealed_bytes)).U64() != Hash64(bytes.substr(0, sealed_bytes))) {
    return Fail(Code::kCorruption, "gossip with a wrong checksum");
  }
  if (reader.U64() != cluster.value) {
    return Fail(Code::kWrongCluster, "gossip of another cluster; check who has this address");
  }
  return bytes.substr(kEnvelopeBytes - kChecksumBytes, bytes.size() - kEnvelopeBytes);
}

}  // namespace eddy::gossip
