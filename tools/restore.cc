#include "tools/restore.h"

#include <utility>

#include "base/check.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::tools {

namespace {

using lattice::CausalContext;
using lattice::Interval;
using lattice::Record;
using lattice::Sibling;

Interval DotAlone(lattice::Dot dot) { return {dot.actor, dot.counter - 1, dot.counter}; }

// A record of these siblings that has seen nothing else.
std::string EncodeAlone(std::vector<Sibling> siblings) {
  CausalContext context;
  for (const Sibling& sibling : siblings) context.Add(DotAlone(sibling.dot));
  auto record = Record::FromParts(std::move(context), std::move(siblings));
  CHECK(record.has_value());
  return storage::EncodeRecord(*record);
}

// What was seen and is no sibling any more, as a tombstone of that alone: a context that covered a
// sibling's dot as well would say that the sibling was deleted.
std::string EncodeRest(const Record& record) {
  CausalContext context;
  for (const Interval& interval : record.context().intervals()) {
    uint64_t after = interval.after;
    for (const Sibling& sibling : record.siblings()) {
      const lattice::Dot dot = sibling.dot;
      if (dot.actor != interval.actor || dot.counter <= after || dot.counter > interval.last) {
        continue;
      }
      if (dot.counter - 1 > after) context.Add({interval.actor, after, dot.counter - 1});
      after = dot.counter;
    }
    if (interval.last > after) context.Add({interval.actor, after, interval.last});
  }
  if (context.empty()) return {};
  return storage::EncodeRecord(*Record::FromParts(std::move(context), {}));
}

}  // namespace

std::vector<std::string> PartsOf(const lattice::Record& record, size_t bytes_max) {
  // A sibling beside its value: its dot twice, in the context and in itself, and its times.
  constexpr size_t kSiblingBytes = 80;
  std::vector<std::string> parts;
  if (std::string whole = storage::EncodeRecord(record); whole.size() <= bytes_max) {
    parts.push_back(std::move(whole));
    return parts;
  }
  if (std::string rest = EncodeRest(record); !rest.empty()) parts.push_back(std::move(rest));
  std::vector<Sibling> some;
  size_t bytes = 0;
  for (const Sibling& sibling : record.siblings()) {
    const size_t more = sibling.value.size() + kSiblingBytes;
    if (!some.empty() && bytes + more > bytes_max) {
      parts.push_back(EncodeAlone(std::exchange(some, {})));
      bytes = 0;
    }
    some.push_back(sibling);
    bytes += more;
  }
  if (!some.empty()) parts.push_back(EncodeAlone(std::move(some)));
  return parts;
}

Restore::Restore(RestoreOptions options, Submit submit, Failed failed)
    : options_(options), submit_(std::move(submit)), failed_(std::move(failed)) {}

void Restore::Take(BackupRecord record) {
  CHECK(Ready());
  CHECK(under_way_.insert(record.key).second);
  SendPart(std::move(record.key), record.record.IsTombstone(),
           PartsOf(record.record, options_.part_bytes_max), 0);
}

void Restore::SendPart(std::string key, bool tombstone, std::vector<std::string> parts,
                       size_t part) {
  const auto named = storage::DecodeKey(key);
  CHECK(named.has_value());
  wire::ClientRequest request;
  request.bucket = named->bucket;
  request.key = named->key;
  request.quorum = options_.quorum;
  request.deadline = options_.deadline;
  request.action = wire::RestoreAction{.record = std::move(parts[part])};
  submit_(std::move(request), [this, key = std::move(key), tombstone, parts = std::move(parts),
                               part](const wire::ClientReply& reply) mutable {
    if (!reply.error && part + 1 < parts.size()) {
      return SendPart(std::move(key), tombstone, std::move(parts), part + 1);
    }
    Finish(key, tombstone, reply.error);
  });
}

void Restore::Finish(const std::string& key, bool tombstone, const std::optional<Error>& error) {
  if (!error) {
    ++counts_.restored;
    counts_.tombstones += tombstone ? 1 : 0;
    failures_in_row_ = 0;
  } else {
    ++counts_.failed;
    // A record that is wrong in itself says nothing about the cluster.
    const bool refused = error->code == Code::kInvalidArgument || error->code == Code::kTooLarge;
    failures_in_row_ = refused ? 0 : failures_in_row_ + 1;
    if (!first_failed_ || key < *first_failed_) first_failed_ = key;
    failed_(key, *error);
  }
  under_way_.erase(key);
}

}  // namespace eddy::tools
