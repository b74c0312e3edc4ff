// Waits until nothing of what was under way, when somebody asked, is under way any more, anywhere
// (node/reaper.h says who asks, and why). Each member lets the operations end that it had when it
// was asked, and then tells every other member that it has passed. Connections keep their order,
// so whoever has passed itself and has heard that of all others knows: every message that was sent
// for an older operation has arrived here, or never will.
//
// One fence for each asker at a time; the latest counts. What does not come to an end in time is
// dropped without an answer. Part of the node, on its thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "node/operation.h"
#include "node/topology.h"

namespace eddy::node {

class Fences {
 public:
  static constexpr size_t kFencesMax = 256;

  // `asker`: kSelf, or the member that asked. `version`: of the layout, the only live one.
  // `under_way`: the operations to wait for.
  void Begin(MonotonicTime now, PeerIndex asker, uint64_t id, uint64_t version,
             std::vector<uint64_t> under_way);
  // That member has passed.
  void Passed(MonotonicTime now, PeerIndex asker, uint64_t id, PeerIndex by);

  struct Answer {
    PeerIndex to;
    uint64_t id = 0;
  };
  // Tells the others where this node has passed. Those that have all been passed, once each;
  // `lives` says whether an operation is under way still.
  template <class Lives>
  std::vector<Answer> Tick(OpContext& context, const Topology& topology, Lives lives) {
    for (auto& [asker, fence] : fences_) {
      std::erase_if(fence.under_way, [&](uint64_t op) { return !lives(op); });
    }
    return Advance(context, topology);
  }
  size_t size() const { return fences_.size(); }

 private:
  static constexpr Duration kFenceMax = std::chrono::seconds(15);

  struct Fence {
    uint64_t id = 0;
    std::optional<uint64_t> version;  // none: it was not asked for yet, and others have passed it
    std::vector<uint64_t> under_way;
    bool told = false;
    std::set<PeerIndex> passed;
    MonotonicTime give_up_at;
  };

  // Null: it is older than one that is known, or there are too many.
  Fence* Find(MonotonicTime now, PeerIndex asker, uint64_t id);
  std::vector<Answer> Advance(OpContext& context, const Topology& topology);

  std::map<PeerIndex, Fence> fences_;
};

}  // namespace eddy::node
