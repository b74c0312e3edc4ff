#include "gossip/cluster_digest.h"

#include <string>

#include "base/bytes.h"
#include "base/hash.h"

namespace eddy::gossip {

ClusterDigest ClusterDigest::Of(ClusterId cluster) {
  std::string bytes;
  AppendBigEndian64(&bytes, cluster.high);
  AppendBigEndian64(&bytes, cluster.low);
  return ClusterDigest{Hash64(bytes)};
}

}  // namespace eddy::gossip
