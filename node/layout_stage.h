// What people want the cluster to become and have not ordered yet: changes that are staged one by
// one, looked at together, and committed as one layout, as Riak does it. Every member holds the
// stage, in memory, and tells the others. It is a set that joins as a lattice does: each change has
// a dot, those that are there are a record's siblings (lattice/record.h), and what its context
// covers and it does not hold was dropped, by whomever, and does not come back. A value, on the
// node's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "lattice/record.h"
#include "ring/layout.h"
#include "ring/layout_change.h"

namespace eddy::node {

class LayoutStage {
 public:
  // `actor`: of this process alone, since its memory ends with it.
  explicit LayoutStage(ActorId actor) : actor_(actor) {}

  // In an order that is the same on every member.
  std::vector<ring::LayoutChange> changes() const;
  size_t size() const { return record_.siblings().size(); }
  // How much there is to remember of what was ever staged: one for each process that has staged
  // anything, and one for each node that has asked.
  size_t told() const { return record_.context().intervals().size(); }

  // `version`: of the newest layout that the change was seen to make sense with. It takes the place
  // of an earlier one that says otherwise of the same node.
  void Add(const ring::LayoutChange& change, uint64_t version);
  // A node has asked to be let in: staged once, whichever member it asks and how often, so that it
  // stays out when people have dropped that. True: it is new.
  bool AddAsker(const ring::Member& asker, uint64_t version);
  // Drops what this layout has done or made impossible. True: there was any.
  bool Review(const ring::Layout& newest);
  void Clear() { record_.Delete(record_.context()); }
  // What another member knows. True: that was news.
  bool Join(const LayoutStage& other);

  // Empty: nothing was ever staged. Otherwise a record as storage/record_codec.h has it, whose
  // values are
  //   staged := version(varint) changes, one of them, as ring/layout_change.h encodes them
  std::string Encode() const;
  // kCorruption unless it is what Encode() gives. It can be joined and nothing else.
  static Result<LayoutStage> Decode(std::string_view bytes);

  friend bool operator==(const LayoutStage& a, const LayoutStage& b) {
    return a.record_ == b.record_;
  }

 private:
  ActorId actor_;
  uint64_t minted_ = 0;  // dots of that actor
  lattice::Record record_;
};

}  // namespace eddy::node
