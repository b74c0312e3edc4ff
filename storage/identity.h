// Who a data directory is: its cluster, its node, its actor and the counters leased to it. Read and
// advanced once at every start, durably, before anything else happens.
//
// Rows of Space::kMeta (values in the canonical encoding, sealed as records are):
//
//   format            u32: version of everything on disk, kFormatVersion
//   cluster           bytes: the cluster's name
//   node              two u64: NodeId
//   name              bytes: the node's name
//   actor             ActorId and the end of its lease (u64); one row, so they never part
//   clean             u64: where the history began; only between a clean stop and the next start
//   layouts           the live layouts and every member's progress (ring/layout_history.h)
//   votes             what this node has promised as an acceptor (node/layout_acceptor.h)
//   witness/<actor>   a lease that another node announced (node/actor_lease.h)
//   damaged/<range>   tokens for which this replica does not answer (storage/damage.h)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/status.h"
#include "lattice/record.h"
#include "storage/damage.h"
#include "storage/engine.h"
#include "storage/hint_ledger.h"

namespace eddy::storage {

inline constexpr uint32_t kFormatVersion = 1;

// Counters are leased in blocks of this size: one durable write per so many dots, and as many
// numbers lost per crash.
inline constexpr uint64_t kLeaseBlock = uint64_t{1} << 20;

// Counters (begin, end] that may be minted without asking the disk again. `boot` is a random number
// of this start, which tells two twins of one directory apart.
struct Lease {
  ActorId actor;
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t boot = 0;

  friend bool operator==(const Lease&, const Lease&) = default;
};

struct Identity {
  std::string cluster;
  NodeId node;
  Lease lease;
  lattice::History history;
  std::map<ActorId, Lease> witnessed;
  std::map<NodeId, HintUsage> hints;  // what is kept here for others, by owner
  // What the node knows of the layouts, and has promised of the next one, in its own encodings;
  // empty: nothing.
  std::string layouts;
  std::string votes;
  std::vector<TokenRange> damaged = {};
};

// Whose a directory is to be.
struct Owner {
  std::string cluster;
  std::string name = {};  // of the node; empty: whatever the directory says
  NodeId node = {};       // none: whoever the directory says, or in an empty one somebody new
};

// Opens the identity of a directory, or founds it in an empty one, and takes a fresh lease; durable
// on return. After an unclean stop the history begins with the new lease; after a clean one it goes
// on. kWrongCluster: another cluster's or node's directory, or a format newer than ours; the text
// says which and what to do, and nothing was written.
[[nodiscard]] Result<Identity> OpenIdentity(Engine* engine, const Owner& owner, Random* random);

// What a directory says of itself, for people; nothing is changed. Fails as OpenIdentity does, and
// with kInvalidArgument for a directory that nobody has founded.
struct DirectoryIdentity {
  uint32_t format = 0;
  std::string cluster;
  NodeId node;
  std::string name;
  ActorId actor;
  uint64_t lease_end = 0;
  std::optional<uint64_t> clean;  // it was stopped cleanly: where its history begins
  std::string layouts;            // encoded; empty: none
  size_t witnessed = 0;
  std::vector<TokenRange> damaged;
};
[[nodiscard]] Result<DirectoryIdentity> PeekIdentity(Engine* engine);

// Marks a clean stop, durably: nothing acknowledged or minted is missing from the store.
[[nodiscard]] Status CloseIdentity(Engine* engine, lattice::History history);

// The rows that the running node writes through PutMetaVerb.
std::string ActorRowKey();
std::string ActorRowValue(const Lease& lease);
std::string LayoutsRowKey();
std::string LayoutsRowValue(std::string layouts);
std::string VotesRowKey();
std::string VotesRowValue(std::string votes);
std::string WitnessRowKey(ActorId actor);
std::string WitnessRowValue(const Lease& lease);

}  // namespace eddy::storage
