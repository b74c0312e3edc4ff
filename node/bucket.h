// Buckets: the properties that Dynamo tunes per application (paper, sections 4.5 and 6): N, R, W,
// how conflicts show, how long values live and how durable an acknowledgement is. A bucket without
// properties of its own has the defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/store.h"
#include "wire/client_message.h"

namespace eddy::node {

enum class Conflict : uint8_t {
  kSiblings,    // concurrent writes all show, and the client resolves them
  kLastWriter,  // the latest of the concurrent writes shows (`lww`)
};

struct BucketProperties {
  uint8_t n = 3;
  std::optional<uint8_t> r;  // a majority of n where not given
  std::optional<uint8_t> w;  // likewise
  uint8_t pr = 0;
  uint8_t pw = 0;
  // Whether stand-ins count towards r and w while owners cannot be reached (Dynamo, section 4.6).
  bool sloppy = true;
  Conflict conflict = Conflict::kSiblings;
  std::chrono::milliseconds ttl{0};               // zero: for ever
  std::optional<storage::Durability> durability;  // the node's where not given
  // For how long what was deleted is seen dead at the least before it is forgotten, where that is
  // longer than with the node's other buckets.
  std::chrono::minutes reap_age{0};
  // How many siblings a key may have: at that number a write that replaces none is refused.
  uint32_t siblings_max = 100;
};

// From so many siblings on, a key is worth a word to whoever writes it.
inline constexpr uint32_t kSiblingsMany = 25;

// What one request needs, settled.
struct Quorum {
  uint8_t n = 0;
  uint8_t r = 0;
  uint8_t w = 0;
  uint8_t pr = 0;
  uint8_t pw = 0;
  bool sloppy = true;
};

// kInvalidArgument for a combination that can never be met, such as r > n, and for any n but the
// bucket's own: it says where a key lives, and no request can. The text names the two figures. A
// cluster of fewer than n members has fewer replicas, and majorities are of those it
// has; a figure that was asked for in so many words is not lowered.
[[nodiscard]] Result<Quorum> ResolveQuorum(const BucketProperties& properties,
                                           const wire::QuorumOptions& request, size_t members);

// Constant after construction.
class BucketTable {
 public:
  static constexpr size_t kBucketsMax = 1024;

  // RESP's keys live here; a cache's users expect the last writer to win.
  static constexpr std::string_view kRedisBucket = "redis";

  BucketTable();

  // kInvalidArgument for impossible properties, kTooLarge beyond kBucketsMax.
  [[nodiscard]] Status Set(const std::string& bucket, const BucketProperties& properties);
  void SetDefault(const BucketProperties& properties) { default_ = properties; }
  const BucketProperties& Find(std::string_view bucket) const;
  const BucketProperties& defaults() const { return default_; }
  const std::map<std::string, BucketProperties, std::less<>>& named() const { return named_; }
  // The numbers of replicas that buckets have, each once, ascending.
  std::vector<uint8_t> ReplicaCounts() const;

 private:
  BucketProperties default_;
  std::map<std::string, BucketProperties, std::less<>> named_;
};

}  // namespace eddy::node
