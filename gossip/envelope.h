// What packets and full states have around them: whose they are, in which format, and whether they
// arrived whole.
//   envelope := magic(4) format(1) cluster(8) content checksum(8)
// The checksum is XXH3 of all before it. The magic tells a packet from a full state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "gossip/cluster_digest.h"

namespace eddy::gossip {

inline constexpr size_t kEnvelopeBytes = 21;

// The beginning; content is appended to it, and then SealEnvelope called once.
std::string OpenEnvelope(uint32_t magic, ClusterDigest cluster);
void SealEnvelope(std::string* bytes);

// The content, borrowed from the bytes. kWrongCluster for another cluster's, or for a format that
// this version does not know; kCorruption if the magic or the checksum is wrong.
Result<std::string_view> ReadEnvelope(uint32_t magic, ClusterDigest cluster,
                                      std::string_view bytes);

}  // namespace eddy::gossip
