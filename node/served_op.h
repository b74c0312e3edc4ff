// What a replica does for a coordinator: read a record, join one, or witness a lease; then reply.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/operation.h"

namespace eddy::node {

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
  ServedWrite(OpContext& context, uint64_t op, PeerIndex from, wire::WriteRequest request);
  bool OnStore(OpContext& context, storage::StoreResult result);

 private:
  PeerIndex from_;
  uint64_t their_op_;
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

}  // namespace eddy::node
