// What a replica does for another member, and then replies: read a record, join one, witness a
// lease, compare a node of a hash tree, or list the records of some leaves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/operation.h"

namespace eddy::node {

// Where a record goes that somebody takes us for an owner of.
struct WrittenTo {
  uint32_t partition = 0;
  uint8_t n = 0;  // how many replicas its key has; 0: the partition is ours for any
};

class ServedRead {
 public:
  // `hint_owners`: for whom this replica may hold hints of the key.
  ServedRead(OpContext& context, uint64_t op, PeerIndex from, wire::ReadRequest request,
             std::vector<NodeId> hint_owners);
  bool OnStore(OpContext& context, storage::StoreResult result);

 private:
  PeerIndex from_;
  uint64_t their_op_;
  std::optional<Digest> have_;
  MonotonicTime deadline_;
};

class ServedWrite {
 public:
  // `to`: none of a hint.
  ServedWrite(OpContext& context, uint64_t op, PeerIndex from, wire::WriteRequest&& request,
              std::optional<WrittenTo> to);
  bool OnStore(OpContext& context, const storage::StoreResult& result);

  const std::optional<WrittenTo>& to() const { return to_; }

 private:
  PeerIndex from_;
  uint64_t their_op_;
  std::optional<WrittenTo> to_;
};

class ServedLease {
 public:
  ServedLease(OpContext& context, uint64_t op, PeerIndex from,
              const wire::LeaseAnnouncement& announced);
  bool OnStore(OpContext& context, const storage::StoreResult& result);

 private:
  PeerIndex from_;
  uint64_t their_op_;
};

class ServedTree {
 public:
  ServedTree(OpContext& context, uint64_t op, PeerIndex from, const wire::TreeRequest& request);
  // The reply was sent: whether both have the same root.
  bool OnStore(OpContext& context, const storage::StoreResult& result);

  const wire::TreeRequest& request() const { return request_; }
  PeerIndex from() const { return from_; }

 private:
  PeerIndex from_;
  wire::TreeRequest request_;
};

class ServedSegment {
 public:
  static constexpr size_t kPageBytes = size_t{1} << 20;

  // Requires that the leaves are in order and `from` lies in them.
  ServedSegment(OpContext& context, uint64_t op, PeerIndex from, unsigned partition_bits,
                const wire::SegmentRequest& request);
  void OnStore(OpContext& context, const BucketTable& buckets, storage::StoreResult result);

 private:
  PeerIndex from_;
  uint64_t their_op_;
  uint8_t n_;
};

}  // namespace eddy::node
