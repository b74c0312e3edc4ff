// A record: what one replica holds for one key. A causal context says which writes it has seen; the
// siblings are those of them that no later write replaced (Dynamo, section 4.4; as dotted version
// vector sets of Almeida, Baquero et al., with intervals). A record with a context and no siblings
// is the tombstone of a deleted key.
//
// Invariants: siblings are sorted by dot, their dots are distinct, and the context covers each of
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hybrid_clock.h"
#include "base/time.h"
#include "lattice/causal_context.h"
#include "lattice/dot.h"

namespace eddy::lattice {

struct Sibling {
  Dot dot;
  Timestamp timestamp;
  // Absent for every reader from this moment of wall time on; kNever for a value without expiry.
  WallTime expires_at = kNever;
  std::string value;

  static constexpr WallTime kNever = WallTime::max();

  bool ExpiredAt(WallTime now) const { return expires_at <= now; }

  friend bool operator==(const Sibling&, const Sibling&) = default;
};

// How far back a node's memory of a key is known to be whole: it has forgotten nothing since it
// minted the dot with this counter (design, section 4). A history begins anew at every start that
// no clean stop preceded, and when a write to the store failed or the store was healed; and for one
// key, whenever its record comes into being where none was.
struct History {
  uint64_t begin = 1;
};

class Record {
 public:
  Record() = default;

  const CausalContext& context() const { return context_; }
  const std::vector<Sibling>& siblings() const { return siblings_; }
  // Nothing was ever seen: the same as no record at all.
  bool empty() const { return context_.empty(); }
  bool IsTombstone() const { return !context_.empty() && siblings_.empty(); }

  // The least upper bound: a sibling stays if both hold it, or if the other has not seen it;
  // contexts unite.
  void Join(const Record& other);
  // Whether joining `other` would change nothing here.
  bool Includes(const Record& other) const;

  // A write at the coordinating replica. Drops the siblings that `seen` covers and adds `sibling`
  // under its fresh dot. Requires sibling.dot.counter greater than every counter of that actor in
  // this record and in `seen`.
  //
  // The dot extends the actor's last interval only if that interval's end was minted within
  // `history`; otherwise it opens one of its own, so no interval ever spans a moment at which this
  // node could have forgotten something. Without this rule a replica that lost its record would
  // claim, by its next write, to have seen what it forgot, and erase it from the others (Riak's
  // vnode amnesia and doomstone, riak_kv issue 679).
  void Put(const CausalContext& seen, Sibling sibling, History history);

  // A delete: drops the siblings that `seen` covers and remembers `seen`. A concurrent write
  // survives it. Mints no dot, so deleting twice is deleting once.
  void Delete(const CausalContext& seen);

  // The sibling that a reader of an `lww` bucket gets: the greatest by (timestamp, dot); null when
  // there is none, or when it has expired (what it won over does not come back). Time decides here
  // only because siblings are concurrent by construction.
  const Sibling* LastWriter(WallTime now) const;

  friend bool operator==(const Record&, const Record&) = default;

  // Makes a record from parts, for decoders: nullopt if they break an invariant.
  static std::optional<Record> FromParts(CausalContext context, std::vector<Sibling> siblings);

 private:
  void DropSeen(const CausalContext& seen);

  CausalContext context_;
  std::vector<Sibling> siblings_;
};

}  // namespace eddy::lattice
