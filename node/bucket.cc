#include "node/bucket.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/limits.h"

namespace eddy::node {

namespace {

// A figure given by the request or the bucket is kept; else a majority of the replicas there can
// be.
uint8_t FigureOrMajority(std::optional<uint8_t> request, std::optional<uint8_t> bucket, uint8_t n) {
  if (request) return *request;
  if (bucket) return *bucket;
  return static_cast<uint8_t>(n / 2 + 1);
}

Status CheckFigure(std::string_view name, uint8_t value, uint8_t least, std::string_view of,
                   uint8_t most) {
  if (value < least) {
    return Fail(Code::kInvalidArgument, fmt::format("{} must be at least {}", name, least));
  }
  if (value > most) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} = {} can never be met with {} = {}: lower {} or raise {}", name,
                            value, of, most, name, of));
  }
  return {};
}

}  // namespace

Result<Quorum> ResolveQuorum(const BucketProperties& properties, const wire::QuorumOptions& request,
                             size_t members) {
  Quorum quorum;
  const uint8_t n = request.n.value_or(properties.n);
  if (auto ok = CheckFigure("n", n, 1, "the limit", 16); !ok) return std::unexpected(ok.error());
  if (n != properties.n) {
    return Fail(Code::kInvalidArgument,
                fmt::format("n = {} is not the bucket's {}: how many replicas a key has is a "
                            "property of its bucket; leave n out",
                            n, properties.n));
  }
  quorum.n = static_cast<uint8_t>(std::min<size_t>(n, members));
  quorum.r = FigureOrMajority(request.r, properties.r, quorum.n);
  quorum.w = FigureOrMajority(request.w, properties.w, quorum.n);
  quorum.pr = request.pr.value_or(properties.pr);
  quorum.pw = request.pw.value_or(properties.pw);
  quorum.sloppy = request.sloppy.value_or(properties.sloppy);
  struct Figure {
    std::string_view name;
    uint8_t value;
    uint8_t least;
  };
  for (const auto& [name, value, least] :
       {Figure{"r", quorum.r, 1}, {"w", quorum.w, 1}, {"pr", quorum.pr, 0}, {"pw", quorum.pw, 0}}) {
    if (auto ok = CheckFigure(name, value, least, "n", n); !ok) return std::unexpected(ok.error());
  }
  // pr and pw count within r and w, so asking for more primaries than replies raises those.
  quorum.r = std::max(quorum.r, quorum.pr);
  quorum.w = std::max(quorum.w, quorum.pw);
  return quorum;
}

BucketTable::BucketTable() {
  BucketProperties redis;
  redis.conflict = Conflict::kLastWriter;
  named_.emplace(kRedisBucket, redis);
}

Status BucketTable::Set(const std::string& bucket, const BucketProperties& properties) {
  if (auto ok = CheckKey(bucket, "k"); !ok) return ok;
  if (auto quorum = ResolveQuorum(properties, {}, properties.n); !quorum) {
    return std::unexpected(
        Error{quorum.error().code, fmt::format("bucket {}: {}", bucket, quorum.error().text)});
  }
  if (!named_.contains(bucket) && named_.size() >= kBucketsMax) {
    return Fail(Code::kTooLarge, fmt::format("more than {} buckets with properties", kBucketsMax));
  }
  named_.insert_or_assign(bucket, properties);
  return {};
}

const BucketProperties& BucketTable::Find(std::string_view bucket) const {
  const auto found = named_.find(bucket);
  return found == named_.end() ? default_ : found->second;
}

std::vector<uint8_t> BucketTable::ReplicaCounts() const {
  std::set<uint8_t> counts{default_.n};
  for (const auto& [name, properties] : named_) counts.insert(properties.n);
  return {counts.begin(), counts.end()};
}

}  // namespace eddy::node
