#include "gossip/cluster_digest.h"

#include "base/hash.h"

namespace eddy::gossip {

ClusterDigest ClusterDigest::Of(std::string_view cluster) { return ClusterDigest{Hash64(cluster)}; }

}  // namespace eddy::gossip
